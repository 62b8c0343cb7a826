"""A run in which one hostile text stands in every field that a system, a person or a notebook can fill."""

import base64
import json
from pathlib import Path

from opslib.model import Effect, Reading, StepStatus, Verdict, Verification
from opslib.runs import display
from tests.archive import samples


def everywhere(folder: Path, bad: str, mode: str = "") -> Path:
    """Write the run's folder with plain json: the text must arrive as it is, whatever a writer would refuse."""
    folder.mkdir(parents=True)
    said = {
        "run": bad,
        "notebook": bad,
        "title": bad,
        "environment": bad,
        "target": {bad: bad},
        "parameters": {bad: bad},
    }
    said |= {
        "mode": mode or bad,
        "how": bad,
        "requested_by": bad,
        "started_at": bad,
        "versions": {bad: bad},
        "commit": bad,
    }
    said |= {"applies": bad, "resumes": bad, "undoes": bad, "resolves": bad, "work": bad, "requester": bad}
    (folder / "run.json").write_text(json.dumps(said | {"code_sha256": bad}))
    ended = {"verdict": bad, "reason": bad, "exit_code": bad, "seconds": bad, "published": bad, "break_glass": True}
    agreed = {"principal": bad, "kind": bad, "signed_at": bad, "reason": bad}
    (folder / "result.json").write_text(json.dumps(ended | {"approvals": [agreed, bad]}))
    plan = {"step": bad, "digest": bad, "plan": dict(_values(bad))["plan"]}
    saved = {"form": bad, "run": bad, "requester": bad, "expires_at": bad, "missing": [bad], "steps": [plan, bad]}
    (folder / "plan.json").write_text(json.dumps(saved))
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in _journal(bad)))
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": _cells(bad)}))
    return folder


def _values(bad: str) -> list[tuple[str, dict]]:
    rows = [{bad: bad, "b": bad, "nested": {bad: [bad]}}, {bad: 1, "b": None}]
    reading = {"probe": bad, "title": bad, "rows": rows, "source": bad, "units": {bad: bad}, "taken_at": bad}
    threshold = {"warning": bad, "critical": 1, "unit": bad, "source": bad}
    result = {"check": bad, "title": bad, "verdict": bad, "summary": bad, "reading": reading, "value": bad}
    result |= {"threshold": threshold, "rows": rows, "remedy": bad, "items": [bad]}
    plan = {"action": bad, "title": bad, "effect": bad, "repeat": bad, "parameters": {bad: bad}, "before": {bad: bad}}
    plan |= {"after": {bad: 1}, "touches": bad, "touched": bad, "verification": bad, "undo": bad, "guide": bad}
    plan |= {"reason": bad, "items": [bad], "unknown": [bad], "digest": bad, "observed": {bad: bad}}
    looked = {"verdict": bad, "summary": bad, "rows": rows}
    evidence = {"status": bad, "title": bad, "plan": plan, "values": {bad: bad}, "verification": looked, "seconds": bad}
    picture = {"title": bad, "alternative": bad, "svg": f'<svg xmlns="http://www.w3.org/2000/svg"><g>{bad}</g></svg>'}
    summary = {"run": bad, "verdict": bad, "state": bad, "counts": {bad: bad}, "steps": bad, "reason": bad}
    kinds = [("reading", reading), ("reading", {"title": bad, "unknown": bad}), ("result", result), ("plan", plan)]
    kinds += [("evidence", evidence), ("picture", picture), ("summary", summary), ("note", {"text": bad})]
    return [
        *kinds,
        (bad, {bad: bad}),
        ("result", {"rows": bad, "items": bad, "reading": bad}),
        ("plan", {"unknown": 3}),
    ]


def _journal(bad: str) -> list[dict]:
    by_kind = dict(_values(bad)[2:5])
    plan, result, evidence = by_kind["plan"], by_kind["result"], by_kind["evidence"]
    step = {"step": bad, "plan": plan, "digest": bad, "verification": evidence["verification"]}
    lines = [
        {"event": "kept", "cell": bad, "step": "kept", "from": bad, "evidence": evidence},
        {"event": "settled", "cell": bad, "step": "settled", "outcome": bad, "why": bad, "values": {bad: bad}},
        {"event": "resolved", "cell": bad, "step": "resolved", "outcome": bad, "by": bad, "evidence": bad},
        {"event": "undoing", "cell": bad, "step": "undoing", "plan": plan},
        {"event": "stopping", "by": bad},
        {"event": "cell-started", "cell": bad},
        {"event": "result", "cell": bad, "result": result},
        {"event": "reading", "cell": "only-journal", "reading": result["reading"]},
        {"event": "note", "cell": bad, "text": bad},
        {"event": "planned", "cell": bad, **step},
        {"event": "verified", "cell": bad, **step},
        {"event": "failed", "cell": bad, "step": bad, "message": bad, "next_step": bad},
        {"event": "error", "cell": bad, "kind": bad, "message": f"{bad}!"},
        {"event": "cell-finished", "cell": bad, "seconds": 0.1, "status": bad},
        {"event": "closed", "state": bad, "verdict": bad},
    ]
    return [{"seq": i, "time": bad, "prev": bad, **line} for i, line in enumerate(lines, 1)]


def _cells(bad: str) -> list[dict]:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bad.encode("utf-8", "replace")).decode()
    outputs = [samples.output({display.MIME: {"kind": kind, "value": value}}) for kind, value in _values(bad)]
    outputs += [
        samples.output({"text/html": bad, "text/plain": bad}),
        samples.output({"text/html": [f"<table><tr><td {bad}>", bad, "</td></tr></table>"]}),
        samples.output({"text/plain": bad}),
        samples.output({"image/svg+xml": bad}),
        samples.output({"image/png": bad}),
        samples.output({"image/png": png}),
        samples.output({"image/jpeg": png, "text/plain": bad}),
        samples.output({"application/javascript": bad}),
        {"output_type": "stream", "name": "stderr", "text": [bad, bad]},
        {"output_type": "stream", "name": bad, "text": bad},
        {"output_type": "error", "ename": bad, "evalue": bad, "traceback": [bad, bad, bad, bad, bad]},
        {"output_type": bad},
    ]
    return [
        {"cell_type": "markdown", "id": f"md {bad}", "source": bad},
        {"cell_type": "markdown", "id": f"md2 {bad}", "source": [f"# {bad}\n", "\n", f"| {bad} |\n|---|\n| {bad} |\n"]},
        {"cell_type": "code", "id": bad, "source": bad, "outputs": outputs, "metadata": {"tags": bad}},
        {"cell_type": "code", "id": bad, "source": bad, "outputs": bad},
        {"cell_type": bad, "source": {"not": "text"}},
        {"cell_type": "code", "id": "only-journal", "source": f"# {bad}"},
    ]


def real(folder: Path, bad: str) -> Path:
    """Write a run through the real journal and display, with the text in what systems answer."""
    story = samples.Story(folder, "diagnostics/database", title=bad, parameters={"database": bad})
    story.text("what-this-is", bad)
    rows = ({"table": bad, "bytes": 1}, {"table": "b", "bytes": 2})
    story.code("read", f"run.read({bad})", Reading(bad, bad, "lab", samples.TAKEN, 0.1, rows, bad, {"bytes": "bytes"}))
    story.code(
        "check", "run.check()", samples.result(Verdict.WARNING, summary=bad, rows=rows, remedy=bad, items=(bad,))
    )
    plan = samples.plan(guide=bad, before={"table": bad}, undo=bad, effect=Effect.DESTRUCTIVE)
    looked = Verification(Verdict.OK, bad, rows)
    story.code(
        "act", "run.step()", samples.evidence(StepStatus.APPLIED, plan=plan, values={"k": bad}, verification=looked)
    )
    story.code("remark", "run.note()", display.Note(bad))
    return story.close("failed", Verdict.CRITICAL, bad, 5)
