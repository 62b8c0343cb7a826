"""What users were answered: by whom, how fast, and with how many tokens. Too few answers are UNKNOWN, never green."""

from __future__ import annotations

from opslib.checks.application_watch import Share
from opslib.checks.llm_gateway import FEWEST, FIRST, SPARE, TITLES
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count, duration
from opslib.probes import llm as probes

LATENCY = threshold("llm-latency-p95")
FALLBACK = threshold("llm-fallback-share")
GROWTH = threshold("llm-tokens-growth")


def fallback(minutes: float = 60, least: int = FEWEST) -> Check:
    """Return the check that the first provider serves, not the fallback: a masked outage, though all are answered."""
    return Check(
        name="llm-fallback",
        title="The fallback is idle",
        probe=probes.answers(minutes),
        judge=lambda reading: _judge_fallback(reading, minutes, least),
        remedy=(
            "Together.ai fails and nobody sees it: success is 100 %, at up to 60 times the price. Look at its key and "
            "its status page (diagnostics/dependencies); disaster/recover-llm takes traffic back."
        ),
        threshold=FALLBACK,
        items=("MON-LLM-03T",),
    )


def _judge_fallback(reading: Reading, minutes: float, least: int) -> Judgement:
    by = {row["provider"]: row["answers"] for row in reading.rows}
    answers = by.get(FIRST, 0) + by.get(SPARE, 0)
    others = sorted(set(by) - {FIRST, SPARE})
    if answers < least:
        said = f"{answers} answers in {minutes:g} min: too few to say (at least {least})."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    share = Share(by.get(SPARE, 0), answers)
    more = f"; rows of others as well: {', '.join(others)}" if others else ""
    said = f"OpenAI, the fallback, served {share} in {minutes:g} min{more}."
    return Judgement(FALLBACK.judge(share.percent), said, share.percent, reading.rows)


def latency(minutes: float = 60, least: int = FEWEST) -> Check:
    """Return the check of the 95th percentile of the answers' times, by provider and by model.

    Beyond the guide's alert is CRITICAL where the whole interval is (order statistics, 95 %), else WARNING: of few
    answers the largest decide. A provider with fewer than ``least`` answers is not judged; without any other, UNKNOWN.
    """
    return Check(
        name="llm-latency",
        title="Language models answer in time",
        probe=probes.times(minutes),
        judge=lambda reading: _judge_latency(reading, minutes, least),
        remedy=(
            "One model is slow: ask for fewer tokens or a smaller model. All of one provider: its status page "
            "(diagnostics/dependencies), then disaster/recover-llm. Tokens that grew take longer: see below. A user "
            "who sees the first word waits less: the stream below shows how much."
        ),
        threshold=LATENCY,
        items=("MON-LLM-01T", "MON-LLM-01A", "TRB-PLL-00"),
    )


def _judge_latency(reading: Reading, minutes: float, least: int) -> Judgement:
    enough = [row for row in reading.rows if row["answers"] >= least]
    if not enough:
        total = sum(row["answers"] for row in reading.rows if row["model"] is None)
        said = f"{total} answers in {minutes:g} min, none of a provider with {least}: too few for a 95th percentile."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    worst = max(enough, key=lambda row: (_order(row), row["p95_ms"]))
    few = [_of(row) for row in reading.rows if row["model"] is None and row["answers"] < least]
    more = f"; too few to judge: {', '.join(few)}" if few else ""
    said = f"{_of(worst)}: P95 {_interval(worst)} of {count(worst['answers'])} answers in {minutes:g} min{more}."
    return Judgement(_verdict(worst), said, worst["p95_ms"] / 1000, reading.rows)


def _verdict(row: Row) -> Verdict:
    seconds, surely = row["p95_ms"] / 1000, row["p95_from_ms"] / 1000
    found = LATENCY.judge(seconds)
    if found is Verdict.CRITICAL and LATENCY.judge(surely) is not Verdict.CRITICAL:
        return Verdict.WARNING
    return found


def _order(row: Row) -> int:
    return list(Verdict).index(_verdict(row))


def _of(row: Row) -> str:
    name = str(TITLES.get(row["provider"], row["provider"]))
    return f"{name}, {row['model']}" if row["model"] else name


def _interval(row: Row) -> str:
    upper = "more" if row["p95_to_ms"] is None else duration(row["p95_to_ms"] / 1000)
    return f"{duration(row['p95_ms'] / 1000)} (95 %: {duration(row['p95_from_ms'] / 1000)} to {upper})"


def tokens(minutes: float = 60, days: float = 7, least: int = FEWEST) -> Check:
    """Return the check of the tokens of a request, their 95th percentile by model, against the ``days`` before."""
    return Check(
        name="llm-tokens",
        title="Requests are no larger than before",
        probe=probes.tokens(minutes, days),
        judge=lambda reading: _judge_tokens(reading, minutes, days, least),
        remedy=(
            "A prompt grew: compare the newest deployment's prompts and how much of the conversation is sent each "
            "time. Since the API's newest version: disaster/recover-everything with services=api, back=previous. It "
            "is paid for with each call (diagnostics/costs) and takes longer to answer."
        ),
        threshold=GROWTH,
        items=("TRB-PLL-02",),
    )


def _judge_tokens(reading: Reading, minutes: float, days: float, least: int) -> Judgement:
    grown: list[tuple[float, Row]] = [
        (100 * row["p95"] / row["p95_before"], row)
        for row in reading.rows
        if row["answers"] >= least and row["answers_before"] >= least and row["p95_before"]
    ]
    if not grown:
        said = f"No model has {least} answers both in {minutes:g} min and in the {days:g} days before."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    percent, row = max(grown, key=lambda one: one[0])
    said = (
        f"{row['model']}: P95 {count(row['p95'])} tokens, {percent:.0f} % of the {days:g} days before "
        f"({count(row['p95_before'])}); {len(grown)} of {len(reading.rows)} models had enough answers."
    )
    return Judgement(GROWTH.judge(percent), said, percent, reading.rows)
