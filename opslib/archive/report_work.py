"""What ties a run to others of its work and to the people who let it happen: links, approvals, break-glass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opslib.archive import report_hand
from opslib.archive.record import Record
from opslib.archive.summary import BREAK_GLASS
from opslib.runs.cards import text_of
from opslib.runs.markup import Html, join, tag
from opslib.runs.steps import work_of
from opslib.runs.tables import moment

Said = Mapping[str, Any]


def facts(record: Record) -> list[tuple[str, object]]:
    """Return which plan the run applies, which run it resumes or undoes, and who asked for it by which name."""
    run = record.run
    sha = text_of(run, "applies")
    plan = (
        join([link(record, record.plan_run or work_of(record.name)), " ", tag("code", sha[:12], title=sha)])
        if sha
        else ""
    )
    pairs: list[tuple[str, object]] = [
        ("Plan", plan),
        ("Resumes", link(record, text_of(run, "resumes"))),
        ("Undoes", link(record, text_of(run, "undoes"))),
        ("Resolves", link(record, text_of(run, "resolves"))),
        ("Requester", text_of(run, "requester")),
        ("Not as the notebook", report_hand.of_run(record)),
    ]
    return [(name, value) for name, value in pairs if value]


def link(record: Record, run: str) -> Html:
    """Return a link to another run's report where its folder lies beside this one's; else its id alone."""
    if run not in record.beside:
        return tag("code", run) if run else Html()
    return tag("a", tag("code", run), href=f"../{run}/report.html")


def related(record: Record) -> list[tuple[str, Html]]:
    """Return the other runs of the same work that were there when the report was written, oldest first."""
    return [(_kind(run), link(record, run)) for run in record.beside]


def _kind(run: str) -> str:
    kinds = {"apply": "applied it", "resume": "resumed it", "undo": "undid it", "resolve": "resolved it"}
    rest = run.removeprefix(work_of(run)).strip("-").partition("-")[0]
    return kinds.get(rest, "the run that began it")


def approvals(record: Record) -> list[dict[str, str]]:
    """Return who agreed to the run's plan, each with kind, time and reason."""
    said = record.result.get("approvals")
    return [
        {
            "who": text_of(one, "principal"),
            "kind": text_of(one, "kind"),
            "when": moment(text_of(one, "signed_at")),
            "reason": text_of(one, "reason"),
        }
        for one in (said if isinstance(said, list) else [])
        if isinstance(one, dict)
    ]


def broken_glass(record: Record) -> str:
    """Return what stands in red above everything else; "" for a run that was let happen as it should be."""
    return BREAK_GLASS if record.result.get("break_glass") is True else ""
