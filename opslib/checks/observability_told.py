"""Whom alerts reach: what is critical pages, the rest tells Slack or sends mail, and nothing is silent for long."""

from __future__ import annotations

from opslib.checks.observability_alerts import PAGING
from opslib.guide.alerts import alerts
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import observability as probes

TELLING = {True: ("pagerduty", "opsgenie", "victorops"), False: ("slack", "email", "pagerduty", "msteams")}
"""Kinds of integrations by which an alert that pages (True), and any other, reaches a person. The guide: PagerDuty,
and Slack or email; the others are what it might have been replaced by."""


def _judge(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "There is no rule: whom it would tell nobody can say.", None, ())
    if not reading.rows[0]["sent_to"]:
        said = "Prometheus sends its alerts to nobody: it has no Alertmanager. They fire unseen"
        return Judgement(Verdict.CRITICAL, f"{said}.", 0.0, _shown(reading))
    by: dict[tuple[Verdict, str], list[str]] = {}
    for row in reading.rows:
        by.setdefault(_way(row), []).append(row["rule"])
    said = "; ".join(f"{', '.join(names)} {way}" for (verdict, way), names in by.items() if verdict is not Verdict.OK)
    return Judgement(Verdict.worst([verdict for verdict, _ in by]), f"{said or _fine(reading)}.", None, _shown(reading))


def _way(row: Row) -> tuple[Verdict, str]:
    """Return what becomes of a rule's alert, so that those of one fate are said together."""
    pages = row["severity"] in PAGING
    if not set(row["kinds"]) & set(TELLING[pages]):
        to = ", ".join(row["receivers"]) or "nobody"
        kinds, severity = ", ".join(row["kinds"]) or "no integration", row["severity"] or "no severity"
        said = f"({severity}) to {to} ({kinds}), which {_lacks(pages)}"
        return (Verdict.CRITICAL if pages else Verdict.WARNING), said
    if row["silent_until"]:
        by = f" by {row['silenced_by']}" if row["silenced_by"] else ""
        return Verdict.WARNING, f"silenced{by} until {row['silent_until'][:16]}"
    return Verdict.OK, ""


def _lacks(pages: bool) -> str:
    return "pages nobody" if pages else "tells neither Slack nor a mailbox"


def _fine(reading: Reading) -> str:
    paging = sum(row["severity"] in PAGING for row in reading.rows)
    return f"{paging} rules page, {len(reading.rows) - paging} tell Slack or send mail"


def _shown(reading: Reading) -> tuple[Row, ...]:
    names = ("rule", "severity", "receivers", "kinds", "silent_until")
    return tuple({name: row[name] for name in names} for row in reading.rows)


told = Check(
    name="observability-told",
    title="Alerts reach somebody: PagerDuty for what is critical, Slack or email for the rest",
    probe=probes.told,
    judge=_judge,
    remedy=(
        "Correct Alertmanager's routes and receivers (and Prometheus' alerting.alertmanagers), then let an alert of "
        "staging's through. A silence that nobody needs any more: expire it in Alertmanager."
    ),
    items=tuple(alert.item for alert in alerts()),
)
"""CRITICAL where an alert that pages reaches nobody; WARNING for the others, and for one that is silenced."""
