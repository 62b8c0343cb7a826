"""Answers of logs as evidence: each question's rows in a file, and the manifest that says what they are of.

An answer that is not whole says why; one that could not be had has no rows and says that: it is never an empty one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ValidationError

from opslib.actions.security_custody import Filed, Record, lines
from opslib.canonical import canonical, to_json
from opslib.errors import Refused
from opslib.model import Rows
from opslib.probes.log_questions import MOST_ROWS, QUESTIONS, Terms, ms, shown
from opslib.redaction import Redactor
from opslib.systems.filing import Filing

INPUTS = "inputs"
"""The item that lists the files, each with its SHA-256."""
SHOWN = 20
"""Rows of an answer that are handed on to the notebook; all of them stand in its file."""
MOST_HOURS = 2000
SLOT_MS = 600_000
Source = Literal["evidence", "export", "cloudwatch"]


@dataclass(frozen=True)
class Answer:
    """What one question found. ``unknown`` is why nobody knows; ``limit`` what may be missing of it."""

    rows: Sequence[Mapping[str, Any]] = ()
    unknown: str = ""
    limit: str = ""


@dataclass(frozen=True)
class Found:
    """All answers, and what became of the lines: how many were read, and how many not, by the reason."""

    answers: Mapping[str, Answer]
    lines: Mapping[str, Any]
    streams: Rows
    inputs: Sequence[Mapping[str, Any]] = ()
    scanned: int = 0
    vouched: str = ""
    examples: Rows = ()
    skew: Rows = ()
    digest: str = field(default="")


class AnswerItem(Filed):
    """One question's file. ``question_sha256`` is of the text that was asked."""

    title: str
    question_sha256: str
    unknown: str = ""
    limit: str = ""
    redacted_rows: int = 0


class AskedCustody(Record):
    """The manifest: who asked which logs what, of which window, and what the answers stand on."""

    form: Literal["opslib log answers 1"] = "opslib log answers 1"
    work: str
    run: str
    collected_by: str
    source: Source
    start: datetime
    end: datetime
    before: datetime
    subject: Mapping[str, str]
    vouched: str
    inputs_sha256: str
    scanned_bytes: int
    begun_at: datetime
    ended_at: datetime
    items: tuple[AnswerItem, ...]

    def encode(self) -> bytes:
        """Return the manifest's bytes: canonical JSON and a line's end."""
        return canonical(self.model_dump(mode="json")) + b"\n"

    def shown(self) -> Rows:
        """Return the custody table, as reports show it."""
        return tuple(
            {
                "item": item.id,
                "rows": item.rows,
                "unknown": item.unknown,
                "limit": item.limit,
                "hidden_in_rows": item.redacted_rows,
                "bytes": item.bytes,
                "sha256": item.sha256,
                "by": self.collected_by,
                "run": self.run,
            }
            for item in self.items
        )


def parse_asked(data: bytes) -> AskedCustody:
    """Return the manifest in ``data``; raises Refused for anything but what is written."""
    try:
        return AskedCustody.model_validate_json(data)
    except ValidationError:
        raise Refused("The manifest of the answers is not of the form that is written.", "Ask again.") from None


def limited(rows: Sequence[Mapping[str, Any]], known: str = "") -> str:
    """Return what may be missing of an answer: that it is cut off, beside what is ``known``."""
    cut = f"the first {MOST_ROWS} rows only" if len(rows) >= MOST_ROWS else ""
    return "; ".join(word for word in (known, cut) if word)


def keep(place: Filing, redactor: Redactor, name: str, title: str, asked: str, answer: Answer) -> AnswerItem:
    """Write an answer's rows to a new file, without secrets, and return what was written."""
    digest, size, count, hidden = hashlib.sha256(), 0, 0, 0
    with place.new(f"{name}.jsonl") as out:
        for line, masked in lines(shown(answer.rows), redactor):
            digest.update(line)
            size += out.write(line)
            count, hidden = count + 1, hidden + masked
    return AnswerItem(
        id=name,
        title=title,
        question_sha256=hashlib.sha256(asked.encode()).hexdigest(),
        rows=count,
        bytes=size,
        sha256=digest.hexdigest(),
        redacted_rows=hidden,
        unknown=redactor.text(answer.unknown),
        limit=redactor.text(answer.limit),
    )


def values(manifest: str, custody: AskedCustody, found: Found, redactor: Redactor) -> dict[str, Any]:
    """Return what the notebook gets: the beginning of each answer, the hours, and what became of the lines."""
    answers = {
        name: {
            "title": QUESTIONS[name].title,
            "rows": shown(answer.rows[:SHOWN]),
            "count": len(answer.rows),
            "unknown": answer.unknown,
            "limit": answer.limit,
        }
        for name, answer in found.answers.items()
    }
    told: dict[str, Any] = redactor.tree(
        to_json(
            {
                "answers": answers,
                "hours": shown(found.answers["volume"].rows[:MOST_HOURS]),
                "failed_sign_ins": failures(found.answers["sign-ins"].rows)[:SHOWN],
                "lines": dict(found.lines),
                "streams": list(found.streams),
                "examples": shown(found.examples),
                "skew": list(found.skew),
            }
        )
    )
    window = {"start": to_json(custody.start), "end": to_json(custody.end), "before": to_json(custody.before)}
    said = {"manifest": manifest, "run": custody.run, "source": custody.source, "window": window}
    return {**said, "vouched": custody.vouched, "scanned_bytes": custody.scanned_bytes, **told}


def failures(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return who tried to sign in, by address and account: how often it failed and how often not, most failures first.

    A status that is no number of three digits is neither.
    """
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in rows:
        key = row["address"], row["account"]
        kept = found.setdefault(key, {"address": key[0], "account": key[1], "failed": 0, "succeeded": 0, "other": 0})
        status = str(row["status"])
        known = status.isascii() and status.isdigit() and len(status) == 3
        kept["other" if not known else "failed" if status >= "400" else "succeeded"] += row["lines"]
    return sorted(found.values(), key=lambda one: (-one["failed"], str(one["address"]), str(one["account"])))


def silences(
    rows: Sequence[Mapping[str, Any]], expected: Mapping[str, tuple[datetime | None, str]], terms: Terms
) -> Rows:
    """Return one row a stream: how much it said in the window, and for how long at most it was silent.

    ``expected`` has streams that must be there, with the moment since which they are, and what is known to be missing.
    Only slots of ten minutes that lie whole in the window count.
    """
    slots: dict[str, dict[int, int]] = {name: {} for name in expected}
    for row in rows:
        slots.setdefault(row["stream"], {})[row["slot"]] = row["lines"]
    found = []
    for name, said in slots.items():
        since, lacks = expected.get(name, (None, ""))
        begin = max(ms(terms.start), ms(since) if since else 0)
        longest, at = _longest(said, -(-begin // SLOT_MS) * SLOT_MS, ms(terms.end) // SLOT_MS * SLOT_MS)
        found.append(
            {
                "stream": name,
                "lines": sum(said.values()),
                "silent_minutes": longest * SLOT_MS // 60_000,
                "silent_from": to_json(datetime.fromtimestamp(at / 1000, UTC)) if longest else None,
                "lacks": lacks,
            }
        )
    return tuple(sorted(found, key=lambda one: (one["lines"] > 0, -one["silent_minutes"], one["stream"])))


def _longest(said: Mapping[int, int], begin: int, end: int) -> tuple[int, int]:
    """Return the most slots in a row without a line, and when they begin."""
    longest, at, run = 0, begin, 0
    for slot in range(begin, end, SLOT_MS):
        run = 0 if said.get(slot) else run + 1
        if run > longest:
            longest, at = run, slot - (run - 1) * SLOT_MS
    return longest, at
