"""Each server of the database, asked for itself: does it answer, in which role, how far has it come?

A standby's word about its primary and a primary's about its standbys are both needed: when one of them is gone, only
the other one can say what it last heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opslib.errors import OpsError
from opslib.model import Probe, Row
from opslib.probes.database_asking import source_of
from opslib.probes.questions import question
from opslib.systems.postgres import ReadOnlyDatabase
from opslib.systems.target import ReadTarget

STATE = question("database/server_state")
PRIMARY, STANDBY = "primary", "standby"
"""What the description calls a server. Roles change; the description does not."""


def _servers(target: ReadTarget) -> list[dict[str, Any]]:
    settings = target.settings
    # The standby first: what the primary writes between the two looks is then counted as behind, not as there.
    rows = [_state(STANDBY, target.standby)] if settings.read_standby_url else []
    rows.append(_state(PRIMARY, target.described_primary))
    return [row | {"meant": settings.standbys} for row in reversed(rows)]


def _state(meant_as: str, server: ReadOnlyDatabase) -> dict[str, Any]:
    row: dict[str, Any] = {"meant_as": meant_as, "address": server.url.public}
    try:
        (said,) = server.ask(STATE)
    except OpsError as error:
        # That one of them does not answer is what this is asked for, not a failure to look.
        return row | {"answers": False, "kind": getattr(error, "kind", ""), "reason": str(error)}
    return row | {"answers": True, "kind": "", "reason": None} | said


def by_role(rows: Sequence[Row]) -> tuple[Row | None, Row | None]:
    """Return the rows of primary and standby as they are now, from those of :data:`servers`.

    They are those of the description unless the other one takes writes in the first one's stead, or the first one is
    a standby and the other does not answer. Of two that take writes, or two standbys, each counts as described.
    """
    named = {row["meant_as"]: row for row in rows}
    first, second = named.get(PRIMARY), named.get(STANDBY)
    if first is None or second is None:
        return first, second
    led = second["answers"] and not second["standby"]
    if (first["answers"] and first["standby"] and (led or not second["answers"])) or (led and not first["answers"]):
        return second, first
    return first, second


servers = Probe(
    "database-servers",
    "Which servers does the database have, and which of them takes writes?",
    _servers,
    source_of(STATE),
    {
        **dict.fromkeys(("position_bytes", "received_bytes", "not_replayed_bytes", "piece_bytes"), "bytes"),
        **dict.fromkeys(("heard_seconds", "last_commit_seconds", "replay_lag_seconds"), "s"),
        **dict.fromkeys(("keeps_every_seconds", "last_kept_seconds", "last_failed_seconds"), "s"),
    },
)
"""A row per server of the description, the primary's address first; ``answers`` False with ``kind`` and ``reason``.

``last_commit_seconds`` is the age of the last commit that a standby has: it grows on an idle primary too, so it is lag
only while something is still to be replayed. ``position_bytes`` and ``received_bytes`` count from the log's beginning.
"""
