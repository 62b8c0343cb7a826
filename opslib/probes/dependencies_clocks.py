"""This machine's clock beside those of others: vendors that keep good time, and the product's own servers.

Whoever signs for AWS, checks a token or shows a one-time password goes by a clock. An answer's time is known to half of
how long the answer took, and a ``Date`` header has whole seconds, cut off. Source: RFC 9110, "Date", "Age"; PostgreSQL
manual, clock_timestamp(); Redis, TIME.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from opslib.errors import OpsError, Unreachable
from opslib.model import Probe, now
from opslib.probes.questions import question
from opslib.systems.github import PUBLIC
from opslib.systems.target import ReadTarget
from opslib.systems.web import Reader
from opslib.systems.web_exchange import Answer

SECONDS = 4.0
TOGETHER, OPENAI = "https://api.together.ai/v1", "https://api.openai.com/v1"
Said = tuple[datetime, float]
"""What a clock said, and by how many seconds that may be wrong by itself."""


def _clocks(target: ReadTarget) -> list[dict[str, Any]]:
    rows = []
    for clock, outside, look in _asked(target):
        row: dict[str, Any] = {"clock": clock, "outside": outside, "ahead": None, "give": None, "why": ""}
        before = now()
        try:
            said, own = look()
        except OpsError as error:
            rows.append(row | {"why": error.message})
            continue
        took = now() - before
        ahead = (said - (before + took / 2)).total_seconds()
        rows.append(row | {"ahead": round(ahead, 1), "give": round(took.total_seconds() / 2 + own, 1)})
    return rows


def _asked(target: ReadTarget) -> Iterator[tuple[str, bool, Callable[[], Said]]]:
    said = target.settings
    outsiders = (
        ("AWS", said.aws_endpoint_url or f"https://s3.{said.aws_region}.amazonaws.com"),
        ("GitHub", said.github_url or PUBLIC),
        ("Together.ai", said.together_url or TOGETHER),
        ("OpenAI", said.openai_url or OPENAI),
    )
    for clock, address in outsiders:
        yield clock, True, partial(_web, target, address)
    if said.kubernetes_url:
        yield "the cluster", False, lambda: _cluster(target)
    if said.application_url:
        yield "the API", False, partial(_web, target, str(said.application_url))
    yield "the database", False, lambda: (target.database.ask(question("supabase/clock"))[0]["moment"], 0.0)
    yield "the cache", False, lambda: _cache(target)


def _web(target: ReadTarget, address: str) -> Said:
    return _dated(target.web.get(f"{address.rstrip('/')}/", deadline=SECONDS))


def _cluster(target: ReadTarget) -> Said:
    asking = Reader(ca=target.settings.kubernetes_ca)
    try:
        return _dated(asking.get(str(target.settings.kubernetes_url), deadline=SECONDS))
    finally:
        asking.close()


def _dated(answer: Answer) -> Said:
    """Return the time of an answer, whatever its status; raises Unreachable where it tells none."""
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
        aged = timedelta(seconds=int(answer.headers.get("age", "0")))
    except (TypeError, ValueError, OverflowError):
        raise Unreachable("It sends no Date header that can be read.", "Ask another address.", "other") from None
    told = told if told.tzinfo else told.replace(tzinfo=UTC)
    # Cut off to whole seconds; and one that a cache kept is as old as that says.
    return told + aged + timedelta(seconds=0.5), 0.5


def _cache(target: ReadTarget) -> Said:
    seconds, micros = target.cache.ask("TIME")
    return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(micros)), 0.0


clocks = Probe(
    "dependencies-clocks",
    "Clocks beside this machine's",
    _clocks,
    source="Date of AWS, GitHub, Together.ai, OpenAI, the cluster, the API, without a key; clock_timestamp(); TIME",
    units={"ahead": "s", "give": "s"},
)
"""A row a clock: by how many seconds it is ahead of this machine's (``give`` or take), and ``why`` nobody could tell.

``outside``: a vendor's, which is right as far as anybody knows.
"""
