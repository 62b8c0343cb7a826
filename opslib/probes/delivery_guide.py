"""The guide in the product's repository, what its commands need there, and how far the notebooks carry it out.

Read from git's own objects at a commit, and from this program's own catalogue and notebooks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from opslib import files, places
from opslib.errors import Unreachable
from opslib.guide import catalogue
from opslib.guide.document import MERGED, NEEDED, NOTES, RESOURCES, Note
from opslib.model import Probe
from opslib.probes.delivery_sources import row_of
from opslib.systems.target import ReadTarget

FORM = ("When to use it", "What it changes", "How long it takes", "How to undo it", "Who approves")
"""What the first cell of every runbook answers."""
LARGEST = 4 * 1024 * 1024
_FIELD = re.compile(r"^\|\s*\**([A-Za-z ]+?)\**\s*\|\s*(.*?)\s*\|\s*$", re.MULTILINE)


def document(branch: str) -> Probe:
    """Return the probe of the guide itself at a branch: its digest, and what its own table of metadata says."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        path, commit = target.settings.guide_document, target.checkout.commit(branch)
        data = target.checkout.file(commit, path)
        if data is None:
            raise Unreachable(
                f"There is no {path} at {commit[:12]}.", "Name the guide's path in OPS_GUIDE_DOCUMENT.", "missing"
            )
        said = {name: value.strip() for name, value in _FIELD.findall(data.decode("utf-8", "replace"))}
        told = {"updated": _day(said.get("Last Updated", "")), "owner": said.get("Owner", "")}
        sha = hashlib.sha256(data).hexdigest()
        return [{"path": path, "commit": commit, "sha256": sha, **told, "cycle": said.get("Review Cycle", "")}]

    return Probe("guide-document", "The operations guide", read, f"git show {branch}:OPS_GUIDE_DOCUMENT")


def _day(text: str) -> date | None:
    for form in ("%B %d, %Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None


def resources(branch: str) -> Probe:
    """Return the probe of what the guide links to beside itself, and of the documents that it was merged from."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        commit = target.checkout.commit(branch)
        paths = [entry.path for entry in target.checkout.entries(commit)]
        home = target.settings.guide_document.rpartition("/")[0]
        linked = [f"{home}/{name}".lstrip("/") for name in RESOURCES]
        rows = [{"what": "linked", "document": path, "there": path if path in paths else ""} for path in linked]
        merged = [{"what": "merged", **row_of(name, paths)} for name in MERGED]
        return [{**row, "commit": commit} for row in (*rows, *merged)]

    return Probe("guide-resources", "Documents that the guide names", read, f"git ls-tree -r {branch}")


def needed(branch: str) -> Probe:
    """Return the probe of the files and folders that the guide's commands need in the product's repository."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        commit = target.checkout.commit(branch)
        paths = [entry.path for entry in target.checkout.entries(commit)]
        return [
            {
                "item": one.item,
                "path": one.path,
                "there": any(_is(path, one.path) for path in paths),
                "used_by": one.used_by,
                "instead": one.instead,
                "commit": commit,
            }
            for one in NEEDED
        ]

    return Probe("guide-files", "What the guide's commands need", read, f"git ls-tree -r {branch}")


def _is(path: str, wanted: str) -> bool:
    return path.startswith(wanted) if wanted.endswith("/") else path == wanted


def _carried_out(target: ReadTarget) -> list[dict[str, Any]]:
    done = {place.id for place in catalogue.places()}
    missing: dict[str, list[str]] = {}
    for item in catalogue.items().values():
        if item.id not in done:
            missing.setdefault(item.notebook, []).append(item.id)
    return [{**row, "missing": ", ".join(missing.get(str(row["notebook"]), []))} for row in catalogue.coverage()]


carried_out = Probe(
    "guide-carried-out", "The guide's items by notebook", _carried_out, "opslib/guide/items.tsv and map.tsv"
)
"""A row per notebook of the guide: how many items are its own, how many a cell carries out, and which none does."""


def _notes(target: ReadTarget) -> list[dict[str, Any]]:
    places: dict[str, list[str]] = {}
    for place in catalogue.places():
        places.setdefault(place.id, []).append(place.notebook)
    formless = _formless()
    return [_note(note, places, formless if note.item == "META-NOTE-02" else ()) for note in NOTES]


def _note(note: Note, places: dict[str, list[str]], formless: Sequence[str]) -> dict[str, Any]:
    own = [item for item in catalogue.items() if item.startswith(note.items)]
    nowhere = [item for item in own if item not in places]
    astray = [item for item in own if any(not one.startswith(note.notebooks) for one in places.get(item, ()))]
    return {
        "item": note.item,
        "says": note.says,
        "items": len(own),
        "nowhere": ", ".join(nowhere),
        "astray": ", ".join(astray),
        "without_form": ", ".join(formless),
    }


def _formless() -> list[str]:
    """Return the runbooks whose first cell does not answer what each has to answer."""
    folder = places.notebooks_folder() / "runbooks"
    found = sorted(folder.glob("*.ipynb"))
    if not found:
        raise Unreachable(f"There is no notebook in {folder}.", "Look at OPS_NOTEBOOKS.", "missing")
    said = {path.stem: json.loads(files.read_plain(path, LARGEST)) for path in found}
    first = {name: "".join(book["cells"][0]["source"]) for name, book in said.items()}
    return [name for name, text in first.items() if not all(f"**{word}:**" in text for word in FORM)]


notes = Probe(
    "guide-notes", "The notes on the guide's restructuring", _notes, "opslib/guide/map.tsv, the notebooks' first cells"
)
"""A row per note: the items that it speaks of, which of them no cell carries out, and which elsewhere than it says."""
