"""Whole runs of small notebooks on the lab, each through papermill, a kernel, the executor and the seal."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from opslib.archive.verify import verify
from opslib.errors import UsageError
from opslib.headless import kernel_warm, runner
from opslib.redaction import Redactor
from tests import typed
from tests.scale import nightly
from tests.waiting import living, until

pytestmark = pytest.mark.usefixtures("warm")

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = 'environment: str = "lab"  # target: lab, staging or production\nwords: int = 1  # how many [1 to 1000]'
BEGIN = "from opslib import begin, checks\nrun = begin(environment)"
CHECK = """
from opslib.model import Check, Judgement, Probe, Verdict
check = Check("cache.words", "Words", Probe("cache.words", "Words", lambda t: [{"n": words}]),
              lambda r: Judgement(Verdict.OK if r.row["n"] == 1 else Verdict.CRITICAL, "counted"), "Count again.")
"""


@pytest.fixture
def shelf(tmp_path, monkeypatch, lab):
    """A notebooks folder and an archive of the test's own, on the session's lab."""
    monkeypatch.setenv("OPS_NOTEBOOKS", str(tmp_path / "notebooks"))
    monkeypatch.setenv("OPS_ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    # What a run leaves behind would lie here.
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def write(shelf, *sources, finish="run.finish()"):
    cells = [new_markdown_cell("# Try things\n\nWhen bored.", id="what-this-is")]
    cells.append(new_code_cell(PARAMETERS, id="parameters", metadata={"tags": ["parameters"]}))
    cells.append(new_code_cell(BEGIN, id="begin"))
    cells += [new_code_cell(source, id=f"act-{number}") for number, source in enumerate(sources, 1)]
    cells += [new_code_cell(finish, id="finish")]
    book = new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    path = shelf / "notebooks" / "runbooks" / "try-things.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)


def run(shelf, *given):
    result = runner.run("runbooks/try-things", given, "lab", shelf / "archive")
    return result, Path(result["report"]).parent


def journal(folder):
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def test_a_run_leaves_a_whole_sealed_folder_and_a_verified_archive(shelf):
    write(shelf, CHECK + "run.check(check)")
    result, folder = run(shelf)
    assert (result["verdict"], result["exit_code"], result["state"]) == ("OK", 0, "finished")
    names = {
        "run.json",
        "result.json",
        "plan.json",
        "journal.jsonl",
        "notebook.ipynb",
        "report.html",
        "MANIFEST.sha256",
    }
    assert names <= {path.name for path in folder.iterdir()}
    assert verify(shelf / "archive").ok
    assert (shelf / "archive" / "index.html").exists()


def test_parameters_reach_the_notebook_and_decide_the_verdict(shelf):
    write(shelf, CHECK + "run.check(check)")
    result, folder = run(shelf, "words=2")
    assert (result["verdict"], result["exit_code"]) == ("CRITICAL", 2)
    assert json.loads((folder / "run.json").read_text())["parameters"] == {"environment": "lab", "words": 2}


def test_executed_notebook_and_journal_point_at_each_other_by_cell_id(shelf):
    write(shelf, CHECK + "run.check(check)", 'run.note("seen")')
    _, folder = run(shelf)
    cells = {c["id"]: c for c in json.loads((folder / "notebook.ipynb").read_text())["cells"]}
    lines = {line["seq"]: line for line in journal(folder)}
    assert [lines[seq]["event"] for seq in cells["act-1"]["metadata"]["opslib"]["journal"]] == [
        "cell-started",
        "result",
        "cell-finished",
    ]
    for cell in ("begin", "act-1", "act-2", "finish", "injected-parameters"):
        assert {lines[seq]["cell"] for seq in cells[cell]["metadata"]["opslib"]["journal"]} == {cell}


@pytest.mark.parametrize("given", ["words=two", "wrods=1", "words"])
def test_a_bad_parameter_starts_nothing(shelf, given):
    write(shelf, "1")
    with pytest.raises(UsageError):
        run(shelf, given)
    assert not (shelf / "archive").exists()


def test_a_cell_that_fails_ends_the_run_as_failed_and_sealed(shelf):
    write(shelf, "1 / 0", CHECK + "run.check(check)")
    result, folder = run(shelf)
    assert (result["state"], result["exit_code"], result["verdict"]) == ("failed", 5, "UNKNOWN")
    assert "ZeroDivisionError in cell act-1" in result["reason"]
    assert "act-2" not in {line["cell"] for line in journal(folder)}
    assert verify(shelf / "archive").ok


def test_a_requirement_that_does_not_hold_refuses_the_run(shelf):
    write(shelf, CHECK + "run.require(check)")
    result, _ = run(shelf, "words=2")
    assert (result["state"], result["exit_code"], result["verdict"]) == ("refused", 4, "CRITICAL")


def test_a_run_in_which_nothing_was_checked_is_unknown(shelf):
    write(shelf, "1")
    result, _ = run(shelf)
    assert (result["state"], result["verdict"], result["exit_code"]) == ("finished", "UNKNOWN", 3)


def test_a_notebook_that_never_finishes_is_no_success(shelf):
    write(shelf, CHECK + "run.check(check)", finish="1")
    result, _ = run(shelf)
    assert (result["state"], result["exit_code"]) == ("failed", 5)
    assert "without run.finish()" in result["reason"]


def test_a_killed_kernel_ends_the_run_in_a_stated_state(shelf):
    write(shelf, CHECK + "run.check(check)", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    result, folder = run(shelf)
    assert (result["state"], result["exit_code"]) == ("failed", 5)
    finished = [line["cell"] for line in journal(folder) if line["event"] == "cell-finished" and line["status"] == "ok"]
    assert "act-2" not in finished
    assert verify(shelf / "archive").ok


def test_the_kernel_holds_no_credential_that_can_write(shelf, lab):
    seen = shelf / "seen"
    write(shelf, f"import os\nopen({str(seen)!r}, 'w').write(repr(os.environ) + open('/proc/self/environ').read())")
    run(shelf)
    text = seen.read_bytes()
    settings = lab.settings
    for secret in (settings.database_url, settings.cache_url, settings.aws_secret_access_key):
        assert Redactor([secret]).leaks(text) == 0
    # The environment that a kernel was started with shows what it may have; one that was forked never had any.
    assert (Redactor([settings.read_database_url]).leaks(text) > 0) == (kernel_warm.kept() is None)


def test_what_a_cell_starts_inherits_no_credential_and_a_second_begin_still_finds_them(shelf, lab):
    seen = shelf / "seen"
    write(
        shelf,
        f"import subprocess\nopen({str(seen)!r}, 'wb').write(subprocess.run(['env'], capture_output=True).stdout)",
        "run = begin(environment)",
        "run.check(checks.cache.reachable)",
    )
    result, _ = run(shelf)
    assert (result["state"], result["verdict"]) == ("finished", "OK")
    assert b"OPS_RUN_SOCKET" in seen.read_bytes()
    assert Redactor(lab.settings.secrets()).leaks(seen.read_bytes()) == 0


def test_no_byte_of_the_run_holds_a_secret_that_the_notebook_printed(shelf, lab):
    write(
        shelf,
        "import os, sys\nsecret = run.target.settings.read_database_url.reveal()",
        "print(secret[:20], end='', flush=True)\nprint(secret[20:])",
        "print(secret, file=sys.stderr)",
        "{'a': secret, 'b': [secret.encode()]}",
        "run.note(secret)",
        "raise ValueError(secret)",
    )
    _, folder = run(shelf)
    redactor = Redactor(lab.settings.secrets())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert [path.name for path in files if redactor.leaks(path.read_bytes())] == []
    assert "«redacted»" in (folder / "notebook.ipynb").read_text()


def ops(shelf, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "opslib.cli", *arguments],
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def running_journal(shelf):
    for path in (shelf / "archive" / "runs").glob("*/journal.jsonl"):
        if '"cell":"act-1"' in path.read_text():
            return path
    return None


def test_sigterm_ends_the_run_in_a_stated_state_and_seals_it(shelf):
    write(shelf, "import time\ntime.sleep(60)")
    process = ops(shelf, "run", "runbooks/try-things", "--json")
    folder = until(lambda: running_journal(shelf)).parent
    process.terminate()
    said, _ = process.communicate(timeout=30)
    assert json.loads(said)["state"] == "interrupted"
    assert process.returncode == 5
    assert journal(folder)[-1]["event"] == "closed"
    found = verify(shelf / "archive")
    assert found.ok, found.findings


def test_a_killed_runner_leaves_an_open_entry_that_the_next_start_closes_as_interrupted(shelf):
    write(shelf, "import time\ntime.sleep(60)")
    process = ops(shelf, "run", "runbooks/try-things")
    folder = until(lambda: running_journal(shelf)).parent
    kernels = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert not (folder / "MANIFEST.sha256").exists()
    until(lambda: not any(living(k) for k in kernels))
    write(shelf, CHECK + "run.check(check)")
    run(shelf)
    assert json.loads((folder / "result.json").read_text())["state"] == "interrupted"
    assert (folder / "MANIFEST.sha256").exists()
    assert verify(shelf / "archive").ok


def test_the_command_line_prints_one_object_and_exits_with_the_verdict(shelf):
    write(shelf, CHECK + "run.check(check)")
    process = ops(shelf, "run", "runbooks/try-things", "-p", "words=2", "--json")
    said, progress = process.communicate(timeout=60)
    assert process.returncode == 2
    assert json.loads(said)["verdict"] == "CRITICAL"
    assert "runbooks/try-things on lab" in progress


@pytest.mark.parametrize("arguments", [["run", "runbooks/try-things", "-p", "x=1"], ["run"], ["walk"], ["run", "nope"]])
def test_wrong_usage_exits_with_64_and_starts_nothing(shelf, arguments):
    write(shelf, "1")
    assert typed.ops(*arguments, environment=os.environ).returncode == 64
    assert not (shelf / "archive").exists()


def test_a_process_of_wrong_usage_exits_with_64(shelf):
    write(shelf, "1")
    process = ops(shelf, "run", "runbooks/try-things", "-p", "x=1")
    process.communicate(timeout=30)
    assert process.returncode == 64
    assert not (shelf / "archive").exists()


@nightly
def test_a_signal_that_comes_again_and_again_still_seals_the_run_and_leaves_nothing_behind(shelf):
    write(shelf, "import time\ntime.sleep(60)")
    process = ops(shelf, "run", "runbooks/try-things", "--json")
    folder = until(lambda: running_journal(shelf)).parent
    kernels = psutil.Process(process.pid).children(recursive=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    while not (folder / "MANIFEST.sha256").exists() and process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 5
    assert json.loads(said)["state"] == "interrupted"
    assert (folder / "MANIFEST.sha256").exists()
    assert not list((shelf / "tmp").iterdir())
    until(lambda: not any(living(k) for k in kernels))


def test_a_signal_before_the_first_cell_ends_the_run_in_a_stated_state_too(shelf):
    write(shelf, "import time\ntime.sleep(60)")
    process = ops(shelf, "run", "runbooks/try-things", "--json")
    until(lambda: list((shelf / "archive").glob("log/*.entry")))
    process.terminate()
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, json.loads(said)["state"]) == (5, "interrupted")
    assert not verify(shelf / "archive").open
    assert not list((shelf / "tmp").iterdir())


@nightly
def test_runs_that_go_on_at_the_same_time_in_one_folder_do_not_meet(shelf):
    write(shelf, CHECK + "run.check(check)")
    processes = [ops(shelf, "run", "runbooks/try-things", "--json") for _ in range(3)]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert verify(shelf / "archive").ok
    assert not list(ROOT.glob("kernel-ipc*"))


@nightly
def test_what_a_kernel_writes_past_its_messages_reaches_nobody(shelf, lab):
    past = "import atexit, os, sys\nsecret = run.target.settings.read_database_url.reveal()\n"
    write(
        shelf,
        past + "atexit.register(lambda: (os.write(1, secret.encode()), os.write(2, secret.encode())))",
        "print(secret, file=sys.__stderr__, flush=True)",
        "get_ipython().log.error(secret)",
    )
    process = ops(shelf, "run", "runbooks/try-things", "--json")
    said, progress = process.communicate(timeout=60)
    assert json.loads(said)["state"] == "finished"
    assert Redactor(lab.settings.secrets()).leaks((said + progress).encode()) == 0


def test_processes_that_a_killed_kernel_had_started_end_with_the_run(shelf):
    started = shelf / "started"
    write(
        shelf,
        f"import os, pathlib, subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(started)!r}).write_text(str(child.pid))\nos.kill(os.getpid(), 9)",
    )
    run(shelf)
    child = int(started.read_text())
    until(lambda: not living(child))


def test_a_notebook_that_leaves_early_after_its_finish_is_no_success(shelf):
    write(shelf, CHECK + "run.check(check)", "run.finish()", "import sys\nsys.exit(0)")
    result, _ = run(shelf)
    assert (result["state"], result["exit_code"]) == ("failed", 5)
    assert "act-3" in result["reason"]


def test_a_step_that_was_not_done_decides_the_end_although_the_notebook_swallows_it(shelf):
    step = "from opslib.actions.backups import ProveBackup\ntry:\n    run.step(ProveBackup(backup='none-such'))\n"
    write(shelf, CHECK + "run.check(check)", step + "except Exception:\n    pass")
    result, _ = run(shelf)
    assert (result["state"], result["exit_code"], result["verdict"]) == ("refused", 4, "UNKNOWN")


def test_checks_that_were_made_are_counted_although_the_run_failed(shelf):
    write(shelf, CHECK + "run.check(check)", "1 / 0")
    result, _ = run(shelf)
    assert result["counts"]["OK"] == 1


@pytest.mark.parametrize("raised", ["UsageError", "SettingsError"])
def test_a_cell_cannot_end_a_run_as_one_that_was_never_started(shelf, raised):
    write(shelf, f"from opslib import errors\nraise errors.{raised}('wrong')")
    assert run(shelf)[0]["exit_code"] == 5


def test_a_secret_in_the_notebook_or_in_a_parameter_starts_nothing(shelf, lab):
    write(shelf, repr(lab.settings.database_url.reveal()))
    with pytest.raises(UsageError, match="secret of the target stands in the notebook") as raised:
        run(shelf)
    assert Redactor(lab.settings.secrets()).leaks(str(raised.value).encode()) == 0
    assert not (shelf / "archive").exists()


def test_a_disk_that_fills_up_is_told_and_leaves_no_temporary_folder(shelf):
    write(shelf, CHECK + "run.check(check)", "for i in range(40): run.note('x' * 1000)")
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from opslib.cli import main; main(['run', 'runbooks/try-things', '--json'])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 5
    assert "could not be written" in json.loads(process.stdout)["error"]
    assert not list((shelf / "tmp").iterdir())
    write(shelf, CHECK + "run.check(check)")
    run(shelf)
    assert not verify(shelf / "archive").open
