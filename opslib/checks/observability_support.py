"""Whether each channel of support is there, and whether people were answered within the time that is promised."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opslib.guide.incident import when
from opslib.guide.support import Channel, channels
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Probe, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes.observability_support import cases
from opslib.systems.target import ReadTarget

SHARE = threshold("support-in-time")
LEAST = 5
"""Answered or overdue cases from which a share can be told."""
MOST_ROWS = 10
MORE = {"github": ("SUP-SLF-04",), "pagerduty": ("SUP-ONC-02",)}
"""What the guide says of a channel elsewhere."""


def answered(channel: str, days: int) -> Check:
    """How many of those who asked on ``slack``, ``pagerduty`` or ``github`` within ``days`` were answered in time."""
    promise = channels()[channel]

    def judge(reading: Reading) -> Judgement:
        place, asked = str(reading.rows[0]["place"]), reading.rows[1:]
        if channel == "slack" and place not in promise.name:
            return Judgement(Verdict.CRITICAL, f"The channel is {place}, and the guide sends people to {promise.name}.")
        return _judged(place, promise, asked, reading.taken_at, days)

    return Check(
        f"support-{channel}",
        f"{promise.name}: people are answered within {duration(promise.seconds)}",
        cases(channel, days),
        judge,
        "Answer who still waits, longest first; where it happens each week, agree on who looks there and when.",
        SHARE,
        (*promise.items, *MORE.get(channel, ())),
    )


def _judged(place: str, promise: Channel, asked: tuple[Row, ...], now: datetime, days: int) -> Judgement:
    waits = [(row, _waited(row, now)) for row in asked]
    # Who asked just now and still waits was neither answered in time nor too late.
    known = [(row, waited) for row, waited in waits if row["answered_at"] is not None or waited > promise.seconds]
    waiting = [(row, waited) for row, waited in known if row["answered_at"] is None]
    good = sum(waited <= promise.seconds for _, waited in known)
    slowest = sorted(known, key=lambda one: -one[1])
    rows = tuple(_shown(row, waited) for row, waited in slowest[:MOST_ROWS])
    share = round(100 * good / len(known), 1) if known else None
    said = f"{place}, {days} days: {good} of {len(known)} cases answered within {duration(promise.seconds)}"
    said += f", slowest {duration(slowest[0][1])}" if slowest else ""
    said += f"; {len(asked) - len(known)} asked only just now" if len(asked) > len(known) else ""
    if waiting:
        who = ", ".join(f"{row['case']} ({duration(waited)})" for row, waited in waiting[:5])
        return Judgement(Verdict.CRITICAL, f"{said}. {len(waiting)} still wait beyond that: {who}.", share, rows)
    if len(known) < LEAST:
        return Judgement(Verdict.UNKNOWN, f"{said}. Fewer than {LEAST} cases tell nothing.", share, rows)
    return Judgement(SHARE.judge(share), f"{said}.", share, rows)


def _waited(row: Row, now: datetime) -> float:
    until = now if row["answered_at"] is None else when(row["answered_at"])
    return max(0.0, (until - when(row["asked_at"])).total_seconds())


def _shown(row: Row, waited: float) -> dict[str, Any]:
    return {
        "case": row["case"],
        "asked_at": row["asked_at"],
        "waited": duration(waited),
        "answered_at": row["answered_at"],
    }


def email(hours: float, days: int) -> Check:
    """Whether people who wrote were answered, as a person says: ``hours`` is the slowest answer, below 0 nobody says.

    No system of the guide's keeps when a mail was answered.
    """
    promise = channels()["email"]

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return [{"place": promise.name, "slowest_hours": None if hours < 0 else hours}]

    def judge(reading: Reading) -> Judgement:
        if hours < 0:
            said = f"{promise.name}: no machine knows when mail was answered, and nobody says so here (mail_hours)."
            return Judgement(Verdict.UNKNOWN, said)
        found = Verdict.OK if hours * 3600 <= promise.seconds else Verdict.CRITICAL
        said = f"{promise.name}, {days} days: answered within {hours:g} hours, as who asked for this run says"
        return Judgement(found, f"{said} (promised {duration(promise.seconds)}).")

    return Check(
        "support-email",
        f"{promise.name}: people are answered within {duration(promise.seconds)}",
        Probe("support-email", "What a person says of mail", read, source="the run's parameter mail_hours"),
        judge,
        "Look through the mailbox, answer who still waits, and say how long the slowest answer took (mail_hours).",
        items=promise.items,
    )
