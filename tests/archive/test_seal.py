"""Sealing: what a run may hold, what its manifest says, and the gate that no secret passes."""

import hashlib
import os
import sys

import pytest

from opslib import files
from opslib.archive import seal
from opslib.archive.seal import Scan
from opslib.errors import ArchiveError
from opslib.redaction import Redactor
from tests.archive import build

WORD = build.SECRET.reveal()
KNOWING = Redactor([build.SECRET])
TOKEN = "gh" + "p_" + "a7Z" * 13


def sha(data):
    return hashlib.sha256(data).hexdigest()


def test_every_file_is_in_the_manifest_but_itself_sorted_by_path(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    held = {"b.txt": b"b", "a.txt": b"", "deep/er/c.txt": b"c" * 9, "deep.txt": b"d"}
    for path, data in held.items():
        (tmp_path / path).write_bytes(data)
    (tmp_path / seal.MANIFEST).write_text("half a manifest")
    (tmp_path / "deep" / seal.MANIFEST).write_text("")
    said = seal.scan(tmp_path, KNOWING)
    held[f"deep/{seal.MANIFEST}"] = b""
    assert said == Scan({path: sha(data) for path, data in held.items()}, ())
    assert said.manifest().decode() == "".join(f"{sha(held[path])}  {path}\n" for path in sorted(held))
    assert seal.parse(said.manifest()) == said.sums


def flushes(act):
    calls = []

    def hear(frame, event, arg):
        if event == "c_call" and arg is os.fsync:
            calls.append(arg)

    sys.setprofile(hear)
    try:
        act()
    finally:
        sys.setprofile(None)
    return len(calls)


def test_a_file_is_flushed_before_its_digest_counts_unless_it_was_since_it_was_written(tmp_path):
    (tmp_path / "a.txt").write_text("somebody's")
    files.write(tmp_path / "b.txt", b"ours", tmp_path / ".b.part", named=False)
    assert flushes(lambda: seal.scan(tmp_path, KNOWING)) == 1
    with (tmp_path / "b.txt").open("a") as stream:
        stream.write(" and more")
    assert flushes(lambda: seal.scan(tmp_path, KNOWING)) == 2


@pytest.mark.parametrize("name", ["a", "A9_.+=@,~-", "a/b", ".part", "...", "a/.b/..c", "~"])
def test_a_name_that_all_tools_spell_alike_may_stand_in_a_manifest(name):
    assert seal.good_name(name) is True


@pytest.mark.parametrize("name", ["", ".", "..", "a/../b", "./a", "/a", "a/", "a//b", "-a", "a/-b", "a b", "a\n", "ä"])
def test_any_other_name_may_not(name):
    assert seal.good_name(name) is False


@pytest.mark.parametrize("kind", ["link", "folder's link", "pipe", "name"])
def test_what_a_run_may_not_hold_is_refused_by_its_name(tmp_path, kind):
    odd = tmp_path / ("odd name" if kind == "name" else "odd")
    (tmp_path / "folder").mkdir()
    (tmp_path / "run.json").write_text("{}")
    {
        "link": lambda: odd.symlink_to("run.json"),
        "folder's link": lambda: odd.symlink_to("folder"),
        "pipe": lambda: os.mkfifo(odd),
        "name": lambda: odd.write_text(""),
    }[kind]()
    with pytest.raises(ArchiveError, match=f"/{odd.name}' is a link, no plain file, or has a name"):
        seal.scan(tmp_path, KNOWING)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ArchiveError, match="cannot be read"):
        seal.scan(tmp_path / "nothing", KNOWING)


def test_files_that_give_something_away_are_named_with_what_only_looks_like_it(tmp_path):
    (tmp_path / "a.txt").write_text(f"is {WORD}")
    (tmp_path / "b.txt").write_text(f"is\n{TOKEN}")
    (tmp_path / "c.txt").write_text(f"{TOKEN} and {WORD}")
    (tmp_path / "d.txt").write_text("fine")
    (tmp_path / f"{WORD}.txt").write_text(TOKEN)
    assert seal.scan(tmp_path, KNOWING).leaking == (
        "a.txt",
        "b.txt (GitHub token in line 2)",
        "c.txt",
        f"{WORD}.txt",
    )


@pytest.mark.parametrize("at", [0, 993, 1_000, 1_993, 64_000 - 7, 65_530])
def test_in_a_large_file_a_secret_is_found_wherever_it_lies(tmp_path, at):
    data = b"." * at + WORD.encode() + b"." * (70_000 - at)
    (tmp_path / "large.json").write_bytes(data)
    assert seal.scan(tmp_path, KNOWING, largest=100, window=1_000) == Scan({"large.json": sha(data)}, ("large.json",))


def test_in_a_large_file_a_known_secret_is_told_before_what_only_looks_like_one(tmp_path):
    for name, text in {
        "before": TOKEN + "." * 200_000 + WORD,
        "behind": WORD + "." * 200_000 + TOKEN,
        "alone": "." * 100_000 + TOKEN,
    }.items():
        (tmp_path / name).write_text(text)
    leaking = seal.scan(tmp_path, KNOWING, largest=100, window=100_000).leaking
    assert leaking == ("alone (GitHub token in line 1)", "before", "behind")


def test_a_file_is_read_as_what_it_is_up_to_the_largest_and_as_it_is_beyond(tmp_path):
    text = '{"a": ["' + '", "'.join(TOKEN) + '"]}'
    (tmp_path / "a.json").write_text(text)
    assert seal.scan(tmp_path, KNOWING, largest=len(text), window=10).leaking == ("a.json (GitHub token in .a)",)
    assert seal.scan(tmp_path, KNOWING, largest=len(text) - 1).leaking == ()


def test_no_link_is_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("")
    (tmp_path / "link").symlink_to("folder")
    assert [path for path, _ in seal.walk(tmp_path)] == ["folder", "folder/file", "link"]


def test_only_the_exact_form_is_a_manifest():
    lines = [f"{sha(b'a')}  a.txt\n", f"{sha(b'b')}  b.txt\n"]
    assert seal.parse("".join(lines).encode()) == {"a.txt": sha(b"a"), "b.txt": sha(b"b")}
    assert seal.parse(b"") == {}
    for bad in (
        lines[::-1],
        [lines[0], lines[0]],
        [lines[0][:-1]],
        [*lines, "\n"],
        [lines[0].upper()],
        [lines[0].replace("  ", " *")],
    ):
        with pytest.raises(ValueError, match="is no manifest"):
            seal.parse("".join(bad).encode())
    with pytest.raises(ValueError, match="is no manifest"):
        seal.parse(f"{sha(b'a')}  ä\n".encode())
    for name in ("../a", "-a", seal.MANIFEST):
        with pytest.raises(ValueError, match="cannot hold"):
            seal.parse(f"{sha(b'a')}  {name}\n".encode())


def test_the_digest_of_what_is_no_plain_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 300_000)
    assert seal.sha256(tmp_path / "file") == sha(b"x" * 300_000)
    (tmp_path / "link").symlink_to("file")
    for name in ("link", "nothing", "."):
        with pytest.raises(OSError, match=f"/{name}" if name != "." else "no plain file"):
            seal.sha256(tmp_path / name)
