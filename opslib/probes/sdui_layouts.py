"""Server-driven pages as the database holds them, against what the product's source supports.

Of a page only its form is read: names of components and properties, versions, whether it is its organization's own,
whether a property has markup. What it says stays in the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opslib.model import Probe
from opslib.probes.questions import question
from opslib.probes.sdui_source import REGISTRY, SCHEMA, Source, supported
from opslib.systems.target import ReadTarget

KEYS = frozenset({"type", "version", "tenantId", "organizationId", "sections", "metadata"})
"""A page may have these and no others: its schema is strict."""
COMPONENT, DIRECTIVE = "component", "layout.directive"


def layouts(ref: str, newest: int) -> Probe:
    """Return the probe of the pages in the ``newest`` rows of each table that holds some.

    The first row (``what``: source) is what the commit ``ref`` of the checkout supports; then a row per page.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        source = supported(target.checkout, ref)
        asked = target.database.ask(question("sdui/layouts"), {"newest": newest})
        first = {
            "what": "source",
            "ref": ref,
            "commit": source.commit[:12],
            "supported": source.version,
            "components": sorted(source.components),
        }
        return [first, *(_page(row, source) for row in asked)]

    return Probe(
        name="sdui-layouts",
        title=f"Pages in the newest {newest} sessions, workflows and cases",
        read=read,
        source=f"opslib/probes/sql/sdui/layouts.sql · {SCHEMA}, {REGISTRY} at {ref}",
    )


def _page(row: Mapping[str, Any], source: Source) -> dict[str, Any]:
    sections = [dict(one) for one in row["sections"]]
    names = [one["component"] for one in sections if one["component"]]
    return {
        "what": "page",
        "held_by": row["held_by"],
        "row": row["row"],
        "moment": row["moment"],
        "version": row["version"],
        "errors": list(errors(row, sections)),
        "components": sorted(set(names)),
        "unknown": sorted({name for name in names if name not in source.components}),
        "coerced": sorted({name for one, name in _known(sections, source) if _coerced(one, source)}),
        "lacking": sorted(set(_lacking(sections, source))),
        "markup": sorted({one["component"] or "?" for one in sections if one["markup"]}),
        "own_tenant": row["own_tenant"],
    }


def errors(row: Mapping[str, Any], sections: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what of a page its schema refuses, in the schema's own order."""
    extra = sorted(set(row["keys"]) - KEYS)
    if extra:
        yield f"root: unknown keys {', '.join(extra)}"
    if "version" in row["keys"] and not _is_version(row["version"]):
        yield "version: no whole number from 1"
    if row["sections_are"] != "array":
        yield "sections: no list"
        return
    if not row["parts"]:
        yield "sections: at least one is required"
    if row["parts"] > len(sections):
        yield "sections: one is no object, or there are more than 100"
    for number, one in enumerate(sections):
        yield from (f"sections.{number}.{said}" for said in _section(one))


def _section(one: Mapping[str, Any]) -> Iterator[str]:
    if one["type"] not in (COMPONENT, DIRECTIVE):
        yield f"type: {one['type'] or 'nothing'} is neither {COMPONENT} nor {DIRECTIVE}"
        return
    if not one["component"]:
        yield "component: its name is required"
    if one["type"] == DIRECTIVE and not one["intent"]:
        yield "intent: is required"
    if one["type"] == COMPONENT and one["version"] is not None and not _is_version(one["version"]):
        yield "version: no whole number from 1"
    if one["props_are"] not in (None, "object"):
        yield "props: no object"


def _is_version(said: Any) -> bool:
    return isinstance(said, int) and not isinstance(said, bool) and said >= 1


def _known(sections: Sequence[Mapping[str, Any]], source: Source) -> Iterator[tuple[Mapping[str, Any], str]]:
    for one in sections:
        if one["component"] in source.components:
            yield one, one["component"]


def _coerced(one: Mapping[str, Any], source: Source) -> bool:
    known, asked = source.components[one["component"]].versions, one["version"]
    return bool(known) and _is_version(asked) and min(asked, source.version) not in known


def _lacking(sections: Sequence[Mapping[str, Any]], source: Source) -> Iterator[str]:
    for one, name in _known(sections, source):
        # A function can't be stored: what begins with "on" is put in by the browser.
        lacks = [prop for prop in source.components[name].demands if prop not in one["props"] and prop[:2] != "on"]
        if lacks and one["type"] == COMPONENT and not one["hydrated"]:
            yield f"{name} without {', '.join(lacks)}"


def unseen(newest: int) -> Probe:
    """Return the probe of sessions whose own user row level security shows nothing of the session's organization."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return target.database.ask(question("sdui/unseen"), {"newest": newest})

    return Probe(
        name="sdui-unseen",
        title=f"The newest {newest} sessions, and who is shown their organization's rows",
        read=read,
        source="opslib/probes/sql/sdui/unseen.sql",
    )
