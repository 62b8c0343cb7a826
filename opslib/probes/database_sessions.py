"""Who is connected, who waits for whom, and whose transaction is old (pg_stat_activity, pg_locks)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from opslib.model import Probe
from opslib.probes.database_asking import asks, look, shown, source_of
from opslib.probes.questions import question
from opslib.systems.target import ReadTarget

connection_budget = asks("connection_budget", sight=True, units={"used_percent": "%"})
"""One row for the server and one for each database or role with a limit of its own; this session not counted."""

connections = asks(
    "connections", sight=True, units={"longest_in_state_seconds": "seconds", "oldest_session_seconds": "seconds"}
)
"""Sessions by application, user, database and state; this session not counted."""

transactions = asks("transactions", sight=True, units={"transaction_seconds": "seconds", "idle_seconds": "seconds"})
"""Open transactions, oldest first; literals in statements masked."""

xmin_horizon = asks("xmin_horizon", sight=True, units={"transactions": "transactions", "seconds": "seconds"})
"""Sessions, prepared transactions, slots and standbys that keep dead rows from being removed, worst first."""

held_locks = asks("held_locks", sight=True)
"""Locks on tables that the blocking sessions hold: process, mode, how many relations, the first five."""

strong_locks = asks("strong_locks", sight=True, units={"transaction_seconds": "seconds"})
"""Locks on tables beyond those that reading and writing rows takes, whether anybody waits for them or not."""

roles = asks("roles", sight=True)
"""Roles with their sessions, their limit and what they may; of their own settings the names, for values may be keys."""


pooling = asks("pooling", sight=True, primary=True)
"""One row: sessions and transactions of this database since its counters began, and sessions of known poolers."""


def _blocking(target: ReadTarget) -> list[dict[str, Any]]:
    look(target)
    return tree([shown(row) for row in target.database.ask(question("database/blocking"))])


blocking = Probe(
    "database-blocking",
    question("database/blocking").title,
    _blocking,
    source_of(question("database/blocking")),
    {"transaction_seconds": "seconds", "waiting_seconds": "seconds", "victims_seconds": "seconds"},
)
"""The blocking tree, each session once and below the one nearest to its root; no rows: nobody waits.

``depth`` 0 is a root. ``victims`` counts the sessions that wait for this one, directly or through others,
``victims_seconds`` adds up how long they have waited. Row, table, advisory and other locks alike; a
prepared transaction is process 0.
"""


def tree(sessions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return blocked and blocking sessions in the order of drawing, with ``depth`` and ``root``.

    A session may wait for several others, and (for a moment, until the server's deadlock check) in a
    circle; each is placed once. A circle nobody else leads to gets its worst session as root.
    """
    by_pid = {session["pid"]: session for session in sessions}
    waiters: dict[int, list[int]] = {pid: [] for pid in by_pid}
    for pid, session in by_pid.items():
        for blocker in session["blocked_by"]:
            waiters.setdefault(blocker, []).append(pid)
    placed: dict[int, tuple[int, int | None, int]] = {}
    free = [pid for pid in by_pid if not by_pid[pid]["blocked_by"]]
    _place(free, waiters, placed)
    for pid in by_pid:
        if pid not in placed:
            _place([pid], waiters, placed)
    return list(_drawn(by_pid, placed))


def _place(
    roots: Sequence[int], waiters: Mapping[int, list[int]], placed: dict[int, tuple[int, int | None, int]]
) -> None:
    """Place what hangs on ``roots``, nearest first: process -> (depth, parent, root)."""
    placed.update({root: (0, None, root) for root in roots})
    line = deque(roots)
    while line:
        pid = line.popleft()
        depth, _, root = placed[pid]
        for waiter in waiters[pid]:
            if waiter not in placed:
                placed[waiter] = (depth + 1, pid, root)
                line.append(waiter)


def _drawn(
    by_pid: Mapping[int, Mapping[str, Any]], placed: Mapping[int, tuple[int, int | None, int]]
) -> list[dict[str, Any]]:
    below: dict[int | None, list[int]] = {}
    for pid in by_pid:
        below.setdefault(placed[pid][1], []).append(pid)
    rows: list[dict[str, Any]] = []
    stack = list(reversed(below.get(None, [])))
    while stack:
        pid = stack.pop()
        depth, _, root = placed[pid]
        rows.append({"depth": depth, **by_pid[pid], "root": root})
        stack.extend(reversed(below.get(pid, [])))
    return rows
