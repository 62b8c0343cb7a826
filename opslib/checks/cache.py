"""Checks of Redis or Valkey: reach, memory, traffic, clients, disk and replicas.

What is stored, what waits and what is slow is judged in :mod:`opslib.checks.cache_content` and offered
here too. The guide names no limit for the cache but PONG; the others say where they come from.
"""

from __future__ import annotations

from opslib.checks.cache_content import command_times, key_census, policy, queue, slow_commands, streams, worst_of
from opslib.checks.cache_warm import warm_up_route
from opslib.checks.cache_workload import workload
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.pictures.figures import count, duration, size
from opslib.probes import cache as probes

__all__ = [
    "clients",
    "command_times",
    "hit_ratio",
    "key_census",
    "memory",
    "memory_on_host",
    "persistence",
    "policy",
    "pressure",
    "queue",
    "reachable",
    "replication",
    "slow_commands",
    "streams",
    "warm_up_route",
    "workload",
]

ANSWER = threshold("cache-answer")
USE = threshold("cache-memory-use")
HOST_SHARE = threshold("cache-share-of-host")
HIT_RATIO = threshold("cache-hit-ratio")
CLIENT_USE = threshold("cache-client-use")
FRAGMENTED, SWAPPED = 1.5, 0.95
SILENT_SECONDS = 10
UNSAVED_SECONDS = 3600


def _judge_reachable(reading: Reading) -> Judgement:
    row = reading.row
    if row["answer"] is None:
        return Judgement(Verdict.CRITICAL, str(row["reason"]), None, reading.rows)
    if row["answer"] != "PONG":
        return Judgement(Verdict.CRITICAL, f"PING was answered with {row['answer']!r}, not PONG.", None, reading.rows)
    worst, who = row["worst"], row.get("server", "it")
    summary = f"{row['address']} ({who}) answers PONG; the slowest of {probes.PINGS} took {worst:g} ms."
    return Judgement(ANSWER.judge(worst), summary, worst, reading.rows)


reachable = Check(
    name="cache-reachable",
    title="The cache answers PONG within 1 s",
    probe=probes.reachable,
    judge=_judge_reachable,
    remedy=(
        "Compare the address above with the application's REDIS_URL: the guide's redis-cli INFO and FLUSHDB name no "
        "server (-u) and would talk to localhost. Nothing listens: disaster/recover-everything with services=redis."
    ),
    threshold=ANSWER,
    items=("ENV-VER-02",),
)
"""PING against the guide's PONG. Refused, overloaded or loading is CRITICAL; our own log-in or DNS, UNKNOWN."""


def _judge_memory(reading: Reading) -> Judgement:
    row = reading.row
    if row["limit"] is None:
        return Judgement(Verdict.UNKNOWN, "The server does not tell its maxmemory.", None, reading.rows)
    if row["limit"] == 0:
        said = f"maxmemory is 0, no limit: {size(row['used'])} used, and when the host is full the system kills it."
        return Judgement(Verdict.CRITICAL, said, None, reading.rows)
    said = f"{row['use']:g} % of {size(row['limit'])} used; at the limit: {row['policy']}."
    return Judgement(USE.judge(row["use"]), said, row["use"], reading.rows)


memory = Check(
    name="cache-memory",
    title="Memory of the cache is within maxmemory",
    probe=probes.memory,
    judge=_judge_memory,
    remedy=(
        "See in the census which family holds it. runbooks/maintain-cache removes keys of the cache's own prefix only; "
        "the guide's FLUSHDB would delete queued jobs, rate limits and usage counts with them. For more memory: "
        "runbooks/scale-for-high-traffic, which holds maxmemory against the host first and keeps it over a restart."
    ),
    threshold=USE,
    items=("MNT-CCH-01",),
)
"""Use of maxmemory; no maxmemory at all is CRITICAL."""


def memory_on_host(floor_bytes: int = 2**30) -> Check:
    """What the server takes from its host: maxmemory against the host, and fragmentation above ``floor_bytes``."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        limit, host, resident, ratio = (
            row["limit"],
            row["host"],
            row["resident"],
            row["fragmentation"],
        )
        share = round(100 * (limit or row["used"]) / host, 1) if host else None
        said = "The host's memory is not told" if share is None else f"{share:g} % of the host's {size(host)}"
        found = [(HOST_SHARE.judge(share), said)]
        if ratio is None or resident is None:
            found.append((Verdict.UNKNOWN, "fragmentation is not told"))
        elif max(resident, row["used"]) <= floor_bytes:
            found.append((Verdict.OK, f"fragmentation {ratio:g} says nothing below {size(floor_bytes)}"))
        elif ratio > FRAGMENTED:
            found.append((Verdict.WARNING, f"fragmentation {ratio:g}: {size(resident)} resident"))
        elif ratio < SWAPPED:
            found.append((Verdict.WARNING, f"fragmentation {ratio:g}: part of it is swapped out"))
        else:
            found.append((Verdict.OK, f"fragmentation {ratio:g}"))
        return worst_of(found, share, reading)

    return Check(
        name="cache-memory-on-host",
        title="The cache fits its host",
        probe=probes.memory,
        judge=judge,
        remedy=(
            "Lower maxmemory or enlarge the host by runbooks/scale-for-high-traffic; the guide's CONFIG SET maxmemory "
            "4gb looks at neither host nor container limit. Fragmented: activedefrag, or a restart after a snapshot."
        ),
        threshold=HOST_SHARE,
    )


def pressure(window_seconds: float = 10.0) -> Check:
    """Evictions, refused writes and rejected connections within ``window_seconds``."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        if row["restarted"]:
            return Judgement(Verdict.UNKNOWN, "The counters began anew meanwhile; look again.", None, reading.rows)
        signs = (
            ("writes_refused", Verdict.CRITICAL, "writes refused for want of memory"),
            ("rejected_connections", Verdict.CRITICAL, "connections rejected"),
            ("evicted", Verdict.WARNING, "keys evicted"),
            ("evicted_clients", Verdict.WARNING, "clients dropped to save memory"),
        )
        found = [(verdict, f"{row[name]} {said}") for name, verdict, said in signs if row[name]]
        fine = f"nothing evicted, refused or rejected in {row['window']:g} s; {row['expired']} expired"
        return worst_of(found or [(Verdict.OK, fine)], row["evicted"], reading)

    return Check(
        name="cache-pressure",
        title="Nothing is evicted, refused or rejected",
        probe=probes.traffic(window_seconds),
        judge=judge,
        remedy=(
            "Evictions: see memory and policy; with the guide's allkeys-lru, queued jobs are among what goes. Make "
            "room by runbooks/maintain-cache, or scale by runbooks/scale-for-high-traffic."
        ),
    )


def hit_ratio(window_seconds: float = 10.0, least_lookups: int = 100) -> Check:
    """Hits among look-ups of all key families within the window; under ``least_lookups`` nothing is said."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        if row["restarted"] or row["lookups"] is None or row["lookups"] < least_lookups:
            said = f"Only {row['lookups'] or 0} look-ups in {row['window']:g} s; a ratio needs {least_lookups}."
            return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
        ratio = row["hit_ratio"]
        said = (
            f"{ratio:g} % of {count(row['lookups'])} look-ups in {row['window']:g} s were hits (all families together)."
        )
        return Judgement(HIT_RATIO.judge(ratio), said, ratio, reading.rows)

    return Check(
        name="cache-hit-ratio",
        title="Look-ups hit the cache",
        probe=probes.traffic(window_seconds),
        judge=judge,
        remedy=(
            "Quiet hours say little: give it a longer window. Few hits after a clearing are normal until it has "
            "filled by use (runbooks/maintain-cache); lasting ones mean evictions, a short time to live, or prompts "
            "that never repeat."
        ),
        threshold=HIT_RATIO,
    )


def _judge_clients(reading: Reading) -> Judgement:
    row = reading.row
    use = row["use"]
    told = use is not None
    said = f"{count(row['connected'])} of {count(row['limit'])} connections" if told else "maxclients is not told"
    found = [(CLIENT_USE.judge(use), f"{said}, {row['blocked']} waiting in a blocking command (workers do)")]
    if row["paused"] != "none":
        found.append((Verdict.CRITICAL, f"CLIENT PAUSE holds back {row['paused']} for {row['paused_for']} ms more"))
    return worst_of(found, use, reading)


clients = Check(
    name="cache-clients",
    title="Connections to the cache are within maxclients",
    probe=probes.clients,
    judge=_judge_clients,
    remedy=(
        "See who holds them above; more replicas bring more connections each, so look before runbooks/"
        "scale-for-high-traffic. A pause ends by itself, or by CLIENT UNPAUSE once the failover it belongs to is done."
    ),
    threshold=CLIENT_USE,
)
"""Connections against maxclients; a pause of all clients is CRITICAL."""


def _judge_persistence(reading: Reading) -> Judgement:
    row = reading.row
    found: list[tuple[Verdict, str]] = []
    if row["last_snapshot"] != "ok":
        found.append((Verdict.CRITICAL, "the last snapshot failed, and the server may refuse writes for it (MISCONF)"))
    if row["last_append"] != "ok":
        found.append((Verdict.CRITICAL, "the append-only file can't be written, and writes are refused"))
    if row["last_rewrite"] != "ok":
        found.append((Verdict.WARNING, "the append-only file was not rewritten and grows"))
    old = f"{row['unsaved_changes']} changes since the last snapshot, {duration(row['since_snapshot'])} ago"
    if not row["append_only_on"]:
        if row["snapshots_on"] is None:
            found.append((Verdict.UNKNOWN, f"whether snapshots are on can't be seen (CONFIG is forbidden); {old}"))
        elif not row["snapshots_on"]:
            found.append((Verdict.WARNING, f"nothing is written to disk: a restart loses jobs and limits; {old}"))
        elif row["unsaved_changes"] and row["since_snapshot"] > UNSAVED_SECONDS:
            found.append((Verdict.WARNING, old))
    fine = "the append-only file is written" if row["append_only_on"] else f"snapshots are on; {old}"
    return worst_of(found or [(Verdict.OK, fine)], float(row["since_snapshot"]), reading)


persistence = Check(
    name="cache-persistence",
    title="The cache's data is written to disk",
    probe=probes.persistence,
    judge=_judge_persistence,
    remedy=(
        "Look at the disk's room and at the server's log. The guide gives this server no recovery point (DR-OBJ-04P), "
        "but queued jobs and usage counts live in it as well: take a snapshot before runbooks/maintain-cache."
    ),
)
"""Last snapshot and append-only file; nothing on disk at all is a WARNING."""


def replication(replicas_expected: int = 0) -> Check:
    """Links between primary and replicas; fewer replicas than ``replicas_expected`` is CRITICAL."""

    def judge(reading: Reading) -> Judgement:
        links = [row for row in reading.rows if row["peer"]]
        online = sum(row["state"] == "online" for row in links)
        found = [(Verdict.CRITICAL, f"link to {row['peer']} is down") for row in links if row["state"] == "link down"]
        found += [
            (Verdict.WARNING, f"{row['peer']} is {row['state']}, silent for {row['silent']} s")
            for row in links
            if row["state"] not in ("online", "link down") or (row["silent"] or 0) > SILENT_SECONDS
        ]
        if reading.rows and reading.rows[0]["role"] == "primary" and online < replicas_expected:
            found.append((Verdict.CRITICAL, f"{online} of {replicas_expected} expected replicas are online"))
        fine = f"{online} links online" if links else "no replica, and none expected: no failover, only a restart"
        return worst_of(found or [(Verdict.OK, fine)], float(online), reading)

    return Check(
        name="cache-replication",
        title="Replicas of the cache are connected",
        probe=probes.replication,
        judge=judge,
        remedy="Look at the replica's log, network and backlog size; fail over by disaster/recover-everything.",
    )


DECISIVE = (reachable, memory, policy(seconds=2.0), clients, queue(), persistence)
"""What tells most of the cache without waiting for traffic, most telling first."""
