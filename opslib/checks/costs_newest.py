"""The check that a token costs what it did: which model is asked now, by the newest answers alone."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes import costs_newest as probes

DEARER = threshold("llm-token-price")
NEW_SHARE = 1.0
"""Percent of the answers before, below which a model is a new one: when it began is known then."""
FEWEST, FEWEST_BEFORE = 20, 100
"""Answers, now and in the week before, below which nothing is said."""


def token_price(most: int = 30, minutes: float = 60) -> Check:
    """Return the check that a token of the first provider's newest ``most`` answers costs no more than before.

    What the hour cost stays in its figure for an hour; this one says what is asked now, whatever many users ask. The
    fallback's answers are not in it (``llm-fallback``), nor how long they are (``llm-tokens``).
    """
    return Check(
        name="costs-token-price",
        title="The models that are asked cost what they did",
        probe=probes.newest(most, minutes),
        judge=_judge,
        remedy=(
            "Another model than before is asked. It began with the API's newest revision: disaster/recover-everything "
            "with services=api, back=previous brings back the one before. That one has run for much longer: the front "
            "end names it, and runbooks/roll-back-deployment brings back its deployment before; users get it with "
            "their next page. Meant so: nothing to do, a week later it is the usual. The figure is of the newest "
            "answers: it is content again after so many."
        ),
        threshold=DEARER,
        items=("MON-LLM-02T",),
    )


def _judge(reading: Reading) -> Judgement:
    rows = reading.rows
    answers, before = (sum(row[name] for row in rows) for name in ("answers", "answers_before"))
    if answers < FEWEST or before < FEWEST_BEFORE:
        said = f"{answers} newest answers, {before} in the week before: too few to say ({FEWEST}, {FEWEST_BEFORE})."
        return Judgement(Verdict.UNKNOWN, said, None, rows)
    if lacking := [str(row["model"]) for row in rows if row["unpriced"]]:
        return Judgement(Verdict.UNKNOWN, f"No price is known of {', '.join(lacking)}, which answers now.", None, rows)
    now, usual = (_each(rows, tail) for tail in ("", "_before"))
    percent = 100 * now / usual if usual else 100.0
    grown = max(rows, key=lambda row: float(row["share"] - row["share_before"]))
    said = f"A million tokens of the newest {answers} answers cost {now:.2f} USD, {usual:.2f} in the week before"
    verdict = DEARER.judge(percent)
    more = "" if verdict is Verdict.OK else f": {_word(grown)}"
    return Judgement(verdict, f"{said} ({percent:.0f} %){more}.", round(percent, 1), rows)


def _each(rows: tuple[Row, ...], tail: str) -> float:
    tokens = sum(row[f"tokens{tail}"] for row in rows)
    return float(sum(row[f"usd{tail}"] for row in rows)) * probes.MILLION / tokens if tokens else 0.0


def _word(row: Row) -> str:
    """Return what grew, and whether that began with the API's newest revision: else somebody else names it."""
    said = f"{row['model']} gave {row['share']:.0f} % of them, {row['share_before']:.0f} % before"
    if row["began"] is None or row["age"] is None or row["share_before"] >= NEW_SHARE:
        return said
    runs = f"revision {row['revision']} of {row['deployment']} has run for {duration(row['age'])}"
    return f"{said}; its first answer was {duration(row['began'])} ago, and {runs}"
