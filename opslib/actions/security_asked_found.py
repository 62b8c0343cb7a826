"""The questions asked, of files on this machine or of a group in AWS, and what became of the lines."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opslib.actions.base import Progress
from opslib.actions.security_asked_answers import Answer, Found, limited, silences
from opslib.actions.security_asked_lines import Lines
from opslib.canonical import to_json
from opslib.probes.log_questions import LogQuestion, Terms, composed, folded, hidden, rows_of, text
from opslib.redaction import Redactor
from opslib.systems import duck
from opslib.systems.log_insights import GIGABYTE, dollars
from opslib.systems.target import WriteTarget

STEPS = ("lines", "spans", "once", "asked", "examples", "skew", "rejects")


def on_disk(
    target: WriteTarget,
    terms: Terms,
    questions: Mapping[str, LogQuestion],
    lines: Lines,
    redactor: Redactor,
    progress: Progress,
) -> Found:
    """Return what DuckDB answers of files, of which none was written to meanwhile; raises Refused, Unreachable."""
    settings = target.settings
    bounds = duck.Bounds(settings.log_memory_mb * duck.MEGABYTE, folder=settings.log_work)
    said = (
        duck.answers(
            duck.Texts({name: text(f"{name}.sql") for name in STEPS}, {k: q.sql for k, q in questions.items()}),
            terms.given,
            form=lines.form,
            folder=lines.folder,
            files=[(file.name, file.stream) for file in lines.files],
            bounds=bounds,
            tell=lambda percent: progress("asking DuckDB", percent, 100.0),
        )
        if lines.files
        else _nothing(questions)
    )
    lines.unchanged()
    broken = tuple(Path(path).name for path in said["broken"])
    lack = f"{len(broken)} files break off ({', '.join(broken[:3])})" if broken else ""
    answers = {
        name: Answer(_plain(name, rows, redactor), limit=limited(rows, lack)) for name, rows in said["rows"].items()
    }
    expected = {one.name: (one.since, one.lacks) for one in lines.streams}
    kinds = {kind: said["kinds"].get(kind, 0) for kind in ("read", "unread", "undated", "outside")}
    rejected = sum(row["lines"] for row in said["rejects"])
    counted = {**kinds, "rejected": rejected, "doubled": said["doubled"], "broken_files": list(broken)}
    return Found(
        answers=answers,
        lines={**counted, "files": len(lines.files), "left_out": len(lines.inputs) - len(lines.files)},
        streams=silences(said["rows"]["silence"], expected, terms),
        inputs=lines.inputs,
        vouched=lines.vouched,
        examples=tuple(hidden(said["examples"], redactor.text)),
        skew=tuple(said["skew"]),
        digest=lines.digest,
    )


def in_aws(
    target: WriteTarget,
    terms: Terms,
    questions: Mapping[str, LogQuestion],
    most_gb: float,
    redactor: Redactor,
    progress: Progress,
) -> Found:
    """Return what Logs Insights answers, question by question; ``most_gb`` is what it may scan in all."""
    group, answers, scanned = target.settings.log_group, dict[str, Answer](), 0
    for number, (name, one) in enumerate(questions.items()):
        progress(f"asking Logs Insights: {name}", number, len(questions))
        said = target.insights.ask(
            group,
            composed(one, terms),
            terms.before if one.wide else terms.start,
            terms.end,
            most_bytes=max(0, int(most_gb * GIGABYTE) - scanned),
        )
        scanned += said.scanned
        rows = () if said.unknown else rows_of(one, said.results)
        limit = limited(rows, "Logs Insights has more rows" if said.cut else "")
        answers[name] = Answer(_plain(name, rows, redactor), said.unknown, limit)
    expected = dict.fromkeys(target.insights.streams(group, terms.start, terms.end), (None, ""))
    silent, unread = answers["silence"], answers["unread"]
    known = not (silent.unknown or unread.unknown or silent.limit or unread.limit)
    counts = {"unread": sum(row["lines"] for row in unread.rows)}
    counts["read"] = sum(row["lines"] for row in silent.rows) - counts["unread"]
    return Found(
        answers=answers,
        lines={**counts, "scanned_bytes": scanned, "usd": round(dollars(scanned), 4)} if known else {},
        streams=silences(silent.rows, expected, terms) if not silent.unknown else (),
        scanned=scanned,
        digest=hashlib.sha256(f"{group} {to_json(terms.start)} {to_json(terms.end)}".encode()).hexdigest(),
    )


def _plain(name: str, rows: Sequence[Mapping[str, Any]], redactor: Redactor) -> list[dict[str, Any]]:
    return folded(rows, redactor.text) if name == "errors" else hidden(rows, redactor.text)


def _nothing(questions: Mapping[str, LogQuestion]) -> dict[str, Any]:
    """Return what there is where no file may have a line of the window."""
    nothing: dict[str, Any] = {"broken": [], "kinds": {}, "doubled": 0, "examples": [], "skew": [], "rejects": []}
    return {"rows": {name: [] for name in questions}, **nothing}
