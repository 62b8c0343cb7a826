"""Logs Insights by its own API: what it costs is held, and no end but a complete one is an answer."""

import json
import urllib.request
import uuid
from datetime import timedelta

import pytest

from opslib.errors import Refused, Unreachable
from opslib.model import now
from opslib.probes.log_questions import QUESTIONS, Terms, composed, rows_of
from opslib.systems.log_insights import Held, LogInsights, dollars
from opslib.systems.object_client import opened
from tests.logs import kept, lines

HOUR = timedelta(hours=1)
MUCH = 10**12


@pytest.fixture
def insights(lab):
    handle = LogInsights(lab.settings.reading(), pause=lambda seconds: None)
    yield handle
    handle.close()


@pytest.fixture
def door(lab):
    def put(**said):
        url = f"{str(lab.settings.aws_endpoint_url).rstrip('/')}/_lab/insights"
        request = urllib.request.Request(url, json.dumps(said).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=10).close()

    yield put
    put()


@pytest.fixture
def group(lab):
    """A group of the test's own, of the last two hours."""
    said = lab.settings
    client = opened("logs", said, said.aws_access_key_id, said.aws_secret_access_key)
    name, begin = f"/tests/{uuid.uuid4()}", (now() - 3 * HOUR).replace(minute=0, second=0, microsecond=0)
    said = lines(200, start=begin)
    kept(client, name, said)
    yield name, Terms(begin, begin + 2 * HOUR, begin), said
    client.delete_log_group(logGroupName=name)


def asked(insights, group, name="requests", most=MUCH, **more):
    where, terms, _ = group
    return insights.ask(where, composed(QUESTIONS[name], terms), terms.start, terms.end, most_bytes=most, **more)


def test_a_complete_answer_has_what_was_written(insights, group):
    said = asked(insights, group)
    rows = rows_of(QUESTIONS["requests"], said.results)
    assert (said.unknown, said.cut) == ("", False)
    assert sum(row["lines"] for row in rows) == sum('"status"' in message for _, _, message in group[2])
    assert said.scanned >= sum(len(message) for _, _, message in group[2][:-1])


@pytest.mark.parametrize("end", ["Timeout", "Failed", "Cancelled", "Unknown"])
def test_a_query_that_ends_otherwise_is_unknown_and_never_an_empty_answer(insights, group, door, end):
    door(ends=end)
    said = asked(insights, group)
    assert said.unknown == f"the query ended as {end}"
    assert said.results == ()


def test_a_query_is_stopped_beyond_what_it_may_scan_or_take(insights, group, door):
    door(scans=5_000_000_000)
    assert "beyond the 1 GB that it may scan" in asked(insights, group, most=10**9).unknown
    door(ends="Running")
    assert "the time that it may take" in asked(insights, group, seconds=0).unknown


def test_a_query_that_is_not_taken_says_so(insights, group):
    where, terms, _ = group
    said = insights.ask(where, "drop everything", terms.start, terms.end, most_bytes=MUCH)
    assert "did not take the query" in said.unknown
    said = insights.ask("/tests/none", "fields @message", terms.start, terms.end, most_bytes=MUCH)
    assert "did not take the query" in said.unknown


def test_more_rows_than_one_answer_has_are_said_to_be_cut(insights, group):
    where, terms, _ = group
    said = insights.ask(where, "fields @message | limit 3", terms.start, terms.end, most_bytes=MUCH)
    assert len(said.results) == 3
    assert not said.cut


def test_the_handle_asks_and_does_nothing_else(insights, group):
    for call in (
        lambda: insights._client.delete_log_group(logGroupName=group[0]),
        lambda: insights._client.put_retention_policy(logGroupName=group[0], retentionInDays=1),
        lambda: insights._client.create_export_task(
            logGroupName=group[0], fromTime=0, to=1, destination="ops-lab-backups"
        ),
    ):
        with pytest.raises(Refused, match="may not call"):
            call()


def test_streams_are_those_that_may_have_an_event_in_the_window(insights, group):
    where, terms, _ = group
    assert sorted(insights.streams(where, terms.start, terms.end)) == ["api-0", "api-1", "api-2"]
    assert insights.streams(where, terms.start - 9 * HOUR, terms.start - 8 * HOUR) == []


def test_what_a_window_scans_is_estimated_by_its_share_and_a_group_that_is_none_is_no_zero(insights, group):
    moment = now()
    held = insights.held(group[0], moment)
    assert held.stored > 0
    even = Held("/x", 1000, moment - timedelta(days=10))
    assert even.share(moment - timedelta(days=1), moment, moment) == 100
    assert even.share(moment - timedelta(days=99), moment, moment) == 1000
    assert even.share(moment + HOUR, moment + 2 * HOUR, moment) == 0
    assert dollars(2e9) == pytest.approx(0.01)
    with pytest.raises(Unreachable, match="no log group"):
        insights.held("/tests/none", moment)
