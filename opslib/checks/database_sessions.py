"""Checks of sessions: connection budget, blocking tree, long transactions, who keeps dead rows."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Threshold, Verdict
from opslib.pictures.figures import count, duration
from opslib.probes import database_sessions as probes

CONNECTION_USE = threshold("connection-use")

OPEN_SECONDS = threshold("transaction-open")
IDLE_SECONDS = threshold("transaction-idle")


def _judge_connections(reading: Reading) -> Judgement:
    worst = max(reading.rows, key=lambda row: row["used_percent"])
    free = worst["usable"] - worst["used"]
    verdict = CONNECTION_USE.judge(worst["used_percent"])
    said = (
        f"{worst['budget']}: {worst['used']} of {worst['usable']} usable connections in use "
        f"({worst['used_percent']:g} %, {free} free; {worst['idle']} idle, "
        f"{worst['idle_in_transaction']} idle in transaction)."
    )
    return Judgement(verdict, said, worst["used_percent"], reading.rows)


connection_use = Check(
    name="database-connection-use",
    title="Connections stay below 80 % of what applications may use",
    probe=probes.connection_budget,
    judge=_judge_connections,
    remedy=(
        "See who holds them (cell connection-holders). Many idle: lower that pool's size, or pool in transaction mode. "
        "Idle in transaction: fix that client, end the session with pg_terminate_backend(pid). Do not scale the "
        "application out now (runbooks/scale-for-high-traffic): every replica brings a pool of its own."
    ),
    threshold=CONNECTION_USE,
    items=("MON-DB-02T", "MON-DB-02A"),
)
"""Use of max_connections without the slots kept for superusers, and of each database's or role's own limit."""


def blocking(warning_seconds: float = 5, critical_seconds: float = 30) -> Check:
    """Return the check of sessions that wait for a lock.

    WARNING above ``warning_seconds`` of waiting, CRITICAL above ``critical_seconds``, or as soon as it is
    WARNING if the root is idle in transaction: that root waits for its client and may never end.
    """
    limits = threshold("session-waits", warning=warning_seconds, critical=critical_seconds)

    def judge(reading: Reading) -> Judgement:
        return _judge_blocking(reading, limits)

    return Check(
        name="database-blocking",
        title="Nobody waits long for a lock",
        probe=probes.blocking,
        judge=judge,
        remedy=(
            "End the root, not its victims: runbooks/end-blocking-session shows who it is and what is lost. A root at "
            "work may be cancelled instead, one idle in transaction not: pg_cancel_backend says true there and does "
            "nothing. Process 0: ROLLBACK PREPARED 'name' (pg_prepared_xacts). If an ALTER TABLE waits, cancel it, and "
            "repeat it with a lock_timeout (runbooks/migrate-database)."
        ),
        threshold=limits,
    )


def _judge_blocking(reading: Reading, limits: Threshold) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.OK, "Nobody waits for a lock.", 0)
    waits = {row["pid"]: row["waiting_seconds"] or 0.0 for row in reading.rows if row["blocked_by"]}
    longest = max(waits.values(), default=0.0)
    roots = [row for row in reading.rows if row["depth"] == 0]
    root = max(roots, key=lambda row: (row["victims_seconds"] or 0, row["victims"]))
    verdict = limits.judge(longest)
    resting = any(str(row["state"]).startswith(("idle in", "prepared")) and row["victims"] for row in roots)
    if verdict is Verdict.WARNING and resting:
        verdict = Verdict.CRITICAL
    said = (
        f"{count(len(waits))} session{'s wait' if len(waits) != 1 else ' waits'} for a lock, the longest for "
        f"{duration(longest)}. Root: process "
        f"{root['pid']} ({root['application']}, {root['state']}), {root['victims']} behind it, together "
        f"{duration(root['victims_seconds'] or 0)} of waiting."
    )
    if len(roots) > 1:
        said += f" {len(roots)} roots in all."
    return Judgement(verdict, said, longest, reading.rows)


def long_transactions(open_limits: Threshold = OPEN_SECONDS, idle_limits: Threshold = IDLE_SECONDS) -> Check:
    """Return the check of transactions open for long, and of those idle in transaction."""

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            return Judgement(Verdict.OK, "No other transaction is open.", 0)
        verdicts = [
            max(open_limits.judge(row["transaction_seconds"]), _idle(row["idle_seconds"], idle_limits), key=_rank)
            for row in reading.rows
        ]
        worst = max(range(len(verdicts)), key=lambda i: (_rank(verdicts[i]), reading.rows[i]["transaction_seconds"]))
        row = reading.rows[worst]
        state = f"idle for {duration(row['idle_seconds'])}" if row["idle_seconds"] is not None else row["state"]
        said = (
            f"{len(reading.rows)} open; the worst is that of process {row['pid']} ({row['application']}), open for "
            f"{duration(row['transaction_seconds'])}, {state}."
        )
        return Judgement(verdicts[worst], said, row["transaction_seconds"], reading.rows)

    return Check(
        name="database-long-transactions",
        title="No transaction is open for long",
        probe=probes.transactions,
        judge=judge,
        remedy=(
            "Ask its owner. Idle in transaction: the client forgot it; end it with SELECT pg_terminate_backend(pid), "
            "and its work is lost. At work: see its plan, and SELECT pg_cancel_backend(pid) if it must stop. Set "
            "idle_in_transaction_session_timeout for that role so that it cannot come back."
        ),
        threshold=open_limits,
        items=("TRB-ERR-08",),
    )


def _idle(seconds: float | None, limits: Threshold) -> Verdict:
    return Verdict.OK if seconds is None else limits.judge(seconds)


def _rank(verdict: Verdict) -> int:
    return list(Verdict).index(verdict)


def _judge_horizon(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.OK, "Nobody keeps dead rows from being removed.", 0)
    verdicts = []
    for row in reading.rows:
        if row["holder"] == "replication slot" and row["state"] == "inactive":
            verdicts.append(Verdict.WARNING)
        else:
            verdicts.append(_idle(row["seconds"], OPEN_SECONDS))
    verdict = max(verdicts, key=_rank)
    row = reading.rows[verdicts.index(verdict)]
    age = f", for {duration(row['seconds'])}" if row["seconds"] is not None else ""
    said = (
        f"Held back most by {row['holder']} {row['name']} ({row['state']}): {count(row['transactions'])} "
        f"transactions{age}."
    )
    return Judgement(verdict, said, row["seconds"], reading.rows)


xmin_horizon = Check(
    name="database-xmin-horizon",
    title="VACUUM can remove dead rows",
    probe=probes.xmin_horizon,
    judge=_judge_horizon,
    remedy=(
        "VACUUM removes no row that the first one in the table may still see, so end that first and vacuum after: a "
        "session with pg_terminate_backend(pid); a prepared transaction with ROLLBACK PREPARED; an inactive slot, "
        "whose consumer is known to be gone, with pg_drop_replication_slot('name'); a standby by ending the query "
        "there. Then runbooks/maintain-database."
    ),
    threshold=OPEN_SECONDS,
)
"""Who holds the horizon, for how long. An inactive slot that holds it is a WARNING whatever its age: nobody reads."""
