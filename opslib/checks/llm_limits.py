"""The providers' own limits have room: who reaches one is refused, and the product takes that for an outage."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.pictures.figures import count
from opslib.probes import llm as probes
from opslib.systems.llm_keys import PROVIDERS

HEADROOM = threshold("llm-headroom")


def headroom(provider: str) -> Check:
    """Return the check of what a provider's limits have left, by one question that is paid for.

    CRITICAL where the provider refuses it (429), or little is left; UNKNOWN where the answer tells no limits. It is the
    figure of a moment: how much is left at the busiest hour, only a look at that hour says.
    """
    title = PROVIDERS[provider].title
    return Check(
        name=f"llm-headroom-{provider}",
        title=f"{title}'s limits have room",
        probe=probes.limits[provider],
        judge=lambda reading: _judge(reading, title),
        remedy=(
            f"Ask {title} for a higher limit (the account's tier), and let less be asked at once: jobs later, tenants "
            "that ask most by their limits in the product (diagnostics/agents, diagnostics/costs). Refused for money "
            "(insufficient_quota): the account. While it refuses, disaster/recover-llm says whether the other serves."
        ),
        threshold=HEADROOM,
    )


def limits(ask: bool) -> dict[str, tuple[Check, ...]]:
    """Return the checks of both providers' limits, for a survey; none unless they may be asked, for it is paid for."""
    return {provider: (headroom(provider),) for provider in PROVIDERS} if ask else {}


def _judge(reading: Reading, title: str) -> Judgement:
    row = reading.rows[0]
    if row["refused"]:
        return Judgement(Verdict.CRITICAL, f"{title} refuses for now: {row['refused']}", 0.0, reading.rows)
    if row["what"] is None:
        said = f"{title} answered ({row['model']}), and told no limits with it: nobody knows what is left."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    least = min(one["left_percent"] for one in reading.rows)
    words = [f"{one['left_percent']:.0f} % of {count(round(one['limit']))} {one['what']}" for one in reading.rows]
    said = f"{title} ({row['model']}) has {' and '.join(words)} left at this moment."
    return Judgement(HEADROOM.judge(least), said, least, reading.rows)
