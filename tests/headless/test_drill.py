"""What a drill refuses before it breaks anything, what it leaves noted, and how its lines lead to notebooks."""

import json
import os
from dataclasses import replace

import pytest

from opslib.checks import triage
from opslib.errors import Refused, StepFailed, UsageError
from opslib.guide.promises import PROMISES
from opslib.headless import drill, notebooks
from opslib.headless.drill_lab import Broken, Traffic, order
from opslib.headless.drill_loss import stated
from opslib.headless.drill_scenarios import SCENARIOS, chosen
from opslib.lab import broken, traffic


@pytest.mark.parametrize("environment", ["staging", "production", "prod", ""])
def test_nothing_but_the_lab_is_ever_broken(environment, tmp_path):
    with pytest.raises(Refused, match="only the lab is"):
        drill.drill((), environment, tmp_path / "archive")
    assert not (tmp_path / "archive").exists()


def test_a_service_that_the_guide_does_not_know_is_refused_with_those_that_it_does(tmp_path):
    with pytest.raises(UsageError, match="database, application, llm, cache, frontend"):
        drill.drill(("redis",), "lab", tmp_path / "archive")


@pytest.mark.parametrize(
    ("said", "why"), [({"day": "Q4 2026"}, "no name of a game day"), ({"minutes": 0}, "for people")]
)
def test_a_game_day_has_a_name_and_gives_people_time(tmp_path, said, why):
    with pytest.raises(UsageError, match=why):
        drill.drill(("cache",), "lab", tmp_path / "archive", **said)
    assert not (tmp_path / "archive").exists()


def test_every_service_of_the_guides_table_has_a_line_in_the_order_of_its_priorities():
    assert [one.service for one in chosen(())] == list(PROMISES)
    assert [one.service for one in chosen(("frontend", "database"))] == ["database", "frontend"]


@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.service)
def test_a_line_names_a_fault_a_check_that_finds_it_and_traffic_that_there_are(one):
    fault = broken.find(one.fault)
    decisive = {check.name for found in triage.decisive().values() for check in found}
    assert one.detects().name == fault.check
    assert one.detects().name in decisive
    assert one.detects().name in {check.name for check in one.steady()}
    assert one.traffic in traffic.KINDS
    if not one.obstacle():
        notebooks.find(one.notebook).values(one.parameters, "lab")


def test_a_notebook_that_is_not_there_yet_is_an_obstacle_in_words():
    missing = replace(SCENARIOS[0], notebook="disaster/recover-the-moon")
    assert missing.obstacle() == "The notebook disaster/recover-the-moon is not there yet."
    assert SCENARIOS[0].obstacle() == ""


def test_what_is_broken_is_noted_until_it_is_mended_and_one_drill_holds_the_lab(tmp_path):
    one, other = Broken(tmp_path), Broken(tmp_path)
    with one.held():
        assert one.left() is None
        one.note("20261129T110000Z-drill-a1b2c3", "cache-full")
        assert other.left() == {"drill": "20261129T110000Z-drill-a1b2c3", "fault": "cache-full"}
        with pytest.raises(Refused, match="under way"), other.held():
            pass
        one.forget()
        one.forget()
    with other.held():
        assert other.left() is None
    (tmp_path / "drill" / "open.json").write_text("{")
    with pytest.raises(Refused, match="cannot be read"):
        one.left()


def test_a_command_of_the_lab_that_fails_says_why(tmp_path, empty):
    with pytest.raises(StepFailed, match=r"ops lab break earthquake failed: .*There is no fault"):
        order("break", "earthquake")


def test_traffic_that_cannot_begin_is_no_steady_service_and_nobody_knows_what_was_lost(tmp_path, empty):
    made = Traffic("rows", tmp_path / "tries.jsonl")
    try:
        with pytest.raises(StepFailed, match=r"The traffic ended by itself: .*lab is not running"):
            made.steady(60)
    finally:
        said = made.end()
    assert (said.there, "The lab is not running" in said.uncounted) == (frozenset(), True)


@pytest.fixture
def empty(tmp_path):
    """A lab that is not there."""
    kept = os.environ.get("OPS_LAB")
    os.environ["OPS_LAB"] = str(tmp_path / "lab")
    yield
    os.environ.pop("OPS_LAB") if kept is None else os.environ.update({"OPS_LAB": kept})


def journalled(folder, **row):
    reading = {"probe": "recovery", "taken_at": "2026-11-29T11:00:30Z", "rows": [row]}
    lines = [
        {"event": "reading", "reading": {**reading, "rows": [{"age": 1}]}},
        {"event": "reading", "reading": reading},
    ]
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_what_a_plan_states_is_read_from_its_last_reading_as_seconds_or_as_a_moment(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    where = ("recovery", "age")
    assert stated(journalled(tmp_path, age=12), where) == 12.0
    assert stated(journalled(tmp_path, age="2026-11-29T11:00:00Z"), where) == 30.0
    assert stated(journalled(tmp_path, age=None), where) is None
    assert stated(journalled(tmp_path), where) is None
    assert stated(tmp_path, ("another", "age")) is None
