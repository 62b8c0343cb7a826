"""The lab's lock: one at a time, also while somebody who is done takes the whole folder away."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from opslib.lab.state import locked


def test_the_lock_is_held_by_one_at_a_time_though_its_folder_is_removed_again_and_again(tmp_path):
    folder, inside, most = tmp_path / "above" / "lab", [], []

    def take(turn):
        with locked(folder):
            inside.append(turn)
            most.append(len(inside))
            inside.remove(turn)
            # The last that a "down" does: from here on the next one may be in, and make its lock in this folder.
            shutil.rmtree(folder, ignore_errors=True)

    with ThreadPoolExecutor(8) as several:
        list(several.map(take, range(400)))
    assert (len(most), max(most)) == (400, 1)


def test_a_file_where_the_folder_should_be_is_an_error_and_stays(tmp_path):
    (tmp_path / "lab").write_text("mine")
    with pytest.raises(FileExistsError), locked(tmp_path / "lab"):
        pass
    assert (tmp_path / "lab").read_text() == "mine"
