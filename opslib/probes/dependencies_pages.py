"""Vendors' status pages, as far as the product needs what they speak of: one row per page, component and open event.

A page that cannot be read is a row that says why; the others are read all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from opslib.errors import OpsError, Unreachable
from opslib.model import Probe
from opslib.systems.status_page_forms import Component, Event, Page, State
from opslib.systems.target import ReadTarget

AT_ONCE = 8
MOST_EVENTS = 5
"""Events of one page that become rows; the worst come first, and the rest is counted."""
NOT_LISTED = "not listed"
HOSTER = "hoster"
"""Stands for the hoster that the target description names."""
_ORDER = (State.OUTAGE, State.UNKNOWN, State.PARTIAL, State.DEGRADED, State.OPERATIONAL, State.MAINTENANCE)


def pages(*vendors: str) -> Probe:
    """Return the probe of the pages of ``vendors``, or of all that the description names and the guide asks for.

    ``hoster`` means the hoster that the description names (OPS_HOSTER).
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        named = [_hoster(target) if one == HOSTER else one for one in vendors or _every(target)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda vendor: list(_rows(target, vendor)), named)
            return [row for rows in found for row in rows]

    return Probe(
        "dependencies-pages",
        "Vendors' status pages",
        read,
        source="GET each address of OPS_STATUS_PAGES",
        units={"age": "s"},
    )


GUIDES = ("supabase", "together")
"""Vendors whose status pages the guide names (SUP-SLF-05)."""


def _every(target: ReadTarget) -> tuple[str, ...]:
    vendors = target.status_pages.vendors
    if not vendors:
        raise Unreachable("OPS_STATUS_PAGES names no status page.", "Describe the vendors' feeds (docs/production.md).")
    return tuple(dict.fromkeys((*vendors, *GUIDES)))


def _hoster(target: ReadTarget) -> str:
    return target.settings.hoster or HOSTER


def _rows(target: ReadTarget, vendor: str) -> Iterator[dict[str, Any]]:
    try:
        if vendor == HOSTER:
            raise Unreachable("OPS_HOSTER is not in the target description.", "Say who serves the front end.")
        page = target.status_pages.page(vendor)
    except OpsError as error:
        yield _row(vendor, "page", vendor, why=str(error))
        return
    needed = target.settings.needed(vendor)
    why = "" if needed else f"OPS_STATUS_COMPONENTS names nothing that the product needs of {vendor}."
    events = [(event, met) for event in page.events if (met := _met(event, page, needed)) is not None]
    events.sort(key=lambda one: _ORDER.index(one[0].impact))
    more = len(page.events) - len(events[:MOST_EVENTS])
    yield _row(vendor, "page", page.name, page.form, others=more, updated=page.updated, age=round(page.age), why=why)
    if page.components is not None:
        for name in needed:
            yield _component(vendor, name, page.components)
    for event, met in events[:MOST_EVENTS]:
        yield _row(
            vendor,
            "maintenance" if event.maintenance else "incident",
            event.title,
            str(event.impact),
            event.word,
            meets=", ".join(met),
            begun=event.begun,
            begins=event.begins,
            ends=event.ends,
        )


def _component(vendor: str, name: str, listed: tuple[Component, ...]) -> dict[str, Any]:
    called = [one for one in listed if one.is_called(name)]
    if not called:
        near = get_close_matches(name, [one.name for one in listed], n=1)
        why = f"The page has no {name!r}" + (f"; it has {near[0]!r}." if near else ".")
        return _row(vendor, "component", name, NOT_LISTED, why=why)
    worst = min(called, key=lambda one: _weight(one.state))
    return _row(vendor, "component", name, str(worst.state), worst.word)


def _weight(state: State) -> int:
    # A component that is being maintained is not operational.
    order = (State.OUTAGE, State.UNKNOWN, State.PARTIAL, State.DEGRADED, State.MAINTENANCE, State.OPERATIONAL)
    return order.index(state)


def _met(event: Event, page: Page, needed: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the needed components that an event names; nothing where it names none at all; None where only others."""
    if not event.components:
        return ()
    called = [one for one in page.components or () if one.name in event.components]
    met = tuple(
        name for name in needed if name in event.components or any(component.is_called(name) for component in called)
    )
    return met or None


def _row(
    vendor: str,
    what: str,
    name: str,
    state: str = "",
    word: str = "",
    *,
    meets: str = "",
    begun: bool | None = None,
    begins: datetime | None = None,
    ends: datetime | None = None,
    updated: datetime | None = None,
    age: float | None = None,
    others: int = 0,
    why: str = "",
) -> dict[str, Any]:
    return {
        "vendor": vendor,
        "what": what,
        "name": name,
        "state": state,
        "word": word,
        "meets": meets,
        "begun": begun,
        "begins": begins and begins.isoformat(timespec="seconds"),
        "ends": ends and ends.isoformat(timespec="seconds"),
        "updated": updated and updated.isoformat(timespec="seconds"),
        "age": age,
        "others": others,
        "why": why,
    }
