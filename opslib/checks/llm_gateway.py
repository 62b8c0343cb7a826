"""The LLM gateway: its breakers held against what it serves, and what its chat route answered.

A breaker's state is not the service's. The product's health says 503 while the fallback serves everybody, and 200
while the first provider fails slowly; so who answered users counts as well (guide TRB-PLL-00; facts of the product).
"""

from __future__ import annotations

from collections.abc import Sequence

from opslib.checks.application_watch import Share
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count, duration
from opslib.probes import llm as probes

FIRST, SPARE = "together_ai", "openai"
TITLES = {FIRST: "Together.ai", SPARE: "OpenAI"}
ERROR_RATE = threshold("llm-error-rate")
FEWEST = 20
"""Answers below which no share and no percentile is given."""


def breakers(minutes: float = 60, least: int = FEWEST) -> Check:
    """Return the check of both breakers, each beside who answered users in the last ``minutes``.

    CRITICAL where neither breaker is closed. WARNING where one is not, or where the first provider's is closed and
    it served none of ``least`` answers or more. UNKNOWN where nobody was seen to be served: a breaker that was
    never tried is closed.
    """
    return Check(
        name="llm-breakers",
        title="The breakers are closed, and the first provider serves",
        probe=probes.breakers(minutes),
        judge=lambda reading: _judge_breakers(reading, least),
        remedy=(
            "Open: do not reset it before the provider answers again (keys and words below), or it opens at the next "
            "call; then disaster/recover-llm, on every replica. A breaker that is closed while the fallback serves: "
            "read the provider's errors and times below, and diagnostics/dependencies for its status page."
        ),
    )


def _judge_breakers(reading: Reading, least: int) -> Judgement:
    rows = {row["provider"]: row for row in reading.rows}
    states = {name: row["state"] for name, row in rows.items()}
    said = ", ".join(f"{TITLES[name]} is {state}" for name, state in states.items())
    shown = tuple(reading.rows)
    if "?" in states.values():
        return Judgement(Verdict.UNKNOWN, f"A breaker's state is no word that is known: {said}.", None, shown)
    one = _replica(reading.rows[0])
    shut = [name for name, state in states.items() if state != "closed"]
    if len(shut) == len(states):
        return Judgement(Verdict.CRITICAL, f"No breaker is closed: {said}{one}. Nobody is served.", 2, shown)
    if rows[FIRST]["answers"] is None:
        said = f"{said}{one}; who served meanwhile is not known: {rows[FIRST]['why']}"
        return Judgement(Verdict.UNKNOWN, said, len(shut), shown)
    served = {name: row["answers"] for name, row in rows.items()}
    meanwhile = f"in {rows[FIRST]['minutes']:g} min {_served(served)}"
    if shut:
        other = next(name for name in states if name not in shut)
        if not served[other]:
            said = f"{said}{one}; {meanwhile}: whether {TITLES[other]} serves nobody has seen."
            return Judgement(Verdict.UNKNOWN, said, len(shut), shown)
        return Judgement(Verdict.WARNING, f"{said}{one}; {meanwhile}.", len(shut), shown)
    if served[SPARE] >= least and not served[FIRST]:
        said = f"Both breakers are closed{one}, and yet {meanwhile}: Together.ai serves nobody."
        return Judgement(Verdict.WARNING, said, 0, shown)
    if not sum(served.values()):
        said = f"Both breakers are closed{one}, as they begin; {meanwhile}, so nobody knows whether they would stay so."
        return Judgement(Verdict.UNKNOWN, said, 0, shown)
    return Judgement(Verdict.OK, f"Both breakers are closed{one}; {meanwhile}.", 0, shown)


def _replica(row: Row) -> str:
    many = row["replicas"]
    return f" (one replica of {many} says so)" if many and many > 1 else ""


def _served(served: dict[str, int]) -> str:
    if not sum(served.values()):
        return "nobody was answered"
    return ", ".join(f"{TITLES[name]} answered {count(many)}" for name, many in served.items())


def errors(least: int = FEWEST) -> Check:
    """Return the check of the chat route's answers since the process began, failures (5xx) against the guide's limits.

    UNKNOWN below ``least`` requests. A refusal of the caller (400, 401, 403, 440) or of a rate limit is no failure
    of the service; it is told by class, and more than half refused is a WARNING.
    """
    return Check(
        name="llm-errors",
        title="Chat requests are answered",
        probe=probes.chat,
        judge=lambda reading: _judge_errors(reading.rows, least),
        remedy=(
            "5xx: neither provider answered; see breakers, keys and the providers' pages, then disaster/recover-llm. "
            "429: users are over the product's limits, or the provider's (diagnostics/agents). 401, 403, 440: "
            "sessions, consent and CSRF, diagnostics/authentication. The counts begin anew with the process."
        ),
        threshold=ERROR_RATE,
        items=("MON-LLM-03T", "MON-LLM-03A"),
    )


def _judge_errors(rows: Sequence[Row], least: int) -> Judgement:
    requests = sum(row["requests"] for row in rows)
    age = rows[0]["age"]
    since = "" if age is None else f" in the {duration(age)} since this process began"
    if requests < least:
        said = f"{requests} chat requests{since}: too few to say (at least {least})."
        return Judgement(Verdict.UNKNOWN, said, None, tuple(rows) if requests else ())
    by: dict[str, int] = {}
    for row in rows:
        by[row["about"]] = by.get(row["about"], 0) + row["requests"]
    failed = Share(by.get("the server", 0), requests)
    verdict = _certain(failed)
    others = {name: many for name, many in by.items() if name not in ("answered", "the server")}
    words = ", ".join(f"{count(many)} for the sake of {name}" for name, many in others.items())
    said = f"Failed {failed} of the chat requests{since}" + (f"; refused: {words}." if words else ".")
    if sum(others.values()) > requests / 2:
        verdict = Verdict.worst([verdict, Verdict.WARNING])
    return Judgement(verdict, said, failed.percent, tuple(rows))


def provider_errors(least: int = FEWEST) -> Check:
    """Return the check of the product's calls to each provider since its process began, failures by the guide's limits.

    This is the guide's "LLM API error rate": users see nothing of it while the other provider answers. A provider
    with fewer than ``least`` calls is not judged; without any other, UNKNOWN.
    """
    return Check(
        name="llm-provider-errors",
        title="The product's calls to the providers succeed",
        probe=probes.stats,
        judge=lambda reading: _judge_provider_errors(reading, least),
        remedy=(
            "The provider fails, refuses or is too slow (25 s): its key and its page say which. While its breaker is "
            "open it is not called, so the share stands still. Counted by one replica, anew with each process."
        ),
        threshold=ERROR_RATE,
        items=("MON-LLM-03T", "MON-LLM-03A"),
    )


def _judge_provider_errors(reading: Reading, least: int) -> Judgement:
    told = [row for row in reading.rows if row["provider"] in TITLES and row["calls"] is not None]
    judged = [row for row in told if row["calls"] >= least]
    enough = {row["provider"]: Share(int(row["failures"] or 0), int(row["calls"])) for row in judged}
    few = ", ".join(f"{TITLES[row['provider']]} {count(row['calls'])}" for row in told if row["calls"] < least)
    if not enough:
        said = f"Too few calls to say (at least {least}): {few}." if few else "The counters hold no calls."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    verdicts = {name: _certain(share) for name, share in enough.items()}
    words = ", ".join(f"{TITLES[name]} failed {share} of the calls" for name, share in enough.items())
    worst = max(share.percent for share in enough.values())
    more = f"; too few to judge: {few}" if few else ""
    return Judgement(Verdict.worst([*verdicts.values()]), f"{words}{more}.", worst, reading.rows)


def _certain(share: Share) -> Verdict:
    """Return the verdict by the guide's limits; where the interval reaches beyond the alert, what is likely counts."""
    target = ERROR_RATE.warning or 0.0
    verdict = share.against(target, ERROR_RATE.critical or 0.0)
    if verdict is Verdict.UNKNOWN:
        return Verdict.WARNING if share.percent > target else Verdict.OK
    return verdict
