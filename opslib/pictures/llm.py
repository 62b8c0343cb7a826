"""Pictures of the LLM gateway: a lane for each provider, with its breaker, its answers' times and its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opslib.model import Picture, Reading, Row
from opslib.pictures.figures import count, duration
from opslib.pictures.llm_apart import apart
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, line, picture, sentence

__all__ = ["apart", "lanes"]

TITLE = "Who answers, and how fast"
NAMES = {"together_ai": "Together.ai", "openai": "OpenAI"}
LEFT, PLOT, HIGH, LOW = 150.0, 470.0, 64.0, 20.0
LEGEND = (
    "Band: the breaker now (empty: closed, hatched: half-open, solid: open, dotted: not known).",
    "Columns: half of the answers came within the solid part, 95 % within the outline.",
    "Hatched below: the provider's share of that step's answers.",
)
_BAND: Mapping[str, Texture] = {"closed": "outline", "half-open": "hatch", "open": "solid"}


def lanes(breakers: Reading, answers: Reading, steps: int = 24, limit: float = 5.0) -> Picture:
    """Draw the readings of ``probes.llm.breakers`` and ``probes.llm.lanes``, oldest step left.

    ``limit`` (seconds) is the guide's target, drawn where the scale reaches it. What was not read is said, not drawn.
    """
    if answers.unknown is not None:
        return picture(TITLE, f"Unknown: {answers.unknown}", sentence(f"Unknown: {answers.unknown}"))
    states = {} if breakers.unknown is not None else {row["provider"]: row["state"] for row in breakers.rows}
    providers = list(dict.fromkeys((*NAMES, *(row["provider"] for row in answers.rows))))
    totals: dict[int, int] = {}
    for row in answers.rows:
        totals[row["step"]] = totals.get(row["step"], 0) + row["answers"]
    top = max([limit * 1250, *(row["p95_ms"] or 0 for row in answers.rows)])
    blocks, said = [], []
    for provider in providers:
        rows = [row for row in answers.rows if row["provider"] == provider and row["step"] < steps]
        state = str(states.get(provider, "not known"))
        blocks.append(_lane(provider, state, rows, totals, (steps, top, limit)))
        said.append(_words(provider, state, rows, sum(totals.values())))
    return picture(TITLE, f"{'; '.join(said)}.", *blocks, *map(sentence, LEGEND), gap=10)


def _lane(
    provider: str, state: str, rows: Sequence[Row], totals: Mapping[int, int], scale: tuple[int, float, float]
) -> Block:
    steps, top, limit = scale
    wide = PLOT / steps
    name = NAMES.get(provider, provider)
    nodes: list[Node] = [
        label(LEFT - 10, 12, name, anchor="end", room=LEFT - 10),
        box(LEFT, 2, PLOT, 11, _BAND.get(state, "dots"), f"{name}: breaker {state}"),
        label(LEFT + PLOT + 8, 12, f"{state}", room=WIDTH - LEFT - PLOT - 8, size=12),
    ]
    floor = 20 + HIGH
    for row in rows:
        x = LEFT + (steps - 1 - row["step"]) * wide
        title = f"{name}: {row['answers']} answers"
        if row["p95_ms"] is not None:
            high, half = HIGH * row["p95_ms"] / top, HIGH * row["p50_ms"] / top
            title += f", half within {duration(row['p50_ms'] / 1000)}, 95 % within {duration(row['p95_ms'] / 1000)}"
            nodes.append(box(x + 1, floor - high, wide - 2, high, "outline", title))
            nodes.append(box(x + 1, floor - half, wide - 2, half, "solid", title))
        share = row["answers"] / totals[row["step"]]
        nodes.append(box(x + 1, floor + 6 + LOW * (1 - share), wide - 2, LOW * share, "hatch", f"{share:.0%} served"))
    y = floor - HIGH * limit * 1000 / top
    nodes += [line(LEFT, y, LEFT + PLOT, y, dash="4 3"), line(LEFT, floor, LEFT + PLOT, floor, opacity=0.4)]
    nodes.append(label(LEFT + PLOT + 8, y + 4, f"target {limit:g} s", size=12, room=WIDTH - LEFT - PLOT - 8))
    answers = sum(row["answers"] for row in rows)
    nodes.append(label(LEFT - 10, floor + 21, f"{count(answers)} answers", anchor="end", size=12, soft=True))
    return Block(floor + 6 + LOW, tuple(nodes))


def _words(provider: str, state: str, rows: Sequence[Row], total: int) -> str:
    name, answers = NAMES.get(provider, provider), sum(row["answers"] for row in rows)
    share = f" ({answers / total:.0%})" if total else ""
    times = [row["p95_ms"] for row in rows if row["p95_ms"] is not None]
    worst = f", the slowest step's P95 {duration(max(times) / 1000)}" if times else ""
    return f"{name}: breaker {state}, {count(answers)} answers{share}{worst}"
