"""An outage of a provider, its three sides told apart: the breakers of each replica, the service, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.checks.llm_gateway import FIRST, SPARE, TITLES
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict, Watch
from opslib.pictures.figures import count, duration
from opslib.pictures.llm_apart import RECENT_SECONDS
from opslib.probes import llm as probes

COST = threshold("llm-cost-hour")
RECOVERING = (
    "A breaker that is open tries again by itself after 60 s, and the first call that succeeds closes it: with the "
    "provider well and users about, disaster/recover-llm saves a minute on a replica, and shows which one does not "
    "come back. A replica that nobody could ask: OPS_API_REPLICAS or OPS_API_POD_PORT (docs/production.md)."
)


def replicas() -> Check:
    """Return the check of both breakers of every replica.

    CRITICAL where a replica has no closed breaker: its users get errors. UNKNOWN where one could not be asked: a green
    one says nothing of its neighbour. WARNING where a breaker is not closed.
    """
    return Check(
        name="llm-replicas",
        title="The breakers are closed on every replica",
        probe=probes.replicas,
        judge=lambda reading: judge_replicas(reading.rows),
        remedy=RECOVERING,
        items=("DR-LLM-01",),
    )


def judge_replicas(rows: Sequence[Row]) -> Judgement:
    """Return the judgement of the rows of ``probes.llm.replicas``."""
    by: dict[str, dict[str, Row]] = {}
    for row in rows:
        by.setdefault(row["replica"], {})[row["provider"]] = row
    unseen = [name for name, said in by.items() if any(row["state"] == "?" for row in said.values())]
    shut = {
        name: [f"{TITLES[of]} {row['state']}" for of, row in said.items() if row["state"] not in ("closed", "?")]
        for name, said in by.items()
    }
    dead = [name for name, said in by.items() if {row["state"] for row in said.values()} <= {"open", "half-open"}]
    words = "; ".join(f"{name}: {', '.join(parts)}" for name, parts in shut.items() if parts)
    reached = f"{len(by) - len(unseen)} of {len(by)} replicas were reached"
    value = sum(bool(parts) for parts in shut.values())
    shown = tuple(rows)
    if dead:
        said = f"No breaker is closed on {', '.join(dead)}, whose users are not served ({words}); {reached}."
        return Judgement(Verdict.CRITICAL, said, value, shown)
    if unseen:
        why = next(row["why"] or "a state that is no known word" for row in rows if row["state"] == "?")
        more = f" Of the others: {words}." if words else ""
        return Judgement(Verdict.UNKNOWN, f"{reached}; {', '.join(unseen)} not: {why}{more}", value, shown)
    if words:
        return Judgement(Verdict.WARNING, f"Not closed on {value} of {len(by)} replicas: {words}.", value, shown)
    return Judgement(Verdict.OK, f"Both breakers are closed on all {len(by)} replicas.", 0, shown)


def service_answer(ask: bool = False, minutes: float = 5) -> Check:
    """Return the check that the service answers, and by whom: seen in users' answers, or (``ask``) by asking it once.

    OK says that somebody was served; that it is the fallback is in the sentence, and is what proves it. CRITICAL where
    no provider answers; UNKNOWN where the service did not let itself be asked, answered from its cache, or served
    nobody in the last minute: an answer of before an outage is no answer of now.
    """
    return Check(
        name="llm-service-answer",
        title="The service answers, and who does",
        probe=probes.service_answer if ask else probes.answers(minutes),
        judge=lambda reading: _judge_answer(reading.row) if ask else _judge_users(reading, minutes),
        remedy=(
            "Nobody answers: both providers are out, or both breakers open; disaster/recover-llm, and say so on the "
            "status page. It did not let itself be asked: the administrator's token and session in the description "
            "(a session lives an hour). Nobody was served: set ask_service to true, which asks it once."
        ),
        items=("DR-LLM-02", "DR-LLM-03"),
    )


def _judge_answer(row: Row) -> Judgement:
    if row["why"]:
        verdict = Verdict.CRITICAL if row["kind"] in ("down", "broken") else Verdict.UNKNOWN
        return Judgement(verdict, f"Asked once, it did not answer: {row['why']}", None, (row,))
    if row["cached"]:
        return Judgement(
            Verdict.UNKNOWN, "It answered from its cache, which shows nothing of a provider.", None, (row,)
        )
    cost = "no price is known" if row["usd"] is None else f"{row['usd']:.6f} USD"
    if row["provider"] == SPARE:
        times = "" if row["times"] is None else f", {row['times']:g} times Together.ai's price"
        said = f"The fallback works: OpenAI ({row['model']}) answered a prompt never asked before, for {cost}{times}."
        return Judgement(Verdict.OK, said, None, (row,))
    if row["provider"] == FIRST:
        said = f"Together.ai ({row['model']}) answered a prompt never asked before, for {cost}: the fallback is idle."
        return Judgement(Verdict.OK, said, None, (row,))
    return Judgement(Verdict.UNKNOWN, "It answered, and does not say in known words who did.", None, (row,))


def _judge_users(reading: Reading, minutes: float) -> Judgement:
    by = {row["provider"]: row["answers"] for row in reading.rows if row["provider"] in TITLES}
    if not by:
        said = f"No user had an answer in {minutes:g} min: whether one would, nobody has seen."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    words = ", ".join(f"{TITLES[name]} answered {count(many)}" for name, many in by.items())
    age = min(row["newest_age"] for row in reading.rows if row["provider"] in by)
    if age > RECENT_SECONDS:
        said = f"In {minutes:g} min {words}, the last one {duration(float(age))} ago: of now that says nothing."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    idle = "" if by.get(SPARE) else ": the fallback is idle, and not proven by this"
    return Judgement(Verdict.OK, f"In {minutes:g} min {words}{idle}.", None, reading.rows)


def fallback_cost() -> Check:
    """Return the check of what the fallback cost in the last hour beyond the first provider's price, in USD.

    Held against the guide's limits for an hour. UNKNOWN where an answer's model has no price.
    """
    return Check(
        name="llm-fallback-cost",
        title="What the fallback costs more",
        probe=probes.fallback_cost,
        judge=_judge_cost,
        remedy=(
            "It goes on for as long as the first provider is out: see diagnostics/costs for whom, and lower the limits "
            "of the largest tenants before the budget is gone; disaster/recover-llm takes traffic back."
        ),
        threshold=COST,
    )


def _judge_cost(reading: Reading) -> Judgement:
    rows = reading.rows
    if not rows:
        return Judgement(Verdict.OK, "The fallback answered nobody in the last hour, and cost nothing.", 0, ())
    if lacking := [str(row["model"]) for row in rows if row["usd"] is None or row["instead_usd"] is None]:
        return Judgement(Verdict.UNKNOWN, f"No price is known of {', '.join(lacking)}.", None, rows)
    paid, instead = (sum(row[name] for row in rows) for name in ("usd", "instead_usd"))
    times = f", {paid / instead:.0f} times as much" if instead else ""
    said = (
        f"{count(sum(row['answers'] for row in rows))} answers of OpenAI in the last hour for {paid:.4f} USD; the same "
        f"tokens cost {instead:.4f} USD at Together.ai{times}."
    )
    return Judgement(COST.judge(paid - instead), said, paid - instead, rows)


def stay_closed(seconds: float = 20.0) -> Watch:
    """Return the watch of every replica's breakers after a reset: one that opens again ends it, WARNING or worse.

    Each look costs the user who looks one question of each replica; every 20 s are three in a minute.
    """

    def decide(samples: Sequence[Reading], last: bool) -> Judgement | None:
        newest = samples[-1]
        seen = [judge_replicas(one.rows) for one in samples if one.unknown is None]
        if newest.unknown is None and seen[-1].verdict in (Verdict.WARNING, Verdict.CRITICAL):
            return seen[-1]
        if not last:
            return None
        if len(seen) < len(samples) or any(one.verdict is not Verdict.OK for one in seen):
            missed = len(samples) - sum(one.verdict is Verdict.OK for one in seen)
            said = f"{missed} of {len(samples)} looks did not see every replica."
            return Judgement(Verdict.UNKNOWN, said, None, newest.rows)
        return Judgement(Verdict.OK, f"Closed on every replica in {len(samples)} looks.", None, newest.rows)

    return Watch(
        name="llm-stay-closed",
        title="The breakers stay closed",
        probe=probes.replicas,
        decide=decide,
        remedy="It opened again: the provider is not well, whatever its status page says. Do not reset it again yet.",
        seconds=seconds,
    )
