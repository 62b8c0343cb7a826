"""Whether what both servers say supports a failover, who would lose by it, and what: rules on rows, and a probe.

A failover that was not needed costs what it would have saved: it is supported only where the primary serves neither us
nor its standby. Where a person knows more than the servers say, the person is named in the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from opslib.errors import Refused
from opslib.model import Probe, Row, now
from opslib.probes.database_asking import source_of
from opslib.probes.database_servers import PRIMARY, STANDBY, STATE, by_role, servers
from opslib.probes.questions import question
from opslib.systems.postgres import ReadOnlyDatabase
from opslib.systems.target import ReadTarget

MORE = question("database/failover_state")
Loser = Literal["by-evidence", "primary", "standby"]
"""Which server loses, as the description names it; by evidence: the one that does not serve."""
BY_EVIDENCE: Loser = "by-evidence"

ALIVE = frozenset({"authentication", "forbidden-host", "full", "shut", "no-database", "forbidden", "tls"})
"""Kinds of a refusal that a server gives which runs."""
VENDOR = "A managed failover is the vendor's: open a ticket with Supabase's support (diagnostics/supabase)."


@dataclass(frozen=True)
class Parties:
    """The server that loses and the one that takes over, as rows of :data:`servers`.

    ``promoted``: the successor takes writes already. ``against``: why the evidence supports no failover; none: it does.
    """

    former: Row
    successor: Row
    promoted: bool
    against: tuple[str, ...]


def parties(rows: Sequence[Row], loser: Loser = BY_EVIDENCE) -> Parties:
    """Return who loses and who takes over; raises Refused where there is no server that could, or nobody said which."""
    primary, standby = by_role(rows)
    if primary is None or standby is None:
        raise Refused("No standby is described (OPS_READ_STANDBY_DATABASE_URL): nothing could take over.", VENDOR)
    former, successor = _told(rows, loser) if loser != BY_EVIDENCE else _by_evidence(primary, standby)
    if not successor["answers"]:
        raise Refused(f"There is nothing to fail over to: {successor['reason']}", "See the other ways back above.")
    if former["answers"] and former["system_identifier"] != successor["system_identifier"]:
        raise Refused(
            f"{successor['address']} is a copy of another database: failing over would exchange the data.",
            "Correct the target description.",
        )
    against = tuple(_against(former, successor, loser))
    return Parties(former, successor, not successor["standby"], against)


def _told(rows: Sequence[Row], loser: Loser) -> tuple[Row, Row]:
    named = {row["meant_as"]: row for row in rows}
    return named[loser], named[STANDBY if loser == PRIMARY else PRIMARY]


def _by_evidence(primary: Row, standby: Row) -> tuple[Row, Row]:
    serving = [row for row in (primary, standby) if row["answers"] and not row["standby"]]
    if len(serving) == 2:
        raise Refused(
            f"Split brain: {primary['address']} and {standby['address']} both take writes, and what one of them took "
            "will be lost.",
            "Look at both, then say which one loses: -p lose=primary or -p lose=standby, as the description names it.",
        )
    # One serves and the other is gone: it took over already, or nothing happened to it.
    return (standby, primary) if serving and not standby["answers"] else (primary, standby)


def _against(former: Row, successor: Row, loser: Loser) -> list[str]:
    said = []
    if not successor["standby"]:
        if loser == BY_EVIDENCE and former["meant_as"] == STANDBY:
            said.append(f"{successor['address']} takes writes, as it is meant to; only its standby is gone")
        return said
    if former["answers"]:
        said.append(
            f"{former['address']} {'is a standby as well' if former['standby'] else 'answers and takes writes'}"
        )
    elif former["kind"] in ALIVE:
        said.append(f"{former['address']} runs, and refuses us: {former['reason']}")
    elif former["kind"] == "recovering":
        said.append(f"{former['address']} is starting, which may be over sooner than a failover")
    if successor["receiver"] == "streaming" and not former["answers"]:
        heard = successor["heard_seconds"] or 0.0
        said.append(f"{successor['address']} still streams from it and heard it {heard:g} s ago")
    return said


def lost(found: Parties, more: Row, at: datetime) -> str:
    """Return what a failover loses, as an upper bound with what it rests on; ``more``: MORE of the successor."""
    former, successor = found.former, found.successor
    if found.promoted:
        return (
            f"all that {former['address']} took by itself since {successor['address']} takes writes, however much "
            "that is; nothing where it took none"
        )
    if former["answers"] and not former["standby"]:
        missing = max(0, former["position_bytes"] - successor["received_bytes"])
        return (
            f"{missing} bytes of its log are not at {successor['address']} now; none once it is closed and the rest "
            "was fetched; else what it takes until it is off"
        )
    moment = more["last_commit_at"]
    if moment is None:
        return f"what {former['address']} acknowledged after the last commit that {successor['address']} has: unknown"
    age = max(0.0, (at - moment).total_seconds())
    return (
        f"no more than the last {age:.0f} s: what was acknowledged after {moment.isoformat()}, the last commit that "
        f"{successor['address']} has, until {former['address']} died"
    )


def server(target: ReadTarget, meant_as: str) -> ReadOnlyDatabase:
    """Return the session with a server by its name in the description, whatever its role is now."""
    return target.described_primary if meant_as == PRIMARY else target.standby


def more_of(target: ReadTarget, row: Row) -> Row:
    """Ask a server, given by its row, for its last commit and whom its commits would wait for."""
    (found,) = server(target, str(row["meant_as"])).ask(MORE)
    return found


def failover(loser: Loser = BY_EVIDENCE) -> Probe:
    """Return the probe of what a failover would do now; ``loser`` as the description names the server."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        try:
            found = parties(list(servers.read(target)), loser)
        except Refused as error:
            none = dict.fromkeys(("former", "successor", "lost", "lost_after"))
            return [{"supported": False, **none, "against": str(error)}]
        row = {"former": found.former["address"], "successor": found.successor["address"]}
        more = more_of(target, found.successor)
        against = "; ".join(found.against) or None
        # Of a server that answers nothing has to be lost, and of one that took writes beside the other nobody knows.
        after = None if found.former["answers"] or found.promoted else more["last_commit_at"]
        said = {"lost": lost(found, more, now()), "lost_after": after}
        return [{"supported": not found.against, **row, **said, "against": against}]

    return Probe(
        "database-failover",
        "Whether the evidence supports a failover, and what it would lose",
        read,
        f"{source_of(STATE)} · {source_of(MORE)}",
    )
