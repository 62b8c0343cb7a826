"""Why a standby receives nothing, as far as both servers tell: its log-in, its slot, its way to the primary.

A password that is wrong, a line of pg_hba.conf and a network between two other machines nobody sees from here: where
all that is seen is well, the standby's own log says which of these it is. Sources: PostgreSQL manual,
"primary_conninfo", "pg_replication_slots" (wal_status), "CREATE ROLE" (LOGIN, REPLICATION, VALID UNTIL).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opslib.errors import OpsError
from opslib.model import Probe, Row
from opslib.probes.database_asking import source_of
from opslib.probes.questions import question
from opslib.systems.target import ReadTarget

LEADS, LET_IN = question("database/standby_leads"), question("database/standby_let_in")
LOG_IN, SLOT, WAY = "log-in", "slot", "way there"
WELL, WRONG, UNSEEN = "well", "wrong", "not seen"
STREAMING = "streaming"
NO_LOGIN = "the role may not log in (NOLOGIN)"


def _way(target: ReadTarget) -> list[dict[str, Any]]:
    if target.settings.read_standby_url is None:
        return []
    try:
        (leads,) = target.standby.ask(LEADS)
    except OpsError as error:
        return [_row(WAY, UNSEEN, error.message)]
    if not leads["standby"]:
        return [_row(WAY, UNSEEN, "the described standby takes writes: it follows nobody")]
    (let,) = target.database.ask(LET_IN, {"role": leads["role"] or "", "slot": leads["slot"] or ""})
    return judged(leads, let)


def judged(leads: Mapping[str, Any], let: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row each of log-in, slot and way, from what the standby and the primary say."""
    if leads["receiver"] == STREAMING:
        return [_row(thing, WELL, "it streams", leads) for thing in (LOG_IN, SLOT, WAY)]
    return [_row(LOG_IN, *_log_in(leads, let), leads), _row(SLOT, *_slot(leads, let), leads), _there(leads, let)]


def _row(thing: str, state: str, why: str, leads: Mapping[str, Any] | None = None) -> dict[str, Any]:
    said = leads or {}
    return {"thing": thing, "state": state, "why": why, "role": said.get("role"), "slot": said.get("slot")}


def _log_in(leads: Mapping[str, Any], let: Mapping[str, Any]) -> tuple[str, str]:
    if not leads["role"]:
        return UNSEEN, "primary_conninfo names no role"
    if not let["known"]:
        return WRONG, "the primary has no such role"
    if not let["logs_in"]:
        return WRONG, NO_LOGIN
    if not let["replicates"]:
        return WRONG, "the role may log in, and not replicate (NOREPLICATION)"
    if let["expired"]:
        return WRONG, f"its password counts no more since {let['valid_until']} (VALID UNTIL)"
    if let["connections_at_most"] == 0:
        return WRONG, "the role may have no connection (CONNECTION LIMIT 0)"
    return UNSEEN, "the role may log in; whether its password and pg_hba.conf let it, the standby's log says"


def _slot(leads: Mapping[str, Any], let: Mapping[str, Any]) -> tuple[str, str]:
    if not leads["slot"]:
        return WELL, "it uses none: the primary keeps for it what wal_keep_size says"
    if not let["slot_there"]:
        return WRONG, "the primary has no such slot: it was dropped"
    if let["slot_type"] != "physical":
        return WRONG, f"the slot is a {let['slot_type']} one"
    if let["wal_status"] == "lost":
        return WRONG, "what the slot kept is gone (lost): the standby is copied anew"
    if let["slot_used"]:
        return WRONG, "somebody else reads through the slot"
    return WELL, f"it is there and keeps the log ({let['wal_status']})"


def _there(leads: Mapping[str, Any], let: Mapping[str, Any]) -> dict[str, Any]:
    where = f"{leads['host'] or 'no host'}:{leads['port'] or 5432}"
    if let["standby"]:
        return _row(WAY, WRONG, f"it leads to {where}, and the server that answers us takes no writes", leads)
    if let["senders"] >= let["senders_at_most"]:
        return _row(WAY, WRONG, f"the primary has all {let['senders_at_most']} senders in use (max_wal_senders)", leads)
    return _row(WAY, UNSEEN, f"it leads to {where}; whether that is reached, the standby's log says", leads)


def wrong(rows: list[Row]) -> list[Row]:
    """Return the rows of what is wrong for certain."""
    return [row for row in rows if row["state"] == WRONG]


standby_way = Probe(
    "database-standby-way",
    "Why the standby receives nothing: log-in, slot, way there",
    _way,
    source="; ".join(map(source_of, (LEADS, LET_IN))),
)
"""A row each: ``thing``, ``state`` (well, wrong, not seen), ``why``; no rows where no standby is described."""
