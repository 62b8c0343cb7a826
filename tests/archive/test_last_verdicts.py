"""What came out last of a cell: its own checks and steps, else its run, and never an older or a planned one."""

import hashlib
import json

import pytest

from opslib.archive import record
from opslib.archive.last_verdicts import Last, last_verdicts, of_items, shown
from opslib.archive.summary import Summary
from opslib.guide.catalogue import Place
from opslib.model import Verdict

NOTEBOOK = "diagnostics/cache"


@pytest.fixture
def ran(tmp_path):
    """Leave a run with these lines in its journal, and return its summary."""

    def ran(run, *lines, mode="run", environment="lab", sealed="sealed", state="finished", verdict="WARNING"):
        folder = tmp_path / "runs" / run
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"run": run, "mode": mode}))
        end = {"event": "closed", "state": state, "verdict": verdict}
        prev, text = record.FIRST, b""
        for number, line in enumerate([*lines, end], 1):
            raw = json.dumps({"seq": number, "prev": prev, **line}).encode()
            prev, text = hashlib.sha256(raw).hexdigest(), text + raw + b"\n"
        (folder / "journal.jsonl").write_bytes(text)
        return Summary(run, sealed, NOTEBOOK, environment, mode, started_at=f"at {run}")

    return ran


def judged(cell, check, verdict):
    return {"event": "result", "cell": cell, "result": {"check": check, "verdict": verdict}}


def stepped(cell, step, event, **more):
    return {"event": event, "cell": cell, "step": step, **more}


@pytest.fixture
def last(tmp_path):
    def last(*runs, cell="memory"):
        return last_verdicts(tmp_path, runs, {(NOTEBOOK, cell)}, "lab").get((NOTEBOOK, cell))

    return last


def test_a_cell_has_the_worst_of_what_its_checks_said_last(ran, last):
    lines = [judged("memory", "a", "CRITICAL"), judged("memory", "a", "OK"), judged("memory", "b", "WARNING")]
    run = ran("one", *lines, judged("hits", "c", "CRITICAL"))
    assert last(run) == Last(Verdict.WARNING, "cell", "one", "at one")
    assert last(run, cell="hits").verdict is Verdict.CRITICAL


def test_a_step_has_the_verdict_of_its_verification_and_without_one_it_is_unknown(ran, last):
    told = {"verification": {"verdict": "OK"}}
    run = ran("one", stepped("swap", "s", "intent"), stepped("swap", "s", "verified", **told), mode="apply")
    assert last(run, cell="swap").verdict is Verdict.OK
    assert last(ran("two", stepped("swap", "s", "intent")), cell="swap").verdict is Verdict.UNKNOWN


def test_a_cell_that_judges_nothing_has_its_runs_verdict_and_one_that_was_not_reached_has_none(ran, last):
    assert last(ran("one", judged("hits", "c", "OK"))) == Last(Verdict.WARNING, "run", "one", "at one")
    broken = ran("two", judged("hits", "c", "OK"), state="failed", verdict="OK")
    assert last(broken) == Last(Verdict.UNKNOWN, "not reached", "two", "at two")
    assert last(broken, cell="hits").verdict is Verdict.OK


def test_an_unreadable_word_is_no_verdict(ran, last):
    assert last(ran("one", judged("memory", "a", "FINE"))).verdict is Verdict.UNKNOWN


def test_the_newest_sealed_run_of_that_environment_counts_plans_and_undos_aside(ran, last):
    good, bad = judged("memory", "a", "OK"), judged("memory", "a", "CRITICAL")
    aside = [
        ran("open", bad, sealed="open"),
        ran("plan", bad, mode="plan"),
        ran("undo", bad, mode="undo"),
        ran("elsewhere", bad, environment="production"),
    ]
    assert last(*aside) is None
    assert last(*aside, ran("new", good), ran("old", bad)) == Last(Verdict.OK, "cell", "new", "at new")


def test_an_item_that_was_never_run_is_shown_as_that(tmp_path):
    (row,) = of_items(tmp_path / "archive", [Place("MON-01", NOTEBOOK, "memory")], "lab")
    assert (row["verdict"], row["run"]) == (None, None)
    assert shown(row) == {"item": "MON-01", "where": f"{NOTEBOOK}#memory", "verdict": "never run", "run": "-"}
    told = shown(row | {"verdict": "OK", "of": "run", "run": "one"})
    assert (told["verdict"], told["run"]) == ("OK (run)", "one")
    assert shown(row | {"verdict": "OK", "of": "cell", "run": "one"})["verdict"] == "OK"
