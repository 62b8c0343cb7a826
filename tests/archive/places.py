"""Every place of a run that a system, a person, a notebook or a signer fills, and a run with one of them filled."""

import copy
import json
from functools import cache

from opslib.archive import index, report, summary
from opslib.runs import display
from tests.archive import samples

RUN_ID = "20261123T130614Z-runbooks-restore-database-a1b2c3"
KEY = object()
"""As a path's last part: the first name of the mapping, not its value."""

_PLAN = ("plan", "steps", 0, "plan")
_PLANNED = ("journal", 0, "plan")
OURS = {
    "run id": ("run", "run"),
    "title": ("run", "title"),
    "notebook": ("run", "notebook"),
    "environment": ("run", "environment"),
    "target value": ("run", "target", "database"),
    "target name": ("run", "target", KEY),
    "parameter value": ("run", "parameters", "database"),
    "parameter name": ("run", "parameters", KEY),
    "mode": ("run", "mode"),
    "how": ("run", "how"),
    "asked by": ("run", "requested_by"),
    "requester": ("run", "requester"),
    "started": ("run", "started_at"),
    "version": ("run", "versions", "opslib"),
    "commit": ("run", "commit"),
    "code": ("run", "code_sha256"),
    "applied digest": ("run", "applies"),
    "resolved run": ("run", "resolves"),
    "resumed run": ("run", "resumes"),
    "undone run": ("run", "undoes"),
    "reason": ("result", "reason"),
    "published": ("result", "published"),
    "approver": ("result", "approvals", 0, "principal"),
    "approval kind": ("result", "approvals", 0, "kind"),
    "approval time": ("result", "approvals", 0, "signed_at"),
    "approval reason": ("result", "approvals", 0, "reason"),
    "plan before": (*_PLANNED, "before", "table"),
    "plan before name": (*_PLANNED, "before", KEY),
    "plan after": (*_PLANNED, "after", "table"),
    "plan guide": (*_PLANNED, "guide"),
    "plan reason": (*_PLANNED, "reason"),
    "plan undo": (*_PLANNED, "undo"),
    "plan parameter": (*_PLANNED, "parameters", "database"),
    "plan observed": (*_PLANNED, "observed", "sessions"),
    "plan unknown": (*_PLANNED, "unknown", 0),
    "plan item": (*_PLANNED, "items", 0),
    "plan digest": ("journal", 0, "digest"),
    "step key": ("journal", 0, "step"),
    "produced value": ("journal", 1, "values", "key"),
    "produced name": ("journal", 1, "values", KEY),
    "verification": ("journal", 2, "verification", "summary"),
    "proof": ("journal", 2, "verification", "rows", 0, "table"),
    "kept from": ("journal", 3, "from"),
    "settled why": ("journal", 4, "why"),
    "settled outcome": ("journal", 4, "outcome"),
    "resolved by": ("journal", 5, "by"),
    "resolved evidence": ("journal", 5, "evidence"),
    "stopped by": ("journal", 6, "by"),
    "result summary": ("journal", 7, "result", "summary"),
    "result title": ("journal", 7, "result", "title"),
    "result remedy": ("journal", 7, "result", "remedy"),
    "result verdict": ("journal", 7, "result", "verdict"),
    "threshold unit": ("journal", 7, "result", "threshold", "unit"),
    "note": ("journal", 8, "text"),
    "failure": ("journal", 9, "message"),
    "next step": ("journal", 9, "next_step"),
    "reading row": ("journal", 10, "reading", "rows", 0, "table"),
    "reading column": ("journal", 10, "reading", "rows", 0, KEY),
    "reading unit": ("journal", 10, "reading", "units", "bytes"),
    "reading unknown": ("journal", 11, "reading", "unknown"),
    "journal cell": ("journal", 12, "cell"),
    "saved step": ("plan", "steps", 0, "step"),
    "saved title": (*_PLAN, "title"),
    "saved before": (*_PLAN, "before", "table"),
    "saved after": (*_PLAN, "after", "table"),
    "saved guide": (*_PLAN, "guide"),
    "saved reason": (*_PLAN, "reason"),
    "saved observed": (*_PLAN, "observed", KEY),
    "saved run": ("plan", "run"),
    "saved environment": ("plan", "environment"),
    "saved undo": ("plan", "parameters", "undo"),
    "saved expiry": ("plan", "expires_at"),
    "saved requester": ("plan", "requester"),
    "saved missing": ("plan", "missing", 0),
}
_CODE = ("notebook", "cells", 1)
_OUT = (*_CODE, "outputs")
NOTEBOOK = {
    "markdown cell": ("notebook", "cells", 0, "source"),
    "raw cell": ("notebook", "cells", 2, "source"),
    "source": (*_CODE, "source"),
    "stdout": (*_OUT, 0, "text"),
    "stderr": (*_OUT, 1, "text"),
    "stream name": (*_OUT, 1, "name"),
    "ename": (*_OUT, 2, "ename"),
    "evalue": (*_OUT, 2, "evalue"),
    "traceback": (*_OUT, 2, "traceback", 0),
    "plain": (*_OUT, 3, "data", "text/plain"),
    "html": (*_OUT, 4, "data", "text/html"),
    "html in a table": (*_OUT, 5, "data", "text/html", 1),
    "svg": (*_OUT, 6, "data", "image/svg+xml"),
    "picture": (*_OUT, 7, "data", display.MIME, "value", "svg"),
    "picture words": (*_OUT, 7, "data", display.MIME, "value", "alternative"),
    "javascript": (*_OUT, 8, "data", "application/javascript"),
    "latex": (*_OUT, 9, "data", "text/latex"),
    "markdown output": (*_OUT, 10, "data", "text/markdown"),
    "json": (*_OUT, 11, "data", "application/json", "a"),
    "widget view": (*_OUT, 12, "data", "application/vnd.jupyter.widget-view+json", "model_id"),
    "unknown type": (*_OUT, 13, "data", KEY),
    "png": (*_OUT, 14, "data", "image/png"),
    "png width": (*_OUT, 15, "metadata", "image/png", "width"),
    "png words": (*_OUT, 15, "data", "text/plain"),
    "jpeg": (*_OUT, 16, "data", "image/jpeg"),
    "kind of ours": (*_OUT, 17, "data", display.MIME, "kind"),
    "output type": (*_OUT, 18, "output_type"),
    "cell name": (*_CODE, "id"),
    "cell type": ("notebook", "cells", 2, "cell_type"),
    "tag": (*_CODE, "metadata", "tags", 0),
    "attachment": ("notebook", "cells", 0, "attachments", "a.png", "image/png"),
    "attachment name": ("notebook", "cells", 0, "attachments", KEY),
    "kernel": ("notebook", "metadata", "kernelspec", "display_name"),
    "lexer": ("notebook", "metadata", "language_info", "pygments_lexer"),
    "notebook title": ("notebook", "metadata", "title"),
    "author": ("notebook", "metadata", "authors", 0, "name"),
    "widget state": ("notebook", "metadata", "widgets", "state", "m", "state", "value"),
}
INDEX = {
    f"index {name}": ("run" if name not in ("reason", "state") else "result", field)
    for name, field in {
        "notebook": "notebook",
        "environment": "environment",
        "who": "requested_by",
        "started": "started_at",
        "reason": "reason",
        "state": "state",
    }.items()
}
PLACES = {**OURS, **NOTEBOOK, **INDEX}


def filled(place, text):
    """Return the files of a run, as JSON values, with ``text`` in one place of them."""
    said = copy.deepcopy(_plain())
    if place.startswith("saved"):
        said["run"]["mode"] = "plan"
    if place == "reason":
        # What stopped a run is told from its journal, where that says it.
        said["journal"] = [line for line in said["journal"] if line["event"] != "failed"]
    *way, last = PLACES[place]
    at = said
    for part in way:
        at = at[part]
    if last is KEY:
        at[text] = at.pop(next(iter(at)))
    else:
        at[last] = text
    return said


def page(folder, place, text):
    """Write the run into ``folder`` and return its report, or the index page that lists it."""
    said = filled(place, text)
    place_of_run = folder / "runs" / RUN_ID
    place_of_run.mkdir(parents=True)
    for name in ("run", "result", "plan"):
        if name in said:
            (place_of_run / f"{name}.json").write_text(json.dumps(said[name]))
    (place_of_run / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in said["journal"]))
    (place_of_run / "notebook.ipynb").write_text(json.dumps(said["notebook"]))
    if place in INDEX:
        return index.render([summary.read(folder, RUN_ID)], 0, 0)
    return report.render(place_of_run)


@cache
def _plain():
    plan = _json(samples.plan(before={"table": "a"}, after={"table": "b"}, observed={"sessions": 3}, unknown=("x",)))
    reading = {"probe": "p", "title": "Tables", "rows": [{"table": "a", "bytes": 1}], "units": {"bytes": "bytes"}}
    result = {**_json(samples.result()), "verdict": "WARNING"}
    looked = {"verdict": "OK", "summary": "There.", "rows": [{"table": "a"}]}
    lines = [
        {"event": "planned", "cell": "act", "step": "act", "plan": plan, "digest": "d" * 64},
        {"event": "applied", "cell": "act", "step": "act", "values": {"key": "k"}, "seconds": 1},
        {"event": "verified", "cell": "act", "step": "act", "verification": looked},
        {"event": "kept", "cell": "kept", "step": "kept", "from": RUN_ID, "evidence": {"plan": plan, "values": {}}},
        {"event": "settled", "cell": "act", "step": "broken", "outcome": "done", "why": "It is there.", "values": {}},
        {"event": "resolved", "cell": "act", "step": "seen", "outcome": "done", "by": "ann", "evidence": "I saw it."},
        {"event": "stopping", "by": "ann"},
        {"event": "result", "cell": "check", "result": result},
        {"event": "note", "cell": "journal", "text": "A note."},
        {"event": "failed", "cell": "act", "step": "other", "message": "It failed.", "next_step": "Look."},
        {"event": "reading", "cell": "journal", "reading": reading},
        {"event": "reading", "cell": "journal", "reading": {"title": "Away", "unknown": "Nobody could look."}},
        {"event": "cell-finished", "cell": "odd", "seconds": 0.5, "status": "ok"},
        {"event": "closed", "state": "failed", "verdict": "CRITICAL"},
    ]
    return {
        "run": _asked(),
        "result": _ended(),
        "journal": [{"seq": n, "time": "2026-11-23T13:06:15Z", "prev": "", **line} for n, line in enumerate(lines, 1)],
        "notebook": _notebook(),
        "plan": {
            "form": "opslib plan 1",
            "run": RUN_ID,
            "requester": "ann@valuecanvas",
            "environment": "lab",
            "parameters": {"undo": RUN_ID},
            "expires_at": "2026-11-23T14:06:14Z",
            "missing": ["approvals of two others"],
            "steps": [{"step": "act", "digest": "d" * 64, "plan": plan}],
        },
    }


def _json(value):
    return json.loads(json.dumps(samples.to_json(value)))


def _asked():
    said = dict.fromkeys(
        ("notebook", "title", "environment", "requested_by", "requester", "commit", "code_sha256"), "x"
    )
    said |= {"run": RUN_ID, "mode": "run", "how": "headless", "started_at": "2026-11-23T13:06:14Z"}
    said |= {"target": {"database": "d"}, "parameters": {"database": "d"}, "versions": {"opslib": "0.1.0"}}
    return said | {"applies": "a" * 64, "resumes": RUN_ID, "undoes": RUN_ID, "resolves": RUN_ID}


def _ended():
    agreed = {"principal": "bob@valuecanvas", "kind": "break-glass", "signed_at": "2026-11-23T13:00:00Z", "reason": "r"}
    said = {"state": "failed", "verdict": "CRITICAL", "exit_code": 5, "seconds": 3, "reason": "It failed."}
    return said | {"break_glass": True, "approvals": [agreed], "published": "s3://heads/1"}


def _notebook():
    drawing = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>'
    ours = {"kind": "picture", "value": {"title": "t", "alternative": "w", "svg": drawing}}
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "x"},
        {"output_type": "stream", "name": "stderr", "text": "x"},
        {"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["x", "y", "z", "a", "b", "c"]},
        *({**samples.output(data), "metadata": {"image/png": {"width": 1}}} for data in _data(drawing, ours)),
        {"output_type": "display_data"},
    ]
    bare = [
        {"cell_type": "code", "id": name, "source": "x", "outputs": []} for name in ("act", "kept", "journal", "odd")
    ]
    code = {"cell_type": "code", "id": "outputs", "source": "x = 1", "outputs": outputs, "metadata": {"tags": ["t"]}}
    text = {"cell_type": "markdown", "id": "text", "source": "x", "attachments": {"a.png": {"image/png": "x"}}}
    metadata = {"kernelspec": {"display_name": "x"}, "language_info": {"pygments_lexer": "python"}, "title": "x"}
    metadata |= {"authors": [{"name": "x"}], "widgets": {"state": {"m": {"state": {"value": "x"}}}}}
    return {"cells": [text, code, {"cell_type": "raw", "id": "raw", "source": "x"}, *bare], "metadata": metadata}


def _data(drawing, ours):
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
    return [
        {"text/plain": "x"},
        {"text/html": "x"},
        {"text/html": ["<table><tr><td>", "x", "</td></tr></table>"]},
        {"image/svg+xml": drawing},
        {display.MIME: ours},
        *({mime: "x", "text/plain": "x"} for mime in ("application/javascript", "text/latex", "text/markdown")),
        {"application/json": {"a": "x"}, "text/plain": "x"},
        {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "x"},
        {"text/odd": "x"},
        {"image/png": "x"},
        {"image/png": pixel, "text/plain": "x"},
        {"image/jpeg": "x"},
        {display.MIME: {"kind": "x", "value": {"a": 1}}},
    ]
