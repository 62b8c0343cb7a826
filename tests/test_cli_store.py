"""``ops archive push``, ``pull``, ``hold``, ``retain`` and ``export`` as a person and as a script use them."""

import json
import shutil

import pytest
from click.testing import CliRunner

from opslib.archive import holds
from opslib.archive.store import Archive
from opslib.cli import main
from tests.archive import build, stores

ONE, TWO = (build.asked(number)["run"] for number in (1, 2))


@pytest.fixture
def archive(tmp_path, monkeypatch, lab):
    monkeypatch.setenv("OPS_ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    one = Archive(tmp_path / "archive")
    build.sealed(one, 1)
    build.sealed(one, 2, parameters={"incident": "INC-1"})
    stores.aged(one, 400)
    return one


@pytest.fixture
def ops():
    def ops(*arguments, code=0):
        said = CliRunner().invoke(main, ["archive", *map(str, arguments)])
        assert said.exit_code == code, said.output
        return said

    return ops


def test_from_the_first_push_to_the_run_that_is_only_in_the_store(archive, ops, tmp_path):
    assert "2 runs, " in ops("push").stdout
    assert "0 runs, 0 objects added" in ops("push").stdout
    assert "1 runs put under legal hold" in ops("hold", "--incident", "INC-1", "--reason", "a case").stdout
    assert json.loads(ops("holds", "--json").stdout) == {"held": [{"run": TWO, "reason": "a case"}]}
    seen = ops("retain")
    assert f"{TWO} stays: under legal hold: a case" in seen.stderr
    assert ONE in seen.stdout
    agreed = json.loads(ops("retain", "--json").stdout)["digest"]
    assert agreed in seen.stdout
    ops("retain", "--apply", "0" * 64, code=4)
    assert "1 runs removed; they are in the store" in ops("retain", "--apply", agreed).stdout
    shown = ops("show", ONE[:14]).stdout
    assert "is in the store only; entry " in shown
    assert f"ops archive pull {ONE} FOLDER" in shown
    assert ONE not in ops("list").stdout
    assert f"7 files in {tmp_path / 'there' / 'runs' / ONE}" in ops("pull", ONE, tmp_path / "there").stdout
    assert "released" in ops("release", TWO, "--reason", "closed").stdout
    ops("push")
    both = json.loads(ops("verify", "--store", "lab", "--read", "--json").stdout)
    assert (both["ok"], both["removed"], both["store"]["runs"], both["store"]["removed"]) == (True, [ONE], 2, 1)
    assert "1 of them only there" in ops("verify", "--store", "lab").stdout
    assert "1 runs in " in ops("export", tmp_path / "tables").stdout


def test_a_folder_that_is_gone_by_hand_is_told_as_that(archive, ops):
    shutil.rmtree(archive.folder / "runs" / ONE)
    said = ops("show", ONE, code=5)
    assert "no entry of the log removed it" in said.stderr
    assert "No run in" in ops("show", "nothing", code=64).stderr


def test_what_cannot_be_meant_is_wrong_usage(archive, ops):
    for arguments in (
        ("hold", "--reason", "x"),
        ("release", ONE, "--reason", "x"),
        ("verify", "--read"),
        ("pull", "x", "y"),
    ):
        ops(*arguments, code=64)


def test_a_hold_holds_where_the_store_cannot_be_asked(archive, ops, monkeypatch, tmp_path):
    monkeypatch.setenv("OPS_LAB", str(tmp_path / "no lab"))
    assert "The log says so; the store does not know it yet." in ops("hold", ONE, "--reason", "x", code=3).stderr
    assert holds.fates(archive.log).held == {ONE: "x"}
