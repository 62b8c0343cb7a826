import os
import socket
import tempfile
import time
from pathlib import Path

import pytest

from opslib.headless.private import PREFIX, ROOM, Private


@pytest.fixture
def tmp(monkeypatch):
    # Not pytest's own: its name may be so long that no socket has room in it.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


def old(path):
    path.mkdir(exist_ok=True)
    (path / "run").write_text("a socket's place")
    os.utime(path, (time.time() - 3600,) * 2)


def test_what_a_killed_runner_left_is_swept_away_by_the_next_and_what_is_held_or_young_stays(tmp):
    held = Private()
    os.utime(held.path, (time.time() - 3600,) * 2)
    old(tmp / f"{PREFIX}dead")
    (tmp / f"{PREFIX}young").mkdir()
    old(tmp / "somebody-elses")
    own = Private()
    assert {path.name for path in tmp.iterdir()} == {held.path.name, own.path.name, f"{PREFIX}young", "somebody-elses"}
    for one in (held, own):
        one.remove()
        one.remove()
    assert not Path(own.path).exists()


def test_a_link_in_its_place_is_not_followed(tmp):
    old(tmp / "kept")
    (tmp / f"{PREFIX}link").symlink_to(tmp / "kept")
    Private().remove()
    assert (tmp / "kept" / "run").exists()


@pytest.mark.parametrize("room", [ROOM, 70])
def test_a_socket_has_room_where_the_folder_of_temporary_files_has_a_long_name(tmp, monkeypatch, room):
    long = tmp / ("long" * 25)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    own = Private(room)
    try:
        assert not list(long.iterdir())
        assert own.path.stat().st_mode & 0o777 == 0o700
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"{own.path}/{'s' * (room - 1)}")
    finally:
        own.remove()
    assert not own.path.exists()
