"""A change of the API's name followed: Route 53's own word, each of the zone's name servers, resolvers, the API itself.

INSYNC is Route 53's word for its own servers and is never enough: each of them is asked, then those who keep answers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from opslib.actions.base import Progress
from opslib.errors import OpsError
from opslib.model import Row, Verdict, Verification
from opslib.probes import dependencies_records as records
from opslib.probes import dependencies_sites as sites
from opslib.systems.names_servers import Server, Told
from opslib.systems.target import ReadTarget
from opslib.systems.zones import INSYNC, RecordSet

NOT_TOLD = "nothing (it could not be asked)"
PAUSE_SECONDS = 1.0
MARGIN_SECONDS = 2.0
"""Between the last name server's change and a resolver's look at it; times to live are whole seconds."""


@dataclass(frozen=True)
class Followed:
    """What is followed: the change's id (None: its answer was lost), the record sets wanted, the places left."""

    change: str | None
    wanted: Sequence[RecordSet]
    left: Sequence[str]
    keeps: int | None
    """For how many seconds resolvers may go on answering as before; None: nobody knows."""


@dataclass(frozen=True)
class Look:
    """One look at all of them. ``status``: Route 53's word, "" where the change has no id to ask by."""

    status: str
    told: tuple[Told, ...]
    wanted: Sequence[RecordSet]
    left: Sequence[str]

    @property
    def servers(self) -> list[Told]:
        """Return what the zone's own name servers say."""
        return [one for one in self.told if not one.server.resolves]

    @property
    def resolvers(self) -> list[Told]:
        """Return what those say who keep answers."""
        return [one for one in self.told if one.server.resolves]

    def right(self, one: Told) -> bool:
        """Tell whether an answer is the one that is wanted."""
        return records.answered(self.wanted, one, self.left)

    @property
    def served(self) -> bool:
        """Whether Route 53 says so and each of the zone's name servers answers so."""
        return self.status in (INSYNC, "") and bool(self.servers) and all(map(self.right, self.servers))

    @property
    def drained(self) -> bool:
        """Whether nobody who was asked answers as before."""
        return self.served and all(map(self.right, self.resolvers))


def everybody(target: ReadTarget) -> tuple[Server, ...]:
    """Return who is asked: the zone's name servers and resolvers. Found before a change, for it is of no use after.

    Raises OpsError where the zone's name servers cannot be found.
    """
    return (*sites.authoritative(target, sites.kept(target).zone), *sites.asked(target.settings))


def _look(target: ReadTarget, servers: Sequence[Server], followed: Followed) -> Look:
    try:
        status = target.zones.status(followed.change) if followed.change else ""
    except OpsError:
        status = NOT_TOLD
    told = target.name_servers.ask(servers, target.settings.api_host)
    return Look(status, tuple(told), followed.wanted, followed.left)


def follow(
    target: ReadTarget,
    servers: Sequence[Server],
    followed: Followed,
    wait_seconds: float,
    progress: Progress | None = None,
) -> tuple[Look, float]:
    """Look until nobody answers as before, at most for ``wait_seconds``; returns the last look and the seconds.

    Once the name servers all answer as wanted, resolvers are waited for as long as they may keep what they had.
    """
    began = time.monotonic()
    until, drain = began + wait_seconds, None
    while True:
        seen = _look(target, servers, followed)
        now = time.monotonic()
        if seen.served and drain is None:
            drain = now + (wait_seconds if followed.keeps is None else followed.keeps + MARGIN_SECONDS)
        if seen.drained or now >= until or (drain is not None and now >= drain):
            return seen, round(now - began, 1)
        if progress is not None:
            count = sum(map(seen.right, seen.told))
            progress(
                f"{count} of {len(seen.told)} answer as wanted; Route 53: {seen.status or '?'}", count, len(seen.told)
            )
        time.sleep(PAUSE_SECONDS)


def judged(target: ReadTarget, followed: Followed, seen: Look, waited: float) -> Verification:
    """Return what the last look says, and whether the API is there by its name."""
    rows = [*_rows(seen)]
    wrong = [one for one in seen.servers if not one.why and not seen.right(one)]
    silent = [one for one in seen.told if one.why]
    if wrong:
        word = f"though Route 53 says {seen.status}" if seen.status == INSYNC else "yet"
        said = f"{len(wrong)} of {len(seen.servers)} name servers do not answer so, {word}: {_names(wrong)}."
        return Verification(Verdict.CRITICAL, said, tuple(rows))
    door, doors = _through(target, seen)
    rows += doors
    if door is not None:
        return Verification(Verdict.CRITICAL, door, tuple(rows))
    if silent or not seen.servers or not seen.resolvers:
        why = f"{_names(silent)}: {silent[0].why}" if silent else "no name server or no resolver is known"
        return Verification(Verdict.UNKNOWN, f"Not everybody could be asked: {why}.", tuple(rows))
    if seen.status not in (INSYNC, ""):
        said = f"All answer as wanted, and Route 53 still says {seen.status} after {waited:g} s."
        return Verification(Verdict.WARNING, said, tuple(rows))
    if late := [one for one in seen.resolvers if not seen.right(one)]:
        may = "as they may" if followed.keeps is None or waited < followed.keeps else "longer than they may"
        left = max((one.seconds or 0 for one in late), default=0)
        said = (
            f"{len(late)} of {len(seen.resolvers)} resolvers answer as before, {may}, for {left} s yet: {_names(late)}."
        )
        return Verification(Verdict.WARNING, said, tuple(rows))
    lost = "" if seen.status else " Route 53's own word was lost with its answer; the name servers are the proof."
    said = f"{len(seen.servers)} name servers and {len(seen.resolvers)} resolvers say so, and the API is ready there."
    return Verification(Verdict.OK, f"{said}{lost}", tuple(rows))


def _through(target: ReadTarget, seen: Look) -> tuple[str | None, list[Row]]:
    """Ask the API where those say who answer as wanted; returns what is amiss, and a row per address."""
    addresses = sorted({address for one in seen.told if seen.right(one) for address in one.addresses})
    if not addresses:
        addresses = _behind_alias(target, seen)
    rows: list[Row] = []
    bad = None
    for address in addresses:
        state, why = sites.at_door(target, address)
        rows.append({"role": "API", "asked": address, "answers": state, "ttl": None, "as wanted": state in sites.WELL})
        if state not in sites.WELL:
            bad = f"The name leads to {address}, and the API is not ready there ({state}): {why}"
    return (None if addresses else "The name leads to no address.") if bad is None else bad, rows


def _behind_alias(target: ReadTarget, seen: Look) -> list[str]:
    """Return the addresses of the name that a CNAME leads to: authoritative servers need not say them."""
    found: list[str] = []
    for name in sorted({one.alias for one in seen.told if one.alias and seen.right(one)}):
        try:
            found += target.names.look_up(name).addresses
        except OpsError:
            continue
    return found


def _rows(seen: Look) -> list[Row]:
    return [
        {
            "role": sites.RESOLVER if one.server.resolves else sites.NAME_SERVER,
            "asked": one.server.name,
            "answers": one.why or ", ".join((*filter(None, [one.alias]), *one.addresses)) or "nothing",
            "ttl": one.seconds,
            "as wanted": seen.right(one),
        }
        for one in seen.told
    ]


def _names(told: Sequence[Told]) -> str:
    return ", ".join(one.server.name for one in told)
