"""Whether sessions are kept, by what the server counts."""

from contextlib import closing

import pytest

from opslib.checks import database as checks
from opslib.model import Reading, now
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget


def judged(sessions, transactions, of_poolers=0):
    each = transactions / sessions if sessions else None
    row = {"database": "v", "sessions": sessions, "transactions": transactions, "each": each, "of_poolers": of_poolers}
    return checks.pooling.judge(Reading("p", "P", "lab", now(), 0.1, (row,)))


@pytest.mark.parametrize(
    ("said", "verdict", "words"),
    [
        ((1000, 50_000), "OK", "50 each"),
        ((1000, 2_000), "WARNING", "2 each; no pooler is seen"),
        ((1000, 2_000, 3), "OK", "3 sessions are a pooler's"),
        ((199, 50_000), "UNKNOWN", "too few to tell a pool by"),
        ((0, 0), "UNKNOWN", "too few"),
    ],
)
def test_a_pool_makes_many_transactions_in_each_session(said, verdict, words):
    found = judged(*said)
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary


def test_the_server_counts_its_sessions(lab):
    with closing(ReadTarget(lab.settings, "test")) as target:
        found = evaluate(checks.pooling, target)
    assert found.reading.unknown is None
    assert found.reading.rows[0]["sessions"] > 0
