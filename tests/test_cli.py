"""The command line as other tools rely on it: names, exit codes, one object with --json, short start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.archive.store import Archive
from opslib.redaction import Redactor

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def ops(tmp_path):
    """Run ``ops`` with an archive and a lab folder of the test's own."""

    def ops(*arguments, **more):
        environment = dict(os.environ, OPS_ARCHIVE=str(tmp_path / "archive"), OPS_LAB=str(tmp_path / "lab"), **more)
        command = [sys.executable, "-m", "opslib.cli", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    return ops


def one_object(said):
    assert said.stdout.count("\n") == 1
    return json.loads(said.stdout)


@pytest.fixture
def archived(tmp_path):
    archive = Archive(tmp_path / "archive")
    run = "20261123T130614Z-diagnostics-database-a1b2c3"
    archive.open({"run": run, "notebook": "diagnostics/database", "environment": "lab"})
    archive.close(run, Redactor())
    return archive.folder / "runs" / run


def test_the_commands_that_other_tools_rely_on_are_there(ops):
    said = ops("--help").stdout
    for name in ("list", "run", "undo", "archive", "guide", "lab", "demo"):
        assert f"\n  {name} " in said
    assert all(name in ops("archive", "--help").stdout for name in ("list", "show", "verify", "index"))
    assert all(name in ops("lab", "--help").stdout for name in ("up", "down", "status"))


def test_list_and_guide_speak_json(ops):
    notebooks = {row["notebook"] for row in one_object(ops("list", "--json"))["notebooks"]}
    assert {"diagnostics/database", "diagnostics/cache", "runbooks/back-up-database"} <= notebooks
    guide = one_object(ops("guide", "--json"))
    assert sum(row["items"] for row in guide["notebooks"]) == 410
    assert {"item": "BAK-RST-04", "notebook": "runbooks/restore-database", "cell": "swap-databases"} in guide["places"]


def test_an_archive_that_verifies_exits_with_0_and_one_that_does_not_with_5(ops, archived):
    head = one_object(ops("archive", "verify", "--json"))["head"]
    well = ops("archive", "verify", "--head", head)
    (archived / "run.json").write_text("{}")
    broken = ops("archive", "verify")
    assert (well.returncode, broken.returncode) == (0, 5)
    assert "NOT SIGNED, NOT ANCHORED" in well.stdout
    assert "FAILED" in broken.stdout


def test_runs_are_listed_and_shown_by_the_end_of_their_id(ops, archived):
    assert one_object(ops("archive", "list", "--json"))["runs"][0]["run"] == archived.name
    shown = ops("archive", "show", "a1b2c3")
    assert str(archived) in shown.stdout
    assert ops("archive", "show", "ffffff").returncode == 64


def test_without_a_lab_its_state_is_unknown_and_a_run_says_how_to_start_it(ops):
    assert ops("lab", "status").returncode == 3
    said = ops("run", "diagnostics/cache")
    assert said.returncode == 64
    assert "ops lab up" in said.stderr


def test_an_error_with_json_is_one_object_too(ops):
    said = ops("run", "diagnostics/cache", "-p", "nope=1", "--json")
    assert one_object(said)["exit_code"] == said.returncode == 64


@pytest.mark.parametrize("environment", ["prod", "", "LAB"])
def test_an_unknown_environment_is_wrong_usage(ops, environment):
    assert ops("run", "diagnostics/cache", "--environment", environment).returncode == 64


def test_a_target_that_is_not_described_lists_all_that_is_missing(ops):
    said = ops("run", "diagnostics/cache", "--environment", "production")
    assert said.returncode == 64
    assert said.stderr.count("missing") >= 6


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["archive", "list"]])
def test_short_commands_import_nothing_heavy(arguments):
    code = (
        "import sys; from opslib.cli import main\n"
        f"sys.argv = ['ops', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'papermill', 'boto3', 'psycopg', 'redis', 'httpx', 'nbclient', 'moto', 'IPython'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert said.stdout.splitlines()[-1] == "heavy: []", said.stderr


def test_what_nobody_foresaw_never_exits_as_a_verdict(ops, tmp_path):
    # A folder where a notebook's file should be: no code of ours expects that.
    (tmp_path / "notebooks" / "x.ipynb").mkdir(parents=True)
    said = ops("run", "x", "--json", OPS_NOTEBOOKS=str(tmp_path / "notebooks"))
    assert one_object(said)["exit_code"] == said.returncode == 5
    assert "IsADirectoryError" in said.stderr
