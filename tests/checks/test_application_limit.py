"""Whether the API tells a limit of requests."""

from contextlib import closing

import pytest

from opslib.checks import application as checks
from opslib.model import Reading, now
from opslib.runs.reading import evaluate, judge
from opslib.systems.target import ReadTarget


def row(**said):
    known = {"path": "/health", "status": 200, "header": "", "most": None, "left": None, "looked_for": ["x"]}
    return Reading("application-limit", "Limit", "lab", now(), 0.1, (known | said,))


@pytest.mark.parametrize(
    ("said", "verdict", "words"),
    [
        ({"header": "ratelimit-limit", "most": 60, "left": 59}, "OK", "60 requests (ratelimit-limit), 59 left"),
        ({}, "WARNING", "without a header of a limit"),
    ],
)
def test_a_limit_that_is_told_is_one(said, verdict, words):
    found = judge(checks.rate_limit, row(**said))
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary


def test_the_labs_api_tells_its_limit_and_one_question_is_asked(lab):
    with closing(ReadTarget(lab.settings, "test")) as target:
        found = evaluate(checks.rate_limit, target)
    assert (found.verdict, found.reading.rows[0]["header"], found.reading.rows[0]["most"]) == (
        "OK",
        "x-ratelimit-limit",
        300,
    )


def test_where_nobody_answers_nobody_knows(lab):
    settings = lab.settings.model_copy(update={"application_url": "http://127.0.0.1:9"})
    with closing(ReadTarget(settings, "test")) as target:
        assert evaluate(checks.rate_limit, target).verdict == "UNKNOWN"
