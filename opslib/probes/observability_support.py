"""Who is to be called, who is on call, what is open, and how fast each channel of support was answered.

Of people's words nothing is read but when they were said and by whom; rows hold no text of theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from opslib.guide.support import contacts as of_guide
from opslib.guide.support import levels as path
from opslib.model import Probe, now
from opslib.systems.on_call import Entry, Shift
from opslib.systems.target import ReadTarget

BEFORE, AHEAD = timedelta(days=1), timedelta(days=14)
"""How far back and ahead shifts are read: the one that just ended, and the one after the present one."""
SET_BY = {"Engineering manager": "engineering_manager", "CTO": "cto"}
"""Settings that may hold what the guide leaves open."""
Rows = list[dict[str, Any]]


def _levels(target: ReadTarget) -> Rows:
    return [{"level": one.number, "who": one.who, "begins": one.begins, "ends": one.ends} for one in path()]


levels = Probe(
    "escalation-levels",
    "The guide's escalation path",
    _levels,
    source="the guide, Escalation Path (DR-ESC-01 to 04)",
    units={"begins": "min", "ends": "min"},
)
"""A row a level, with the minutes after the start at which it begins and ends. No system is asked."""


def _contacts(target: ReadTarget) -> Rows:
    rows = []
    for one in of_guide():
        field = SET_BY.get(one.who)
        own = getattr(target.settings, field) if field else None
        where = target.settings.__class__.model_fields[field].alias if field else ""
        said = own or ("" if one.missing else one.reach)
        rows.append({"contact": one.who, "reach": said, "from": where if own else "the guide", "item": one.item})
        rows[-1]["setting"] = where
    return rows


contacts = Probe(
    "contacts", "The guide's emergency contacts", _contacts, source="the guide, Emergency Contacts; the description"
)
"""A row a contact; ``reach`` is empty where the guide has a placeholder and no setting fills it. Nobody is called."""


def _shifts(target: ReadTarget) -> Rows:
    at = now()
    found = target.on_call.shifts(at - BEFORE, at + AHEAD)
    rows = [
        {
            "level": one.level,
            "who": one.user.summary or one.user.id,
            "from": one.start,
            "until": one.end,
            "schedule": _schedule(one),
        }
        for one in found
    ]
    return sorted(rows, key=lambda row: (row["level"], row["from"] is not None, row["from"]))


def _schedule(shift: Shift) -> str:
    if shift.schedule is None:
        return "none: for good"
    return shift.schedule.summary or shift.schedule.id


shifts = Probe("on-call-shifts", "Who is on call, level by level", _shifts, source="GET /oncalls (PagerDuty REST)")
"""A row a shift that touches the time from a day ago to two weeks ahead; without end it is somebody's for good."""


def _open(target: ReadTarget) -> Rows:
    return [
        {
            "incident": f"#{one.number}",
            "service": one.service.summary or one.service.id,
            "urgency": one.urgency,
            "since": one.created,
            "taken_on": one.status == "acknowledged",
            "title": one.title,
        }
        for one in sorted(target.on_call.open_incidents(), key=lambda one: one.created)
    ]


open_incidents = Probe(
    "open-incidents",
    "Incidents that are not resolved",
    _open,
    source="GET /incidents?statuses[]=triggered&statuses[]=acknowledged&date_range=all (PagerDuty REST)",
)
"""A row an incident, oldest first, whatever its age."""


def cases(channel: str, days: int) -> Probe:
    """Return the probe of what was asked on a channel within ``days``: when, and when it was first answered.

    ``slack``, ``pagerduty`` or ``github``; e-mail has no source. The first row is of the channel itself, what it is
    called (``place``); each other one is a case.
    """
    ask, source = _WAYS[channel]

    def read(target: ReadTarget) -> Rows:
        at = now()
        return ask(target, at - timedelta(days=days), at)

    return Probe(f"support-{channel}", f"Asked on {channel} within {days} days", read, source=source)


def _case(name: str, asked: datetime, answered: datetime | None) -> dict[str, Any]:
    return {"case": name, "asked_at": asked, "answered_at": answered}


def _slack(target: ReadTarget, since: datetime, until: datetime) -> Rows:
    place = f"#{target.support.name()}"
    said = target.support.questions(since)
    return [{"place": place}, *(_case(one.ts, one.at, target.support.answer(one)) for one in said)]


def _github(target: ReadTarget, since: datetime, until: datetime) -> Rows:
    reported = target.issues.reported(since)
    comments = target.issues.answers(since)
    rows: Rows = [{"place": f"GitHub Issues of {target.settings.github_repository}"}]
    for one in reported:
        by_others = [c.created for c in comments if c.number == one.number and c.login != one.login]
        # An issue that was closed without a word was answered as well.
        ends = [*by_others, *([one.closed] if one.closed else [])]
        rows.append(_case(f"#{one.number}", one.created, min(ends, default=None)))
    return rows


def _pagerduty(target: ReadTarget, since: datetime, until: datetime) -> Rows:
    by: dict[str, list[Entry]] = {}
    for entry in target.on_call.entries(since, until):
        by.setdefault(entry.incident, []).append(entry)
    rows: Rows = [{"place": f"PagerDuty service {target.settings.pagerduty_service or '(all)'}"}]
    for name, entries in by.items():
        asked = min((one.created for one in entries if one.type.startswith("trigger")), default=None)
        if asked is None:
            continue  # it began before the time that is looked at
        taken = [one for one in entries if one.agent.person and one.type.startswith(("acknowledge", "resolve"))]
        gone = any(one.type.startswith("resolve") for one in entries)
        if taken or not gone:
            # What ended by itself before anybody saw it waited for nobody.
            rows.append(_case(name, asked, min((one.created for one in taken), default=None)))
    return rows


_WAYS: dict[str, tuple[Callable[[ReadTarget, datetime, datetime], Rows], str]] = {
    "slack": (_slack, "conversations.info, conversations.history, conversations.replies (Slack Web API)"),
    "github": (_github, "GET /repos/…/issues, GET /repos/…/issues/comments (GitHub REST)"),
    "pagerduty": (_pagerduty, "GET /log_entries?is_overview=true (PagerDuty REST)"),
}
