"""A survey as a notebook asks for it: many checks at once, each journalled, worst first, nobody waited for for ever."""

import json
import threading
from dataclasses import replace

import pytest

from opslib.checks import triage
from opslib.errors import Unreachable, UsageError
from opslib.headless import notebooks
from opslib.headless.notebooks_parameters import given
from opslib.model import Check, Judgement, Probe, Verdict
from opslib.runs import display, journal, reading, survey
from opslib.runs.channel import Client, Server
from opslib.runs.run import Run
from opslib.systems.target import ReadTarget
from tests.descriptions import description

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL
NEVER = threading.Event()


def check(name, verdict=OK, read=lambda target: [{"number": 1}], remedy="Open runbooks/maintain-cache."):
    return Check(name, f"{name} is well", Probe(name, name, read), lambda taken: Judgement(verdict, f"{name}!"), remedy)


def away(target):
    raise Unreachable("It is away.", "Look.")


def broken(target):
    raise KeyError("used")


@pytest.fixture(autouse=True)
def free():
    NEVER.clear()
    yield
    NEVER.set()


@pytest.fixture
def begin(executor, tmp_path):
    """Make a run of a notebook over a real line."""
    made = []

    def start(**more):
        one = executor(**more)
        server = Server(tmp_path / "line", one)
        line = Client(str(tmp_path / "line"))
        made.extend((line, server))
        return one, Run(line, ReadTarget(description("lab").reading(), "r"), line.ask("hello"))

    yield start
    for one in made:
        one.close()


def names(found):
    return [row["check"].split()[0] for row in found.rows]


def test_all_checks_are_journalled_counted_and_shown_worst_first(begin, tmp_path):
    one, run = begin()
    areas = {
        "database": (check("fine"), check("ill", CRITICAL)),
        "cache": (check("worry", WARNING), check("gone", read=away)),
    }
    found = run.survey(areas, 20)
    assert (found.verdict, one.findings.verdict) == (CRITICAL, CRITICAL)
    assert names(found) == ["ill", "gone", "worry", "fine"]
    assert found.first.check == "ill"
    assert found.summary.startswith("4 checks of 2 areas in ")
    assert found.summary.endswith("1 CRITICAL, 1 UNKNOWN, 1 WARNING, 1 OK. First: ill!")
    assert {row["next"] for row in found.rows if row["verdict"] != "OK"} == {"runbooks/maintain-cache"}
    lines = [line for line in journal.read(tmp_path / "journal.jsonl") if line.event == "result"]
    # In the same order: what a report tells first is the first.
    assert [(line.said["result"]["check"], line.said["result"]["verdict"]) for line in lines] == [
        (name, verdict.value) for name, verdict in found.verdicts.items()
    ]


def test_areas_are_looked_at_at_the_same_time(begin):
    _, run = begin()
    met = threading.Barrier(3)

    def meet(target):
        met.wait(timeout=20)
        return [{"number": 1}]

    found = run.survey({name: (check(name, read=meet),) for name in ("a", "b", "c")}, 30)
    assert found.verdicts == {"a": OK, "b": OK, "c": OK}


def by_executor(name, read):
    probe = Probe(name, name, read, by_executor=True)
    return replace(check(name), probe=probe)


def test_what_the_executor_takes_overlaps_and_is_recorded_in_the_order_of_the_areas(begin, tmp_path):
    order = ("first", "second", "third")
    met, after = threading.Barrier(len(order)), {name: threading.Event() for name in order}

    def meet(name, waits_for=None):
        def read(target):
            met.wait(timeout=20)  # all of them are under way
            assert waits_for is None or after[waits_for].wait(timeout=20)
            after[name].set()
            return [{"number": 1}]

        return by_executor(name, read)

    # The last to answer is the first that was asked for.
    checks = {"first": meet("first", "second"), "second": meet("second", "third"), "third": meet("third")}
    _, run = begin(work={"probes": {one.probe.name: one.probe for one in checks.values()}})
    found = run.survey({name: (one,) for name, one in checks.items()}, 60)
    assert found.verdicts == dict.fromkeys(order, OK)
    lines = [line for line in journal.read(tmp_path / "journal.jsonl") if line.event == "reading"]
    assert [line.said["reading"]["probe"] for line in lines] == list(order)


def test_what_the_executor_cannot_take_is_unknown_and_holds_up_no_other(begin, tmp_path):
    checks = [
        by_executor("defect", broken),
        by_executor("away", away),
        by_executor("stuck", lambda target: [{"number": NEVER.wait(60)}]),
        by_executor("fine", lambda target: [{"number": 1}]),
        by_executor("not listed", lambda target: []),
    ]
    _, run = begin(work={"probes": {one.probe.name: one.probe for one in checks[:-1]}})
    found = run.survey({one.name: (one,) for one in checks}, 3)
    assert found.verdicts == dict.fromkeys(("defect", "away", "stuck", "not listed"), UNKNOWN) | {"fine": OK}
    said = {name: result.summary for name, result in found.results.items()}
    assert "KeyError: 'used'" in said["defect"]
    assert "It is away." in said["away"]
    assert "no answer within the survey's 3 s" in said["stuck"]
    assert "takes no reading 'not listed'" in said["not listed"]
    lines = [line for line in journal.read(tmp_path / "journal.jsonl") if line.event == "reading"]
    assert [line.said["reading"]["probe"] for line in lines] == ["away", "fine"]


def test_what_does_not_answer_in_time_is_unknown_and_holds_up_nobody(begin):
    _, run = begin()
    areas = {
        "slow": (check("stuck", read=lambda target: [{"number": NEVER.wait(60)}]), check("behind")),
        "quick": (check("quick"),),
    }
    found = run.survey(areas, 0.5)
    assert found.verdicts == {"stuck": UNKNOWN, "behind": UNKNOWN, "quick": OK}
    assert "no answer within the survey's 0.5 s; run diagnostics/slow" in found.results["behind"].summary


def test_a_probes_defect_is_that_checks_unknown_and_not_the_others(begin):
    _, run = begin()
    found = run.survey({"cache": (check("defect", read=broken), check("fine"))}, 20)
    assert found.verdicts == {"defect": UNKNOWN, "fine": OK}
    assert "KeyError: 'used'" in found.results["defect"].summary


def test_a_check_that_stands_in_two_areas_is_made_once(begin):
    _, run = begin()
    looks = []
    same = check("same", read=lambda target: [{"number": looks.append(1) or 1}])
    found = run.survey({"cache": (same,), "agents": (same,)}, 20)
    assert (len(looks), [row["area"] for row in found.rows]) == (1, ["cache"])


def test_without_a_check_it_is_unknown(begin):
    _, run = begin()
    found = run.survey({"cache": ()}, 5)
    assert (found.verdict, found.rows, found.first) == (UNKNOWN, (), None)
    assert "no check is made here" in found.summary


@pytest.mark.parametrize("seconds", [0, -1, 601])
def test_a_time_that_is_not_possible_is_refused(begin, seconds):
    _, run = begin()
    with pytest.raises(UsageError, match="not possible"):
        run.survey({}, seconds)


def test_what_was_well_before_comes_before_what_never_was_but_not_before_critical():
    def made(name, verdict):
        taken = reading.take(check(name).probe, ReadTarget(description("lab").reading(), "r"))
        return name, reading.judge(check(name, verdict), taken)

    found = [made("old", UNKNOWN), made("new", WARNING), made("old-ill", CRITICAL), made("new-ill", CRITICAL)]
    good = {"new": {"taken_at": "2026-11-28T10:00:00Z"}, "new-ill": {"taken_at": "2026-11-27T10:00:00Z"}}
    ordered = [area for area, _ in survey.ranked(found, good)]
    assert ordered == ["new-ill", "old-ill", "new", "old"]
    rows = survey.survey_of("Survey", found, good, 1.0).rows
    assert [row["last_good"] for row in rows] == ["2026-11-27 10:00", None, "2026-11-28 10:00", None]


def found(**verdicts):
    """Return results by these verdicts, in this order, each in an area of its own name."""
    target = ReadTarget(description("lab").reading(), "r")
    made = {name: check(name, verdict) for name, verdict in verdicts.items()}
    return [(name, reading.judge(one, reading.take(one.probe, target))) for name, one in made.items()]


CAUSES = {"effect": {"cause": "it does so", "other": "it may"}, "cause": {"effect": "a circle"}}


@pytest.mark.parametrize(
    ("verdicts", "good", "order"),
    [
        # What explains a finding stands right before it, though it comes later in the order of the areas,
        ({"effect": CRITICAL, "more": CRITICAL, "cause": CRITICAL}, (), ["cause", "effect", "more"]),
        # and is as new as what it explains.
        ({"new": WARNING, "effect": WARNING, "cause": WARNING}, ("new", "effect"), ["new", "cause", "effect"]),
        ({"effect": WARNING, "other": WARNING, "cause": CRITICAL}, (), ["cause", "other", "effect"]),
        # A WARNING explains no CRITICAL away, and what nobody could see, or is well, explains nothing.
        ({"effect": CRITICAL, "cause": WARNING}, (), ["effect", "cause"]),
        ({"effect": WARNING, "cause": UNKNOWN}, ("effect",), ["effect", "cause"]),
        ({"effect": CRITICAL, "cause": OK}, (), ["effect", "cause"]),
        ({"effect": UNKNOWN, "cause": WARNING}, (), ["effect", "cause"]),
        ({"effect": CRITICAL}, (), ["effect"]),
    ],
)
def test_a_finding_that_another_one_explains_stands_behind_it(verdicts, good, order):
    known = {name: {"taken_at": "2026-11-28T10:00:00Z"} for name in good}
    said = survey.survey_of("Survey", found(**verdicts), known, 1.0, CAUSES)
    assert [row["area"] for row in said.rows] == order
    assert said.first.check == order[0]


def test_a_row_says_what_explains_it_and_why():
    rows = survey.survey_of("Survey", found(effect=CRITICAL, cause=CRITICAL, well=OK), {}, 1.0, CAUSES).rows
    said = {row["area"]: row["explained_by"] for row in rows}
    assert said == {"effect": "cause is well: it does so", "cause": "effect is well: a circle", "well": ""}


def test_it_is_shown_with_its_first_finding_whole_and_no_result_twice(begin):
    _, run = begin()
    hostile = check("<script>alert(1)</script>", CRITICAL)
    bundle = display.bundle(run.survey({"cache": (hostile, check("fine"))}, 20))
    said = bundle[display.MIME]
    assert said["kind"] == "survey"
    assert said["value"]["results"] == {}
    page = bundle["text/html"]
    assert "<script>" not in page
    assert "Do next" in page
    assert page.count("runbooks/maintain-cache") == 2
    assert bundle["text/plain"].startswith("[CRITICAL] Survey: 2 checks of 1 areas")


def earlier(runs, name, *lines, environment="lab"):
    folder = runs / name
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"environment": environment}))
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def at(day, hour):
    return f"2026-11-{day}T{hour:02}:00:00Z"


def result(check, verdict, at):
    said = {"check": check, "verdict": verdict, "summary": "s", "value": 1, "reading": {"taken_at": at}}
    return {"event": "result", "time": at, "result": said}


def intent(action, at):
    return {"event": "intent", "time": at, "action": action}


@pytest.fixture
def runs(tmp_path, begin):
    """The folder of runs, with this run's own folder in it."""
    folder = tmp_path / "runs"
    own = folder / "20261129T120000Z-diagnostics-triage-aaaaaa"
    own.mkdir(parents=True)
    return folder, begin(work={"folder": own})[1]


def test_it_knows_when_a_check_was_last_well_and_what_was_changed_since(runs):
    folder, run = runs
    earlier(folder, "20261126T1", result("fine", "OK", at(26, 10)), intent("too-old", at(26, 9)))
    earlier(folder, "20261127T1", intent("migrate", at(27, 10)), result("ill", "OK", at(27, 11)))
    earlier(folder, "20261128T1", intent("deploy", at(28, 10)), result("ill", "WARNING", at(28, 11)))
    earlier(folder, "20261128T2", result("ill", "OK", at(28, 12)), environment="staging")
    (folder / "20261128T3").mkdir()
    earlier(folder, "20261128T4")
    (folder / "20261128T4" / "journal.jsonl").write_text("no json\n")
    found = run.survey({"cache": (check("ill", WARNING), check("fine"), check("never"))}, 20)
    assert {row["check"].split()[0]: row["last_good"] for row in found.rows} == {
        "ill": "2026-11-27 11:00",
        "fine": "2026-11-26 10:00",
        "never": None,
    }
    taken = run.changes(found)
    assert [row["action"] for row in taken.rows] == ["deploy", "migrate"]
    assert taken.unknown is None


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        ("disaster/recover-everything with services=api, back=previous brings it back.", "services=api, back=previous"),
        ("Out: disaster/recover-everything with services=redis.", "services=redis"),
        ("disaster/recover-everything with services=worker: from 0 to its least", "services=worker"),
        ("disaster/recover-everything with services=api or worker", ""),
        ("disaster/recover-everything with services=api, back=previous or as-it-is", ""),
        ("Open runbooks/maintain-cache, then disaster/recover-everything with services=redis.", ""),
        ("disaster/recover-everything with services=api;rm", "services=api"),
        ("disaster/recover-everything with services=$(id)", ""),
        ("Nothing with services=api.", ""),
    ],
)
def test_what_a_remedy_gives_its_notebook_is_told_word_by_word_and_a_choice_is_left_to_people(remedy, said):
    assert survey.parameters_of(remedy) == said


def test_parameters_that_remedies_give_are_those_of_the_notebooks_that_they_name():
    for checks in triage.decisive().values():
        for one in checks:
            name, said = survey.notebook_of(one.remedy), survey.parameters_of(one.remedy)
            if said:
                assert given(notebooks.find(name).parameters, said.split(", "))[1] == [], one.name


def timing(name, read):
    made = check(name)
    return replace(made, probe=replace(made.probe, read=read, timing=True))


def test_what_times_answers_is_read_before_anything_else_begins(begin):
    _, run = begin()
    begun, seen = [], []

    def other(target):
        begun.append(target)
        return [{"number": 1}]

    def times(target):
        seen.append((list(begun), NEVER.wait(0.2)))
        return [{"number": 1}]

    areas = {"cache": [check("memory", read=other), timing("pings", times)], "database": [timing("trips", times)]}
    found = run.survey(areas)
    assert found.verdicts == {"memory": OK, "pings": OK, "trips": OK}
    assert [before for before, _ in seen] == [[], []]


def test_what_times_answers_and_gets_none_holds_the_others_up_for_a_while_only(begin):
    _, run = begin()
    areas = {"cache": [timing("pings", lambda target: NEVER.wait(30) or [])], "database": [check("size")]}
    found = run.survey(areas, seconds=6)
    assert found.verdicts == {"pings": UNKNOWN, "size": OK}
