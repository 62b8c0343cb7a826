"""Vendors' status pages: open incidents, outages and maintenance of what the product needs, and of nothing else.

A vendor's own overall word is not judged: it can say "none" while an incident is open, and "major" for a region that
nobody here uses. What could not be read, does not name what it affects though it is grave, or does not list what is
needed, is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes import dependencies_pages as probes
from opslib.systems.status_page_forms import State

OLD_ANSWER = 3600.0
"""Seconds; an answer that lay in somebody's cache for longer says nothing of now."""
FOR_A_DEPLOYMENT = (probes.HOSTER, "supabase", "github")
MOST_SAID = 4

Finding = tuple[Verdict, str]

_LAX = {
    State.OPERATIONAL: Verdict.OK,
    State.DEGRADED: Verdict.WARNING,
    State.PARTIAL: Verdict.WARNING,
    State.MAINTENANCE: Verdict.WARNING,
    State.OUTAGE: Verdict.CRITICAL,
}
_STRICT = {
    State.OPERATIONAL: Verdict.OK,
    State.DEGRADED: Verdict.CRITICAL,
    State.PARTIAL: Verdict.CRITICAL,
    State.MAINTENANCE: Verdict.CRITICAL,
    State.OUTAGE: Verdict.CRITICAL,
}
"""What a state is, in general and to who is about to begin something; what is not here is UNKNOWN."""


@dataclass(frozen=True)
class _Rule:
    """How rows are judged: ``moment`` is when they were read; ``strict`` is for who is about to begin something."""

    moment: datetime
    hours: float
    stale_days: float
    strict: bool


def vendors(hours: float = 24.0, stale_days: float = 30.0) -> Check:
    """Return the check of every described vendor, and of those that the guide names.

    A maintenance that begins within ``hours`` is a WARNING. A page that nobody changed for ``stale_days`` may have
    been left behind, and is UNKNOWN.
    """
    return Check(
        name="dependencies-vendors",
        title="The vendors report nothing amiss with what the product needs",
        probe=probes.pages(),
        judge=lambda reading: _judge(reading, _Rule(reading.taken_at, hours, stale_days, strict=False)),
        remedy=(
            "Follow the incident on the vendor's page, begin no deployment that needs it, and tell the users. Together "
            "or OpenAI: disaster/recover-llm shows who answers, and takes traffic back when it is over. Supabase: "
            "diagnostics/supabase, then disaster/recover-database. UNKNOWN: read the page in a browser, then mend "
            "OPS_STATUS_PAGES and OPS_STATUS_COMPONENTS."
        ),
        items=("SUP-SLF-05",),
    )


def language_models(stale_days: float = 30.0) -> Check:
    """Return the check of the pages of Together.ai and OpenAI alone; judged as :func:`vendors`, plans left out."""
    return Check(
        name="dependencies-llm",
        title="Together.ai and OpenAI report nothing amiss",
        probe=probes.pages("together", "openai"),
        judge=lambda reading: _judge(reading, _Rule(reading.taken_at, 0.0, stale_days, strict=False)),
        remedy=(
            "Follow the incident on the vendor's page; disaster/recover-llm while it lasts. UNKNOWN: read the page in "
            "a browser, then mend OPS_STATUS_PAGES. A page that says that all is well proves little: see the keys."
        ),
        items=("TRB-AGT-01",),
    )


def cloud(stale_days: float = 30.0) -> Check:
    """Return the check of AWS's page alone: one that is not described is UNKNOWN, for an outage may be theirs."""
    return Check(
        name="dependencies-cloud",
        title="AWS reports nothing amiss",
        probe=probes.pages("aws"),
        judge=lambda reading: _judge(reading, _Rule(reading.taken_at, 0.0, stale_days, strict=False)),
        remedy=(
            "Theirs: nothing that is rebuilt in the same region helps; follow the event, tell the users, think of the "
            "DR site. UNKNOWN: describe aws=https://health.aws.amazon.com/public/currentevents in OPS_STATUS_PAGES."
        ),
        items=("DR-SYS-01",),
    )


def ready_to_deploy(hours: float = 2.0, stale_days: float = 30.0) -> Check:
    """Return the precondition of a deployment: hoster, Supabase and GitHub report no open incident on what it needs.

    Stricter than :func:`vendors`: whatever is not operational now is CRITICAL. A WARNING is left where the vendor only
    watches a mended incident, or plans a maintenance within ``hours``.
    """
    return Check(
        name="dependencies-deployment",
        title="Hoster, Supabase and GitHub are well enough to deploy",
        probe=probes.pages(*FOR_A_DEPLOYMENT),
        judge=lambda reading: _judge(reading, _Rule(reading.taken_at, hours, stale_days, strict=True)),
        remedy=(
            "Wait until the vendor's page says that it is over: a deployment that stops halfway is worse than a late "
            "one. Details: diagnostics/dependencies. UNKNOWN: read the page in a browser, and mend the description."
        ),
    )


def _judge(reading: Reading, rule: _Rule) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "No status page was read.", None, ())
    names = tuple(dict.fromkeys(row["vendor"] for row in reading.rows))
    by_vendor = {name: [row for row in reading.rows if row["vendor"] == name] for name in names}
    found = {name: [one for row in rows for one in _findings(row, rule)] for name, rows in by_vendor.items()}
    rows = tuple(_line(by_vendor[name], found[name]) for name in names)
    every = [(verdict, f"{name}: {said}") for name in names for verdict, said in found[name]]
    amiss = [one for one in every if one[0] is not Verdict.OK]
    parts = sum(row["what"] == "component" for row in reading.rows)
    said = _sentence(amiss) or _well(names, parts)
    return Judgement(Verdict.worst([verdict for verdict, _ in every]), said, len(amiss), rows)


def _well(names: Sequence[str], parts: int) -> str:
    """Return that nothing is amiss; a page that tells of incidents only has no components to be counted."""
    who = f"{len(names)} vendors report" if len(names) > 1 else f"{names[0]} reports"
    needed = f"{parts} needed components are" if parts > 1 else "the needed component is"
    return f"{who} nothing open" + (f"; {needed} operational." if parts else ".")


def _line(rows: Sequence[Row], found: Sequence[Finding]) -> Row:
    page = next(row for row in rows if row["what"] == "page")
    order = list(Verdict)
    said = sorted((one for one in found if one[0] is not Verdict.OK), key=lambda one: -order.index(one[0]))
    parts = [row for row in rows if row["what"] == "component"]
    return {
        "vendor": page["vendor"],
        "verdict": str(Verdict.worst([verdict for verdict, _ in found])),
        "operational": f"{sum(row['state'] == State.OPERATIONAL for row in parts)} of {len(parts)}" if parts else "",
        "said": "; ".join(text for _, text in said),
        "elsewhere": page["others"],
        "updated": page["updated"],
    }


def _sentence(amiss: Sequence[Finding]) -> str:
    order = list(Verdict)
    worst_first = [text for _, text in sorted(amiss, key=lambda one: -order.index(one[0]))]
    more = f"; and {len(worst_first) - MOST_SAID} more" if len(worst_first) > MOST_SAID else ""
    return f"{'; '.join(worst_first[:MOST_SAID]).rstrip('.')}{more}." if amiss else ""


def _findings(row: Row, rule: _Rule) -> Iterator[Finding]:
    if row["what"] == "page":
        yield from _page(row, rule)
    elif row["what"] == "component":
        yield _component(row, rule)
    elif row["what"] == "maintenance":
        yield from _maintenance(row, rule)
    else:
        yield _incident(row, rule)


def _page(row: Row, rule: _Rule) -> Iterator[Finding]:
    if row["why"]:
        yield Verdict.UNKNOWN, str(row["why"])
        return
    if row["age"] > OLD_ANSWER:
        yield Verdict.UNKNOWN, f"the answer is {duration(row['age'])} old, from a cache on the way or by a wrong clock"
    updated = row["updated"] and datetime.fromisoformat(row["updated"])
    if updated and rule.moment - updated > timedelta(days=rule.stale_days):
        yield Verdict.UNKNOWN, f"nobody changed the page since {updated:%Y-%m-%d}: it may have been left behind"
    yield Verdict.OK, "read"


def _component(row: Row, rule: _Rule) -> Finding:
    if row["why"]:
        return Verdict.UNKNOWN, str(row["why"])
    verdict = (_STRICT if rule.strict else _LAX).get(row["state"], Verdict.UNKNOWN)
    return verdict, f"{row['name']}: {row['state']} ({row['word']})"


def _incident(row: Row, rule: _Rule) -> Finding:
    said = f"incident “{row['name']}” ({row['word']}, {row['state']})"
    if not row["meets"]:
        grave = row["state"] in (State.PARTIAL, State.OUTAGE, State.UNKNOWN)
        return Verdict.UNKNOWN if grave else Verdict.WARNING, f"{said} names nothing that it affects"
    said = f"{said} on {row['meets']}"
    if row["state"] == State.UNKNOWN:
        return Verdict.UNKNOWN, said
    if row["state"] == State.OUTAGE:
        return Verdict.CRITICAL, said
    passing = row["state"] == State.OPERATIONAL or row["word"] == "monitoring"
    return Verdict.CRITICAL if rule.strict and not passing else Verdict.WARNING, said


def _maintenance(row: Row, rule: _Rule) -> Iterator[Finding]:
    on = f" on {row['meets']}" if row["meets"] else ", which names nothing that it affects"
    said = f"maintenance “{row['name']}”{on}"
    if row["begun"]:
        yield Verdict.CRITICAL if rule.strict and row["meets"] else Verdict.WARNING, f"{said} is under way"
        return
    begins = row["begins"] and datetime.fromisoformat(row["begins"])
    if not begins:
        yield Verdict.WARNING, f"{said} is planned, and does not say for when"
    elif begins - rule.moment <= timedelta(hours=rule.hours):
        yield Verdict.WARNING, f"{said} is planned for {begins:%Y-%m-%d %H:%M} UTC"
