"""The command line as other tools rely on it: names, exit codes, one object with --json, short start."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.archive.store import Archive
from opslib.cli_run import print_result
from opslib.redaction import Redactor
from tests import typed

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def ops(tmp_path):
    """Run ``ops`` with an archive and a lab folder of the test's own."""

    def ops(*arguments, **more):
        environment = dict(os.environ, OPS_ARCHIVE=str(tmp_path / "archive"), OPS_LAB=str(tmp_path / "lab"), **more)
        return typed.ops(*arguments, environment=environment)

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
    said = subprocess.run([typed.OPS, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    for name in ("list", "run", "undo", "archive", "guide", "lab", "demo"):
        assert f"\n  {name} " in said
    assert all(name in ops("archive", "--help").stdout for name in ("list", "show", "verify", "index"))
    assert all(name in ops("lab", "--help").stdout for name in ("up", "down", "status"))


def test_list_and_guide_speak_json(ops):
    notebooks = {row["notebook"] for row in one_object(ops("list", "--json"))["notebooks"]}
    assert {"diagnostics/database", "diagnostics/cache", "runbooks/back-up-database"} <= notebooks
    guide = one_object(ops("guide", "--json"))
    assert sum(row["items"] for row in guide["notebooks"]) == 410
    swap = {"item": "BAK-RST-04", "notebook": "runbooks/restore-database", "cell": "swap-databases"}
    assert {**swap, "verdict": None, "of": None, "run": None, "started_at": None} in guide["places"]
    shown = ops("guide", "--items").stdout.splitlines()
    assert [line.split()[1:] for line in shown if line.startswith("BAK-RST-04 ")] == [
        ["runbooks/restore-database#swap-databases", "never", "run", "-"]
    ]


def test_an_archive_that_verifies_exits_with_0_and_one_that_does_not_with_5(ops, archived):
    head = one_object(ops("archive", "verify", "--json"))["head"]
    well = ops("archive", "verify", "--head", head)
    (archived / "run.json").write_text("{}")
    broken = ops("archive", "verify")
    assert (well.returncode, broken.returncode) == (0, 5)
    assert "SIGNED by key" in well.stdout
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


def test_an_error_with_json_is_one_object_too_and_the_exit_code_of_the_process():
    command = [typed.OPS, "run", "diagnostics/cache", "-p", "nope=1", "--json"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
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


@pytest.fixture
def lost(tmp_path):
    """A run whose process went without closing it: open in the log, and nobody holds its lock."""
    run = "20261123T130714Z-runbooks-restore-database-b2c3d4"
    said = (
        "import os, sys\nfrom pathlib import Path\nfrom opslib.archive.store import Archive\n"
        f"Archive(Path({str(tmp_path / 'archive')!r})).open("
        f"{{'run': {run!r}, 'notebook': 'runbooks/restore-database', 'environment': 'lab'}})\nos._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", said], cwd=ROOT, timeout=60, check=False)
    return run


def test_the_list_tells_a_run_whose_process_is_gone_from_one_that_goes_on(ops, tmp_path, lost):
    lines = ops("archive", "list").stdout.splitlines()
    assert "open, its process is gone" in next(line for line in lines if lost in line)
    assert "None" not in "".join(lines)
    lock = os.open(tmp_path / "archive" / "running" / lost, os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert "running" in next(line for line in ops("archive", "list").stdout.splitlines() if lost in line)
    finally:
        os.close(lock)


def test_stopping_a_run_whose_process_is_gone_says_so_and_leaves_nothing_behind(ops, tmp_path, lost):
    said = ops("stop", lost)
    assert said.returncode == 4
    assert "its process is gone" in said.stderr
    assert f"ops resume {lost}" in said.stderr
    assert list((tmp_path / "archive" / "running").glob("*.stop")) == []


def test_stopping_by_a_plans_id_stops_the_run_that_applies_it(ops, tmp_path, archived):
    archive = Archive(tmp_path / "archive")
    run = f"{archived.name}-apply"
    archive.open({"run": run, "notebook": "diagnostics/database", "environment": "lab"})
    said = ops("stop", archived.name)
    assert said.returncode == 0
    assert f"{run} was asked to stop" in said.stderr
    archive.close(run, Redactor())
    assert [path.name for path in (archive.folder / "running").iterdir() if not path.name.startswith(".")] == []
    again = ops("stop", archived.name)
    assert again.returncode == 4
    assert f"ops archive show {archived.name}" in again.stderr


def test_a_reader_that_went_away_is_no_defect(ops, archived, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    environment = dict(os.environ, OPS_ARCHIVE=str(tmp_path / "archive"))
    command = [sys.executable, "-m", "opslib.cli", "archive", "list"]
    said = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(writing)
    assert (said.returncode, said.stderr) == (141, "")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"state": "interrupted", "steps": 1}, "Go on with: ops resume {run}; or take it back: ops undo {run}"),
        ({"state": "refused", "steps": 1}, None),
        ({"state": "interrupted", "steps": 0}, None),
        ({"state": "finished", "steps": 1}, None),
        ({"state": "failed", "steps": 0, "run": "{run}-undo-2"}, "Go on with: ops undo {run}"),
        (
            {"state": "finished", "steps": 0, "leads_to": "runbooks/back-up-database"},
            "Next: ops run --environment staging runbooks/back-up-database --plan",
        ),
        (
            {"state": "finished", "steps": 0, "leads_to": "diagnostics/database", "leads_for": "The disk has room"},
            "Next: ops run --environment staging diagnostics/database  (The disk has room)",
        ),
        (
            {
                "state": "finished",
                "steps": 0,
                "leads_to": "disaster/recover-everything",
                "leads_with": "services=api, back=previous",
            },
            "Next: ops run --environment staging disaster/recover-everything -p services=api -p back=previous --plan",
        ),
        ({"state": "finished", "steps": 1, "leads_to": "runbooks/restore-database"}, None),
        ({"state": "interrupted", "steps": 0, "leads_to": "runbooks/back-up-database"}, None),
    ],
)
def test_a_run_that_found_something_or_was_broken_off_says_what_to_type_next(capsys, tmp_path, result, said):
    run = "20261123T130714Z-runbooks-restore-database-b2c3d4"
    given = {
        "run": run,
        "mode": "run",
        "verdict": "UNKNOWN",
        "counts": {},
        "reason": "",
        "notebook": "runbooks/restore-database",
        "environment": "staging",
        "leads_for": "",
        "report": str(tmp_path / "report.html"),
        **{name: value.format(run=run) if isinstance(value, str) else value for name, value in result.items()},
    }
    print_result(given)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert (said.format(run=run) in lines) if said else not any(line.startswith(("Go on", "Next")) for line in lines)
