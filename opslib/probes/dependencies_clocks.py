"""This machine's clock beside those of others: vendors that keep good time, and the product's own servers.

Whoever signs for AWS, checks a token or shows a one-time password goes by a clock. An answer's time is known to half of
how long the answer took, and a ``Date`` header has whole seconds, cut off. Source: RFC 9110, "Date", "Age"; PostgreSQL
manual, clock_timestamp(); Redis, TIME.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from statistics import median
from typing import Any

from opslib.errors import OpsError, Unreachable
from opslib.guide.thresholds import threshold
from opslib.model import Probe, Row, Verdict, now
from opslib.probes.questions import question
from opslib.systems.github import PUBLIC
from opslib.systems.target import ReadTarget
from opslib.systems.web import Reader
from opslib.systems.web_exchange import Answer

SKEW = threshold("clock-skew")
SECONDS = 4.0
TOGETHER, OPENAI = "https://api.together.ai/v1", "https://api.openai.com/v1"
Said = tuple[datetime, float]
"""What a clock said, and by how many seconds that may be wrong by itself."""

HERE = "this machine"
HOST = (
    "on that host, as root: timedatectl set-ntp true; where chronyd keeps the time: chronyc makestep; then "
    "timedatectl status, chronyc tracking"
)
"""Sources: timedatectl(1), set-ntp: enables and starts a service that keeps the time; systemd-timesyncd.service(8): it
steps the clock for large offsets; chronyc(1), makestep: steps at once what chronyd would else correct little by little.
"""
THEIRS = "its vendor does: open a ticket with the figure, and ask nothing that is signed meanwhile"
OWN = ("the cluster", "the API", "the database", "the cache")
"""Clocks of hosts that somebody of ours, or whoever runs them for us, sets."""


def surely(row: Row) -> float:
    """Return how far apart two clocks are at least: what a slow answer leaves open accuses nobody."""
    return max(0.0, abs(float(row["ahead"])) - float(row["give"]))


def off(row: Row) -> bool:
    """Tell whether a clock that was seen is surely off."""
    return row["ahead"] is not None and SKEW.judge(surely(row)) is not Verdict.OK


def ours(rows: Sequence[Row]) -> float | None:
    """Return by how much all vendors are ahead of this machine, where two at least were seen and all are off, the same
    way: then it is this machine's clock that is wrong. None otherwise.
    """
    outside = [row for row in rows if row["outside"] and row["ahead"] is not None]
    if len(outside) < 2 or not all(map(off, outside)) or len({row["ahead"] > 0 for row in outside}) > 1:
        return None
    return float(median(row["ahead"] for row in outside))


def to_set(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return whose clock has to be set right, from the rows of :data:`clocks`: a row each, none where all agree.

    ``behind`` is by how many seconds (below zero: ahead), ``owner`` what its owner does.
    """
    if (ahead := ours(rows)) is not None:
        # What agrees with the wrong clock is as wrong: servers of ours on this machine.
        return [{"clock": HERE, "behind": round(ahead, 1), "owner": HOST}]
    return [
        {"clock": row["clock"], "behind": -row["ahead"], "owner": HOST if row["clock"] in OWN else THEIRS}
        for row in rows
        if off(row)
    ]


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
