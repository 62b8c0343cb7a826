"""What users had of an incident, asked of the lab's Prometheus: of no data nothing is said, least of all zero."""

from contextlib import closing
from datetime import timedelta

import pytest

from opslib.checks.observability import impact as check
from opslib.guide.review import Told
from opslib.model import Verdict, now
from opslib.probes.observability_impact import impact
from opslib.runs.reading import judge, take
from opslib.systems.target import ReadTarget
from tests.watchers import watchers


@pytest.fixture
def there(lab):
    with watchers(lab.settings) as made:
        yield made


@pytest.fixture
def target(lab):
    with closing(ReadTarget(lab.settings.reading(), "test")) as made:
        yield made


def ago(hours):
    return now() - timedelta(hours=hours)


def judged(target, began, resolved=None):
    made = check(Told("INC-1", began=began, resolved=resolved))
    return judge(made, take(made.probe, target))


def test_failures_of_the_window_are_counted_and_those_before_and_after_it_are_not(there, target):
    there.episode("failing", 3, 2, share=0.1)
    during, before = judged(target, ago(3), ago(2)), judged(target, ago(5), ago(3.2))
    assert (during.verdict, during.value) == (Verdict.OK, pytest.approx(10, abs=0.5))
    assert "requests failed" in during.summary
    assert "the P95 was between" in during.summary
    assert before.value < 0.1
    assert len(during.rows) == 12


def test_a_short_incident_is_asked_of_the_least_window(there, target):
    whole, *parts = take(impact(ago(0.51), ago(0.5)), target).rows
    assert whole["requests"] == pytest.approx(3000, rel=0.1)
    assert len(parts) == 1


def test_a_window_that_nothing_was_scraped_in_is_unknown_and_no_zero(there, target):
    there.episode("lost", 4, 2)
    gone = judged(target, ago(3.5), ago(2.5))
    assert (gone.verdict, gone.value) == (Verdict.UNKNOWN, None)
    assert "holds no such series" in gone.summary
    there.doors.forget()
    long_ago = judged(target, ago(24 * 40), ago(24 * 39))
    assert (long_ago.verdict, long_ago.value) == (Verdict.UNKNOWN, None)


def test_a_part_without_data_makes_the_figure_a_least_one(there, target):
    there.episode("lost", 4, 3)
    found = judged(target, ago(4), ago(2))
    assert (found.verdict, "so it is at least that" in found.summary) == (Verdict.WARNING, True)
    assert None in [row["requests"] for row in found.rows]


def test_a_window_that_nobody_named_or_that_is_too_long_is_unknown(there, target):
    assert "Nobody says when it began" in judged(target, None).summary
    assert "At most 6 days" in judged(target, ago(24 * 7)).summary
    assert judged(target, ago(1), ago(2)).verdict is Verdict.UNKNOWN


def test_where_nobody_asked_anything_nothing_is_known(there, target):
    there.episode("quiet", 3, 1)
    found = judged(target, ago(2.5), ago(1.5))
    assert (found.verdict, "saw no request" in found.summary) == (Verdict.UNKNOWN, True)
