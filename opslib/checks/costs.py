"""Checks of what language models cost: per hour, against earlier hours, as stored, and over a day and a month.

Every amount is tokens times a dated price. No rows are UNKNOWN, never 0 USD: nobody asked, or nothing was recorded.
Answers of a model without a price make a sum a lower bound; it can be too much all the same, but never little enough.
"""

from __future__ import annotations

from opslib.checks.costs_newest import token_price
from opslib.checks.tree import Tree
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Rows, Threshold, Verdict
from opslib.pictures.figures import count
from opslib.probes import costs as probes
from opslib.probes import costs_newest as newest

__all__ = ["DECISIVE", "TREES", "baseline", "hour", "prices", "spent", "stored", "token_price"]

HOUR, BASELINE, DIVERGENCE = (threshold(f"llm-cost-{name}") for name in ("hour", "baseline", "divergence"))
PRICES = threshold("llm-price-divergence")
SPANS = {
    "day": (threshold("llm-cost-day"), "in 24 h"),
    "month": (threshold("llm-cost-month"), "in the month"),
    "person": (threshold("llm-cost-person"), "by one user in 24 h"),
}
FEWEST = 10
"""Answers in the last minutes below which they say nothing of the hour."""
IGNORED = 1.0
"""USD an hour below which no growth matters."""


def _judged(limits: Threshold, usd: float, unpriced: int) -> Verdict:
    """Return the verdict on an amount; one that lacks the cost of some answers may be more, so is never OK."""
    found = limits.judge(usd)
    if not unpriced or found is Verdict.CRITICAL:
        return found
    return Verdict.UNKNOWN


def _unpriced(row: Row) -> str:
    if not row["unpriced"]:
        return ""
    return f"; {count(row['unpriced'])} answers have no price ({row['without_price']}), so it is more"


def usd(amount: float) -> str:
    """Return an amount as people read it: cents from a dollar upwards, else two digits that count."""
    return f"{amount:,.2f} USD" if amount >= 1 else f"{amount:.2g} USD"


def _judge_hour(reading: Reading) -> Judgement:
    rows = reading.rows
    if not rows:
        said = "Nobody was answered within the last 60 minutes, or nothing was recorded: that is not 0 USD."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    whole = sum(row["usd"] for row in rows)
    unpriced = sum(row["unpriced"] for row in rows)
    parts = ", ".join(f"{row['provider']} {usd(row['usd'])}" for row in rows)
    odd = "".join(_unpriced(row) for row in rows)
    stored = [row["stored_usd"] for row in rows if row["stored_usd"] is not None]
    kept = f"; stored as {usd(sum(stored))}" if stored else "; no cost is stored"
    verdict, pace = _pace(rows, _judged(HOUR, whole, unpriced))
    said = f"{usd(whole)} in the last 60 minutes ({parts}){kept}{odd}{pace}."
    return Judgement(verdict, said, whole, rows)


def _pace(rows: Rows, verdict: Verdict) -> tuple[Verdict, str]:
    """Return the verdict by what an hour like its last minutes would cost: over already, or only beginning.

    What is spent is spent, so it is a WARNING either way. Minutes in which too few were answered say nothing.
    """
    answers, minutes = sum(row["recent_answers"] for row in rows), rows[0]["minutes"]
    hour = sum(row["recent_usd"] for row in rows) * 60 / minutes
    now = HOUR.judge(hour)
    if answers < FEWEST or verdict is Verdict.UNKNOWN:
        return verdict, ""
    said = f"the last {minutes:g} min are {usd(hour)} an hour"
    if verdict in (Verdict.WARNING, Verdict.CRITICAL) and now is Verdict.OK:
        return Verdict.WARNING, f"; {said}: it is over, and stays in this figure until it is an hour ago"
    if now is Verdict.CRITICAL and verdict is Verdict.OK:
        return Verdict.WARNING, f"; {said}: it only begins"
    return verdict, f"; {said}"


hour = Check(
    name="costs-hour",
    title="Language models cost less than 10 USD an hour",
    probe=newest.hour(),
    judge=_judge_hour,
    remedy=(
        "Who: the tables by model and tenant below. OpenAI's part: the fallback serves, at up to 60 times the price; "
        "disaster/recover-llm takes traffic back, and what is spent stays in the figure for an hour. One tenant or "
        "user: its limit in the product. A price that lacks: opslib/guide/prices.tsv."
    ),
    threshold=HOUR,
    items=("MON-LLM-02T", "MON-LLM-02A"),
)
"""The last 60 minutes, by our prices; whether what they cost goes on is said by their last ten."""


def _judge_baseline(reading: Reading) -> Judgement:
    row = reading.row
    if not row["answers"]:
        return Judgement(Verdict.UNKNOWN, "Nobody was answered within the last 60 minutes.", None, reading.rows)
    now, usual = row["usd"], row["baseline_usd"]
    if now < IGNORED and not row["unpriced"]:
        said = f"{usd(now)} in the last 60 minutes: below {IGNORED:g} USD no growth matters."
        return Judgement(Verdict.OK, said, None, reading.rows)
    if usual is None:
        said = f"{usd(now)} in the last 60 minutes; usage goes back {row['history_hours']} h, too short for a baseline."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    if not usual:
        said = f"{usd(now)} in the last 60 minutes, after nothing in {row['basis']}."
        return Judgement(Verdict.WARNING, said, None, reading.rows)
    percent = 100 * now / usual
    said = f"{usd(now)} is {percent:.0f} % of {usd(usual)}, the median of {row['hours']} hours ({row['basis']})"
    verdict = BASELINE.judge(percent)
    if row["unpriced"] and verdict is Verdict.OK:
        verdict = Verdict.UNKNOWN
    return Judgement(verdict, f"{said}{_unpriced(row)}.", percent, reading.rows)


baseline = Check(
    name="costs-baseline",
    title="Language models cost no more than usual",
    probe=probes.baseline,
    judge=_judge_baseline,
    remedy=(
        "More answers, larger requests, or the dearer provider? diagnostics/llm shows share and tokens; the tables "
        "below show whose they are. A campaign that was planned: nothing to do, the baseline follows in some weeks."
    ),
    threshold=BASELINE,
)
"""The last 60 minutes against the median of the same hour of four weeks, else of the hours of the week before."""


def stored(hours: int = 24) -> Check:
    """Return the check that the cost which the product stores is what the tokens cost, model by model.

    What rounding of each row may explain does not count. A model without a price is UNKNOWN.
    """
    return Check(
        name="costs-stored",
        title="The stored cost is what was spent",
        probe=probes.models(hours),
        judge=lambda reading: _judge_stored(reading, hours),
        remedy=(
            "Believe tokens, not the stored cost: the product prices OpenAI's answers with Together.ai's table, so "
            "its own alerts come late exactly while the fallback serves. Tell the team that keeps the cost tracker; "
            "where our price is the old one, add a row to opslib/guide/prices.tsv."
        ),
        threshold=DIVERGENCE,
    )


def _judge_stored(reading: Reading, hours: int) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, f"Nobody was answered within {hours} h: there is nothing to compare.", None)
    priced = [row for row in reading.rows if not row["unpriced"] and row["stored_usd"] is not None]
    lacking = [row for row in reading.rows if row["unpriced"]]
    empty = [row for row in reading.rows if row["stored_usd"] is None]
    rows: Rows = tuple({**row, "off_percent": _off(row)} for row in reading.rows)
    more = f"; no price: {', '.join(row['without_price'] for row in lacking)}" if lacking else ""
    more += f"; no cost stored for {', '.join(row['model'] for row in empty)}" if empty else ""
    worst = max(priced, key=lambda row: abs(_off(row) or 0.0), default=None)
    if worst is None:
        return Judgement(Verdict.UNKNOWN, f"Nothing can be compared{more}.", None, rows)
    off = _off(worst) or 0.0
    amounts = f"stored {usd(worst['stored_usd'])}, by our prices {usd(worst['usd'])}"
    said = f"{worst['provider']}, {worst['model']}: {amounts}"
    verdict = DIVERGENCE.judge(abs(off))
    if (lacking or empty) and verdict is Verdict.OK:
        verdict = Verdict.UNKNOWN
    return Judgement(verdict, f"{said} ({off:+.0f} %){more}.", abs(off), rows)


def _off(row: Row) -> float | None:
    """Return by how many percent the stored cost is off, without what rounding may explain."""
    if row["stored_usd"] is None or row["unpriced"] or not row["usd"]:
        return None
    apart = float(row["stored_usd"] - row["usd"])
    beyond = max(0.0, abs(apart) - float(row["rounding"]))
    percent = 100 * beyond / float(row["usd"])
    return round(percent if apart >= 0 else -percent, 1)


def spent(days: int = 30) -> Check:
    """Return the check of 24 hours, of ``days`` days and of the user who spent most, by the product's limits."""
    return Check(
        name="costs-spent",
        title="A day, a month and a user stay within the product's limits",
        probe=probes.spent(days),
        judge=_judge_spent,
        remedy=(
            "A day: look at its hours above. A user: the product limits chats per hour, not what they cost; tell the "
            "tenant's owner. The limits are the product's own; a budget of yours goes into opslib/guide/policy.tsv."
        ),
        threshold=SPANS["day"][0],
    )


def _judge_spent(reading: Reading) -> Judgement:
    if not reading.rows[1]["answers"]:
        return Judgement(Verdict.UNKNOWN, "Nobody was answered in all that time, or nothing was recorded.", None)
    rows = [row for row in reading.rows if row["answers"]]
    verdicts = [_judged(SPANS[row["span"]][0], row["usd"], row["unpriced"]) for row in rows]
    words = [f"{usd(row['usd'])} {SPANS[row['span']][1]}{_unpriced(row)}" for row in rows]
    return Judgement(Verdict.worst(verdicts), f"{', '.join(words)}.", rows[0]["usd"], reading.rows)


def _judge_prices(reading: Reading) -> Judgement:
    told = [row for row in reading.rows if row["told_input"] is not None]
    if not told:
        return Judgement(Verdict.UNKNOWN, "Together.ai tells no price of a model that we know.", None, reading.rows)
    row = max(told, key=_apart)
    worst = _apart(row)
    silent = len(reading.rows) - len(told)
    more = f"; not offered to this key: {silent}" if silent else ""
    if PRICES.judge(worst) is Verdict.OK:
        return Judgement(Verdict.OK, f"{len(told)} prices are as Together.ai tells them{more}.", worst, reading.rows)
    theirs, ours = (f"{row[f'{of}input']:g} and {row[f'{of}output']:g}" for of in ("told_", ""))
    said = f"{row['model']}: {theirs} USD per million tokens, not {ours}{more}."
    return Judgement(PRICES.judge(worst), said, worst, reading.rows)


def _apart(row: Row) -> float:
    """Return by how many percent the price that is further off is off."""
    pairs = ((float(row[f"told_{of}"]), float(row[of])) for of in ("input", "output"))
    return max(round(100 * abs(told - ours) / ours, 3) for told, ours in pairs)


prices = Check(
    name="costs-prices",
    title="Our prices are the provider's",
    probe=probes.told,
    judge=_judge_prices,
    remedy=(
        "Add a row to opslib/guide/prices.tsv with the day from which the new price holds, and tell the team that "
        "keeps the product's own table. OpenAI's interface tells no prices: compare its page once a month."
    ),
    threshold=PRICES,
)
"""Together.ai's prices, asked by the executor with the product's key (GET models, no cost)."""

DECISIVE: tuple[Check, ...] = (hour, token_price(), stored(), baseline, prices)
"""What tells most, most telling first."""

TREES: tuple[Tree, ...] = ()
