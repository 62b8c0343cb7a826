"""Readings that the executor takes for a notebook: by name, journalled, without secrets, with handles that look."""

import pytest

from opslib.errors import Refused, Unreachable, UsageError
from opslib.model import Check, Judgement, Probe, Verdict
from opslib.probes import ASKED
from opslib.runs import journal
from opslib.runs.channel import Client, Server
from opslib.runs.run import Run
from opslib.settings_vendors import VendorTokens
from opslib.systems.target import PlanTarget, ReadTarget, WriteTarget
from tests.descriptions import description

GIVEN = []


def look(target):
    GIVEN.append(type(target))
    return [{"word": "red"}, {"word": "hunter2-hunter2"}]


def fail(target):
    raise Unreachable("The vendor does not answer.", "Look.", "slow")


WORD = Probe("word", "The word on the wall", look, "GET /wall", by_executor=True)
DARK = Probe("dark", "The word in the dark", fail, by_executor=True)
PROBES = {probe.name: probe for probe in (WORD, DARK)}
CHECK = Check(
    name="word-is-red",
    title="The word is red",
    probe=WORD,
    judge=lambda reading: Judgement(
        Verdict.OK if reading.rows[0]["word"] == "red" else Verdict.CRITICAL, "looked", None, reading.rows
    ),
    remedy="Paint it.",
)


@pytest.fixture
def run(executor, tmp_path):
    GIVEN.clear()
    one = executor(work={"probes": PROBES})
    server = Server(tmp_path / "line", one)
    line = Client(str(tmp_path / "line"))
    yield Run(line, ReadTarget(description("lab").reading(), "r"), line.ask("hello"))
    line.close()
    server.close()


def lines(tmp_path):
    return [(line.event, line.said) for line in journal.read(tmp_path / "journal.jsonl")]


def test_the_executor_takes_it_with_handles_that_only_look_and_journals_it(run, tmp_path):
    taken = run.read(WORD)
    assert [PlanTarget] == GIVEN
    assert (taken.probe, taken.title, taken.source, taken.environment) == ("word", WORD.title, "GET /wall", "lab")
    assert taken.rows[0] == {"word": "red"}
    (said,) = [said["reading"] for event, said in lines(tmp_path) if event == "reading"]
    assert said["rows"] == list(taken.rows)


def test_a_known_secret_in_it_reaches_neither_notebook_nor_journal(executor, tmp_path):
    one = executor(work={"probes": PROBES}, DATABASE_URL="postgresql://owner:hunter2-hunter2@127.0.0.1:1/valuecanvas")
    taken = one.answer({"verb": "take", "probe": "word"}, lambda said: None)
    assert "hunter2" not in str(taken)
    assert "hunter2" not in (tmp_path / "journal.jsonl").read_text()


def test_a_check_of_it_is_judged_like_any_other(run, tmp_path):
    result = run.check(CHECK)
    assert (result.verdict, result.reading.rows[0]) == (Verdict.OK, {"word": "red"})
    assert [event for event, _ in lines(tmp_path)] == ["opened", "reading", "result"]


def test_what_could_not_be_looked_at_is_said_and_is_unknown(run):
    assert "does not answer" in (run.read(DARK).unknown or "")
    with pytest.raises(Refused, match="UNKNOWN"):
        run.require(Check("dark", "Dark", DARK, lambda reading: Judgement(Verdict.OK, "never"), "Light."))


@pytest.mark.parametrize("name", ["paint", "", "word ", "__class__"])
def test_no_other_name_is_taken(executor, name):
    with pytest.raises(UsageError, match="It takes: dark, word"):
        executor(work={"probes": PROBES}).answer({"verb": "take", "probe": name}, lambda said: None)


def test_where_there_is_none_to_take_that_is_said(executor):
    with pytest.raises(UsageError, match="It takes: none"):
        executor(work={"probes": {}}).answer({"verb": "take", "probe": "word"}, lambda said: None)


def test_what_it_takes_by_default_is_the_closed_list(executor):
    assert executor().work.probes is ASKED
    assert all(probe.by_executor for probe in ASKED.values())


def test_no_credential_that_can_write_is_given_to_a_notebook():
    settings = description("lab").model_copy(update=dict.fromkeys(VendorTokens.model_fields, "x"))
    names = {str(field.alias) for field in VendorTokens.model_fields.values()}
    assert names.isdisjoint(settings.variables())


def test_what_plans_has_no_handle_of_those_that_apply():
    assert not hasattr(PlanTarget, "workflow_starter")
    assert hasattr(WriteTarget, "workflow_starter")
