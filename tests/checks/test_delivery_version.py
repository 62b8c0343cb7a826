"""One commit: what the pipeline said of it, and who reviewed it, as GitHub tells."""

import pytest

from opslib.checks import delivery as checks
from opslib.lab.doors import change, remembered
from opslib.lab.vendors.github import FILE, MAIN
from opslib.lab.vendors.github_reviews import pull, review
from opslib.runs import reading
from opslib.systems.target import ReadTarget
from tests import specs
from tests.vendors import Doors

OTHER = "1" * 40


@pytest.fixture
def target(lab):
    handle = ReadTarget(lab.settings, "test")
    with Doors(lab.settings).restored():
        yield handle
    handle.close()


def judged(check, target):
    return reading.judge(check, reading.take(check.probe, target))


def runs(target, *said):
    """Let these runs be of the newest commit, the newest last."""
    known = remembered(target.settings, "github")["runs"]
    made = [{**known[-1], "id": known[-1]["id"] + 1 + number, **one} for number, one in enumerate(said)]
    change(target.settings, "github", runs=[*known[:-1], *made])


def test_the_newest_commit_is_green_where_its_newest_run_is(target):
    said = judged(checks.commit_tested(FILE), target)
    assert (said.verdict, said.reading.rows[0]["of"]) == ("OK", MAIN), said.summary
    assert judged(checks.commit_tested(FILE, MAIN), target).verdict == "OK"


@pytest.mark.parametrize(
    ("made", "verdict", "words"),
    [
        (({"fails": "test"},), "CRITICAL", "ended as failure"),
        (({"fails": "test"}, {}), "OK", "are green"),
        (({}, {"fails": "test"}), "CRITICAL", "ended as failure"),
        (({"waits": "test", "conclusion": None},), "UNKNOWN", "is waiting"),
        (({"conclusion": "cancelled", "cancelled": 1.0},), "WARNING", "ended as cancelled"),
        (({"sha": OTHER},), "UNKNOWN", "No run of the pipeline has tested"),
    ],
)
def test_what_the_pipeline_said_of_a_commit_is_what_its_newest_run_said(target, made, verdict, words):
    runs(target, *made)
    said = judged(checks.commit_tested(FILE), target)
    assert (said.verdict, words in said.summary) == (verdict, True), said.summary


def test_a_commit_that_github_does_not_know_is_unknown(target):
    assert judged(checks.commit_tested(FILE, "2" * 40), target).verdict == "UNKNOWN"
    assert judged(checks.commit_reviewed("2" * 40), target).verdict == "UNKNOWN"


@pytest.mark.parametrize(
    ("pulls", "verdict", "words"),
    [
        (
            [pull(9, "ben", [OTHER, MAIN], [review("ann", "APPROVED", OTHER)])],
            "OK",
            "ann approved pull request 9 of ben",
        ),
        ([pull(9, "ben", [OTHER, MAIN], [])], "CRITICAL", "Nobody else has approved"),
        ([pull(9, "ben", [OTHER, MAIN], [review("ben", "APPROVED", OTHER)])], "CRITICAL", "Nobody else has approved"),
        ([pull(9, "ben", [OTHER, MAIN], [review("b", "APPROVED", OTHER, type="Bot")])], "CRITICAL", "Nobody else"),
        ([pull(9, "ben", [OTHER, MAIN], [review("ann", "APPROVED", "3" * 40)])], "WARNING", "commits came after"),
        (
            [pull(9, "b", [MAIN], [review("ann", "APPROVED", MAIN), review("ann", "COMMENTED", MAIN)], merged=False)],
            "OK",
            "ann approved",
        ),
        (
            [pull(9, "b", [MAIN], [review("ann", "APPROVED", MAIN), review("ann", "DISMISSED", MAIN)], merged=False)],
            "CRITICAL",
            "Nobody else",
        ),
        (
            [
                pull(
                    9,
                    "ben",
                    [OTHER, MAIN],
                    [review("ann", "APPROVED", OTHER), review("cat", "CHANGES_REQUESTED", OTHER)],
                )
            ],
            "CRITICAL",
            "cat wants changes",
        ),
        ([], "UNKNOWN", "No pull request"),
    ],
)
def test_a_review_is_another_persons_newest_word_on_the_newest_commit(target, pulls, verdict, words):
    change(target.settings, "github", pulls=pulls)
    said = judged(checks.commit_reviewed(), target)
    assert (said.verdict, words in said.summary) == (verdict, True), said.summary


def test_what_is_sent_and_answered_is_as_github_describes_it(target):
    described, doors = specs.load("github.json", "/github"), Doors(target.settings)
    doors.forget()
    judged(checks.commit_reviewed(), target)
    judged(checks.commit_tested(FILE, MAIN), target)
    calls = doors.calls("github")
    assert {call["method"] for call in calls} == {"GET"}
    assert len(calls) == 5
    assert [fault for call in calls for fault in described.faults(call)] == []
