"""A game day as people have it: nothing of it is green by itself; words by day, the whole exercise by night."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.guide.promises import PROMISES
from opslib.headless import agreement, drill, runner
from opslib.headless.drill_course import look
from opslib.headless.drill_lab import Broken
from opslib.headless.drill_scenarios import chosen
from opslib.model import now
from opslib.probes.backups_drill import FILE, Drill
from opslib.runs import witness
from opslib.runs.words import Word
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.signing import Keys
from tests.waiting import until

SHARES = True
NAME, DAY = "reviews/game-day", "2026-q4"
OF_PEOPLE = (
    "words",
    "people",
    "alerted",
    "acknowledged",
    "opened",
    "recovery",
    "steady",
    "score",
    "compared",
    "actions",
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def say(house, keys):
    """Let people say something on the day; their keys are in the lab's list meanwhile."""
    listed = house.settings.allowed_signers
    kept = listed.read_text()
    listed.write_text(kept + "".join(keys.line(who, 'namespaces="opslib-witness"') for who in ("ann", "ben")))

    def said(who, moment, service, ago=0.0, day=DAY, **more):
        at = now() - timedelta(seconds=ago)
        one = Word("lab", day, f"{who}@valuecanvas", now(), service, moment, at, 5, **more)
        return witness.give(one, house.archive / witness.FOLDER / day, key=keys[who], trust=None, form=witness.DAYS)

    yield said
    listed.write_text(kept)


def of_people(folder):
    said = verdicts(folder)
    return {name: said[f"game-day-{name}"] for name in OF_PEOPLE}


def test_without_a_game_day_nothing_of_it_is_green_and_nothing_is_changed(run, fingerprint):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result["reason"]
    assert set(of_people(folder).values()) == {"UNKNOWN"}
    assert fingerprint() == before


def test_where_nobody_measured_peoples_signed_words_are_the_record_and_are_kept_with_it(house, run, say):
    say("ann", "injected", "llm", 400, says="cut one replica from the provider")
    say("ben", "alerted", "llm", 300)
    say("ben", "acknowledged", "llm", 280)
    say("ben", "opened", "llm", 270, runbook="disaster/recover-llm")
    say("ben", "mitigated", "llm", 60)
    word = say("ann", "observed", "llm", 30, says="the rota was out of date")
    result, folder = run(NAME, f"day={DAY}", "people=ann@valuecanvas,ben@valuecanvas", "service=llm")
    assert result["state"] == "finished", result["reason"]
    said = of_people(folder)
    assert {said[name] for name in ("words", "people", "alerted", "acknowledged", "opened", "compared")} == {"OK"}
    # Users are back in time, as people say; what was lost nobody counted, and nobody wrote down what is to change.
    assert (said["recovery"], said["steady"], said["score"], said["actions"]) == (
        "UNKNOWN",
        "UNKNOWN",
        "WARNING",
        "WARNING",
    )
    kept = folder / "evidence" / "words" / DAY
    assert (kept / word.name).read_bytes() == word.read_bytes()
    page = (folder / "report.html").read_text()
    assert "LLM services: nobody was told for 1 min 40 s" in page
    assert "the rota was out of date" in page
    assert verify(house.archive).ok


@nightly
def test_people_recover_what_a_drill_broke_and_both_are_in_one_report(house, say):
    command = [sys.executable, "-m", "opslib.cli", "drill", "cache", "--day", "2027-q1", "--minutes", "5", "--json"]
    given = {**os.environ, "OPS_ARCHIVE": str(house.archive)}
    tool = subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    turn = "people's turn (2027-q1)"
    until(lambda: any(turn in one.read_text() for one in (house.archive / "runs").glob("*-drill-*/journal.jsonl")), 120)
    say("ben", "alerted", "cache", day="2027-q1")
    say("ben", "acknowledged", "cache", day="2027-q1")
    given = ("window_seconds=1", "least_lookups=1")
    planned = runner.run("runbooks/maintain-cache", given, "lab", house.archive, mode="plan")
    applied = agreement.apply(planned["run"], "lab", house.archive)
    told, _ = tool.communicate(timeout=300)
    result = json.loads(told)
    made = Drill.model_validate_json((house.archive / "runs" / result["drill"] / FILE).read_bytes())
    (one,) = made.exercises
    assert (made.day, one.trouble, one.mended) == ("2027-q1", "", True)
    assert [(run.run, run.what) for run in one.runs] == [(planned["run"], "plan"), (applied["run"], "apply")]
    assert 0 < one.moments.detected < one.moments.acknowledged < one.moments.resolved
    assert one.loss is not None
    folder = Path(result["report"]).parent
    said = of_people(folder)
    assert {said[name] for name in ("words", "alerted", "acknowledged", "opened", "recovery", "steady", "score")} == {
        "OK"
    }
    # One account broke it and answered it: this machine has no other.
    assert said["people"] == "WARNING"
    assert verify(house.archive).ok
    # A drill of the tool is shown by itself, and none of these times is one of its own.
    assert PROMISES["cache"].title in (folder / "report.html").read_text()
    shown = runner.run("disaster/recovery-drill", (), "lab", house.archive)
    assert verdicts(Path(shown["report"]).parent)["drill-record"] == "UNKNOWN"


@nightly
def test_what_nobody_recovers_in_time_is_mended_and_said(house):
    result = drill.drill(("cache",), "lab", house.archive, day="2027-q2", minutes=0.05)
    made = Drill.model_validate_json((house.archive / "runs" / result["drill"] / FILE).read_bytes())
    (one,) = made.exercises
    assert "Nobody had it recovered within 0.05 minutes" in one.trouble
    assert (one.mended, one.runs, one.loss) == (True, (), None)
    assert Broken(house.lab.folder).left() is None
    (cache,) = chosen(("cache",))
    assert {found.verdict.value for found in look(house.settings, "test", cache.steady())} == {"OK"}
    assert of_people(Path(result["report"]).parent)["recovery"] == "CRITICAL"
