"""Checks of what is in Redis or Valkey: eviction policy, key census, slow commands, queue and streams."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.pictures.figures import count, duration, size
from opslib.probes import cache as probes

FULL = threshold("cache-policy-use")
BIG_KEY = threshold("cache-big-key")
SLOW = threshold("cache-slow-command")
P99 = threshold("cache-command-p99")
WAITING = threshold("queue-oldest-waiting")
STALLED_SECONDS = 60
STALLING = ("KEYS", "FLUSHDB", "FLUSHALL", "SORT")
"""Commands whose time grows with the data; each in the slow log is worth a word."""


def worst_of(found: Sequence[tuple[Verdict, str]], value: float | None, reading: Reading) -> Judgement:
    """Return one judgement of several findings: the worst verdict, and all of them said, worst first."""
    order = list(Verdict)
    said = "; ".join(text for _, text in sorted(found, key=lambda one: -order.index(one[0])))
    return Judgement(Verdict.worst([verdict for verdict, _ in found]), _sentence(said), value, reading.rows)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def policy(seconds: float = 5.0) -> Check:
    """Whether the eviction policy may take what must not be lost (queued jobs, limits, usage, sessions)."""
    return Check(
        name="cache-policy",
        title="Evictions take nothing that must stay",
        probe=probes.policy(seconds),
        judge=_judge_policy,
        remedy=(
            "The guide's allkeys-lru lets queued jobs and rate limits be evicted; a queue wants noeviction. Use "
            "volatile-lru, or a server of its own for the cache: runbooks/scale-for-high-traffic. Full under "
            "noeviction: make room by runbooks/maintain-cache."
        ),
        threshold=FULL,
    )


def _judge_policy(reading: Reading) -> Judgement:
    row = reading.row
    name, use = str(row["policy"]), row["use"]
    full = FULL.judge(use) if row["limit"] else Verdict.OK
    held = f"{row['protected_keys']} protected keys ({row['protected_families'] or 'none seen'})"
    if name.startswith("allkeys-"):
        if row["protected_keys"] or row["keys_without_expiry"]:
            said = f"the policy {name} may evict {held} and {row['keys_without_expiry']} keys without a time to live"
            return worst_of([(Verdict.CRITICAL, said)], use, reading)
        if row["coverage"] < 100:
            said = f"the policy is {name}, and only {row['coverage']:g} % of the keys could be looked at"
            return worst_of([(Verdict.UNKNOWN, said)], use, reading)
        return worst_of(
            [(Verdict.OK, f"the policy is {name}, and every key is the cache's own and expires")], use, reading
        )
    if name.startswith("volatile-"):
        share = f"{row['protected_expiring']} of {row['protected_asked']} asked can go early, having a time to live"
        worry = Verdict.WARNING if full is not Verdict.OK and row["protected_expiring"] else Verdict.OK
        return worst_of([(worry, f"the policy {name} keeps what never expires; of {held}, {share}")], use, reading)
    writes = {Verdict.CRITICAL: "writes fail soon", Verdict.WARNING: "writes will fail at 100 %"}.get(
        full, "it has room"
    )
    return worst_of(
        [(full, f"the policy {name} evicts nothing: {'no limit is set' if use is None else writes}")], use, reading
    )


def key_census(seconds: float = 20.0) -> Check:
    """Memory by key family within ``seconds``: big keys, and how much of the keys was looked at."""
    return Check(
        name="cache-key-census",
        title="No key is outsized",
        probe=probes.census(seconds),
        judge=_judge_census,
        remedy=(
            "A big key: find its writer by its name, split it or give it a time to live; UNLINK, not DEL, frees it "
            "without a stall. Not all looked at: give the census more seconds. The cache's own keys: "
            "runbooks/maintain-cache."
        ),
        threshold=BIG_KEY,
    )


def _judge_census(reading: Reading) -> Judgement:
    families = [row for row in reading.rows if row["keys"]]
    coverage = reading.rows[0]["coverage"]
    if not families and coverage == 100:
        return Judgement(Verdict.OK, "The database is empty: no key at all.", 0, reading.rows)
    big = [row for row in families if BIG_KEY.judge(row["largest"]) is not Verdict.OK]
    found = [(Verdict.WARNING, f"the key {row['largest_key']} takes {size(row['largest'])}") for row in big]
    if coverage < 100:
        found.append((Verdict.UNKNOWN, f"only {coverage:g} % of the keys could be looked at in the time given"))
    largest = max((row["largest"] for row in families), default=0)
    keys = sum(row["keys"] for row in families)
    fine = f"{count(keys)} keys in {len(families)} families, all looked at; the largest key takes {size(largest)}"
    return worst_of(found or [(Verdict.OK, fine)], largest, reading)


def slow_commands(minutes: float = 60.0) -> Check:
    """Entries of the slow log of the last ``minutes``."""
    return Check(
        name="cache-slow-commands",
        title="No command holds up the others",
        probe=probes.slow_commands(minutes),
        judge=_judge_slow,
        remedy=(
            "KEYS walks over every key while all others wait: the application's LLM cache sends it, let it use SCAN. "
            "FLUSHDB is the guide's way of clearing; runbooks/maintain-cache removes the prefix in small batches."
        ),
        threshold=SLOW,
    )


def _judge_slow(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.OK, "The slow log is on and has no entry of this time.", 0, ())
    worst = max(row["worst"] for row in reading.rows)
    top = max(reading.rows, key=lambda row: row["worst"])
    said = f"{top['command']} on {top['family']} took {duration(worst / 1000)}"
    found = [(SLOW.judge(worst), f"{sum(row['times'] for row in reading.rows)} slow commands; {said}")]
    stalling = sorted({row["command"] for row in reading.rows if row["command"] in STALLING})
    if stalling:
        found.append((Verdict.WARNING, f"{', '.join(stalling)} among them"))
    return worst_of(found, worst, reading)


def command_times(least_calls: int = 20) -> Check:
    """The 99th percentile of each command that was called at least ``least_calls`` times since the start."""

    def judge(reading: Reading) -> Judgement:
        rows = [row for row in reading.rows if row["calls"] >= least_calls]
        if not rows:
            return Judgement(Verdict.UNKNOWN, f"No command was called {least_calls} times yet.", None, reading.rows)
        top = max(rows, key=lambda row: row["p99"])
        said = f"{top['command']} has the highest p99: {duration(top['p99'] / 1000)} over {count(top['calls'])} calls"
        return worst_of([(P99.judge(top["p99"]), f"{said} since the start")], top["p99"], reading)

    return Check(
        name="cache-command-times",
        title="Commands are fast at their 99th percentile",
        probe=probes.command_times,
        judge=judge,
        remedy=(
            "Look for big keys in the census and at scripts. The figures are since the start: CONFIG RESETSTAT, by "
            "whoever may write, begins them anew after a cure. Load of its own: runbooks/scale-for-high-traffic."
        ),
        threshold=P99,
    )


def queue(name: str = "bull:llm-processing") -> Check:
    """Jobs that wait too long, lost their worker, failed within the hour, or are held back."""
    return Check(
        name="cache-queue",
        title="Queued jobs are worked off",
        probe=probes.queue(name),
        judge=_judge_queue,
        remedy=(
            "No worker is there (diagnostics/agents): disaster/recover-everything with services=worker. Too few: "
            "runbooks/scale-for-high-traffic. Do not clear: the guide's FLUSHDB deletes them "
            "(runbooks/maintain-cache does not)."
        ),
        threshold=WAITING,
    )


def _judge_queue(reading: Reading) -> Judgement:
    row = reading.row
    waits = row["oldest_waiting"]
    found: list[tuple[Verdict, str]] = [(Verdict.OK, f"{row['waiting']} waiting, {row['active']} active")]
    if row["waiting"] and waits is not None:
        found.append((WAITING.judge(waits), f"the oldest has waited {duration(waits)}"))
    elif row["waiting"]:
        found.append((Verdict.UNKNOWN, "how long the oldest has waited can't be seen"))
    if row["oldest_active_locked"] is False and (row["oldest_active"] or 0) > STALLED_SECONDS:
        found.append((Verdict.WARNING, f"a job active for {duration(row['oldest_active'])} has lost its worker"))
    if (row["delayed_overdue"] or 0) > STALLED_SECONDS:
        found.append((Verdict.WARNING, f"a delayed job is {duration(row['delayed_overdue'])} overdue"))
    if row["paused"]:
        found.append((Verdict.WARNING, f"{row['paused']} jobs are held back, the queue is paused"))
    if row["failed_last_hour"]:
        found.append((Verdict.WARNING, f"{row['failed_last_hour']} jobs failed within the hour"))
    return worst_of(found, waits, reading)


def streams(seconds: float = 5.0) -> Check:
    """Entries of streams that nobody confirmed, or that nobody reads."""
    return Check(
        name="cache-streams",
        title="Streams are read and confirmed",
        probe=probes.streams(seconds),
        judge=_judge_streams,
        remedy=(
            "Look for the group's consumers at diagnostics/agents; what a dead one took is claimed by XAUTOCLAIM. "
            "Streams have no time to live: the guide's allkeys-lru or FLUSHDB loses them (runbooks/maintain-cache "
            "does not)."
        ),
        threshold=WAITING,
    )


def _judge_streams(reading: Reading) -> Judgement:
    if not reading.rows:
        said = "All keys were looked at, and no stream has a consumer group: nothing can be behind."
        return Judgement(Verdict.OK, said, 0, ())
    oldest = max((row["oldest_pending"] or 0) for row in reading.rows)
    found = [
        (WAITING.judge(oldest), f"{len(reading.rows)} groups; the oldest unconfirmed entry is {duration(oldest)} old")
    ]
    found += [
        (Verdict.WARNING, f"nobody reads {row['stream']} for {row['group']}: {row['unread']} entries wait")
        for row in reading.rows
        if row["unread"] and not row["consumers"]
    ]
    return worst_of(found, oldest, reading)
