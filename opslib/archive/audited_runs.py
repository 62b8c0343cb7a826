"""What an auditor asks of the runs: each from open to close, and works that were broken off and left so.

Of a run whose seal does not hold nothing is told but that: a work that such a run belongs to cannot be judged.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from opslib import files
from opslib.archive import record
from opslib.archive.audited_look import Look
from opslib.archive.log import signature_of
from opslib.archive.made import may_change
from opslib.archive.summary import Summary
from opslib.probes.observability_audit import BACK, MOST
from opslib.runs.steps import State, StepRecord, fold, in_order, work_of

Rows = list[dict[str, Any]]
FOLDER = "archive-audit"
LIST = "runs.tsv"
COLUMNS = (
    "run", "environment", "notebook", "mode", "requested_by", "opened_at", "open_entry", "closed_at", "close_entry",
    "close_signature", "state", "verdict", "stands", "manifest_sha256", "findings",
)  # fmt: skip
ENDS = ("finished", "failed", "refused", "interrupted")
SAID = (
    *("opened", "sealed", *ENDS, "going on", "left open", "in quarantine", "not believed"),
    *("may have changed something", "broke the glass"),
)
LEFT = ("interrupted", "failed")
DOUBT = (State.IN_DOUBT, State.UNDO_IN_DOUBT)


def runs(look: Look) -> Rows:
    """Return a row per target with its runs by how they stand; the list of all of them is left as evidence."""
    kept = _keep(look)
    counts: dict[str, Counter[str]] = {}
    for run, one in look.summaries.items():
        counts.setdefault(_environment(look, run), Counter()).update(_words(look, run, one))
    return [
        {"target": target, **{name.replace(" ", "_"): found[name] for name in SAID}, "list": kept}
        for target, found in sorted(counts.items())
    ]


def _environment(look: Look, run: str) -> str:
    return look.summaries[run].environment or "unknown"


def _words(look: Look, run: str, one: Summary) -> list[str]:
    """Return all that is true of a run."""
    stands = look.standing(run)
    said = ["opened", "sealed" if stands == "interrupted" else stands]
    said += [one.state] if one.state in ENDS and stands in ("sealed", "interrupted") else []
    said += ["may have changed something"] if may_change(one) else []
    return [*said, *(["broke the glass"] if one.break_glass else [])]


def _keep(look: Look) -> str:
    """Leave the list of all runs as evidence; returns its path in the run's folder."""
    if look.keep is None:
        return ""
    rows = [COLUMNS, *(_line(look, run) for run in look.summaries)]
    text = "".join("\t".join(map(_cell, row)) + "\n" for row in rows)
    path = look.keep / "evidence" / FOLDER / LIST
    files.make_folder(path.parent)
    files.write(path, text.encode("utf-8", "replace"), path.with_name(f".{LIST}.part"))
    return f"evidence/{FOLDER}/{LIST}"


def _line(look: Look, run: str) -> tuple[object, ...]:
    one, told = look.summaries[run], look.runs[run]
    ended = told.ended
    found = [f"{row['where']} {row['what']}" for row in look.by_run.get(run, ())]
    return (
        run, one.environment, one.notebook, one.mode, one.who, told.opened.time, told.opened.seq,
        ended.time if ended else "", ended.seq if ended else "", signature_of(ended.seq) if ended else "",
        one.state, one.verdict or "", look.standing(run),
        ended.sha256 if ended else "", "; ".join(found),
    )  # fmt: skip


def _cell(value: object) -> str:
    """Return a value as a cell: one line, and nothing that a spreadsheet would calculate."""
    text = "".join(char if char.isprintable() else " " for char in str(value))
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def unsettled(look: Look) -> Rows:
    """Return a row that counts the works, then one per work that was left in doubt, half done, open, or unreadable."""
    works = dict.fromkeys(work_of(run) for run, one in look.summaries.items() if may_change(one))
    rows = [row for work in works for row in _left(look, work)]
    rows += [
        _row(look, run, "", "left open", "its process is gone; the next start of a run closes it")
        for run in look.summaries
        if look.standing(run) == "left open"
    ]
    return [{"kind": "works", "works": len(works)}, *rows[-MOST:]]


def _left(look: Look, work: str) -> Rows:
    of_work = in_order([run for run in look.by_work[work] if look.summaries[run].mode != "plan"], work)
    if any(run in look.going for run in of_work) or not of_work:
        return []
    last = of_work[-1]
    if strange := [run for run in of_work if look.standing(run) == "not believed"]:
        return [_row(look, strange[0], "", "not believed", "its seal does not hold, so nobody knows how it was left")]
    steps = fold((run, record.load(_folder(look, run)).journal) for run in of_work if run in look.sound)
    doubts = [step for step in steps.values() if step.state in DOUBT]
    rows = [_row(look, last, one.step, str(one.state), "nobody knows whether its effect took place") for one in doubts]
    if not doubts and look.summaries[last].state in LEFT and _recent(look, last):
        rows += _half(look, last, steps)
    return rows


def _half(look: Look, last: str, steps: dict[str, StepRecord]) -> Rows:
    done = [one.step for one in steps.values() if one.changed]
    says = f"{', '.join(done)} done, the rest not; neither gone on with nor undone"
    return [_row(look, last, done[-1], "left half done", says)] if done else []


def _recent(look: Look, run: str) -> bool:
    return look.moment - datetime.fromisoformat(look.runs[run].opened.time) <= BACK


def _row(look: Look, run: str, step: str, state: str, says: str) -> dict[str, Any]:
    one = look.summaries[run]
    at = look.runs[run].opened.time
    return {
        "kind": "left", "run": run, "target": one.environment, "step": step, "state": state, "opened_at": at,
        "says": says,
    }  # fmt: skip


def _folder(look: Look, run: str) -> Path:
    return look.folder / "runs" / run
