"""A picture of cost: a bar an hour, by provider, against the guide's target and alert, and what was stored."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, line, picture, sentence

TITLE = "Cost of language models, hour by hour"
PLOT, HIGH = WIDTH - 110, 130.0
LEGEND = (
    "Solid: Together.ai. Hatched: OpenAI. Dotted: others. Gap: nobody was answered.",
    "The dash across a bar is what the product stored.",
)
_TEXTURES: dict[str, Texture] = {"together_ai": "solid", "openai": "hatch"}


def hours(reading: Reading, many: int = 24, target: float = 10, alert: float = 50) -> Picture:
    """Draw the reading of ``probes.costs.hours``, oldest left; limits (USD an hour) beyond the scale are said below."""
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or f"nobody was answered within {many} h"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    totals = {ago: _sum(reading, ago) for ago in range(many) if any(row["ago"] == ago for row in reading.rows)}
    stored = {ago: _sum(reading, ago, "stored_usd") for ago in totals}
    top = max([*totals.values(), *stored.values(), 1e-6])
    scale = top * 1.15 if top < target / 3 else max(top, target) * 1.1
    drawn = [(limit, name) for limit, name in ((target, "target"), (alert, "alert")) if limit <= scale]
    beyond = [f"{name} {limit:g} USD" for limit, name in ((target, "target"), (alert, "alert")) if limit > scale]
    worst = max(totals, key=lambda ago: totals[ago])
    unpriced = sum(row["unpriced"] for row in reading.rows)
    said = (
        f"{sum(totals.values()):.2f} USD in {len(totals)} hours with answers; most in one: {totals[worst]:.2g} USD, "
        f"{worst} h ago; target {target:g}, alert {alert:g} USD"
    )
    notes = [*LEGEND]
    notes += [f"Beyond the scale: {', '.join(beyond)} an hour; the highest bar is {top:.2g} USD."] if beyond else []
    notes += [f"{unpriced} answers have no price and are in no bar."] if unpriced else []
    block = Block(HIGH + 24, tuple(_bars(reading, many, scale, stored) + _limits(drawn, scale)))
    said += f"; {unpriced} answers have no price" if unpriced else ""
    return picture(TITLE, f"{said}.", block, *map(sentence, notes))


def _sum(reading: Reading, ago: int, name: str = "usd") -> float:
    return float(sum(row[name] or 0 for row in reading.rows if row["ago"] == ago))


def _bars(reading: Reading, many: int, scale: float, stored: dict[int, float]) -> list[Node]:
    wide = PLOT / many
    nodes: list[Node] = [line(0, HIGH, PLOT, HIGH, opacity=0.4)]
    for ago, kept in stored.items():
        x, y = (many - 1 - ago) * wide, HIGH
        for row in _ordered(reading, ago):
            high = HIGH * row["usd"] / scale
            title = f"{ago} h ago, {row['provider']}: {row['usd']:g} USD, {row['answers']} answers"
            nodes.append(box(x + 2, y - high, wide - 4, high, _TEXTURES.get(row["provider"], "dots"), title))
            y -= high
        level = HIGH - HIGH * kept / scale
        nodes.append(line(x, level, x + wide, level, opacity=1.0))
    nodes += [label(0, HIGH + 16, f"{many} h ago", soft=True), label(PLOT, HIGH + 16, "now", anchor="end", soft=True)]
    return nodes


def _ordered(reading: Reading, ago: int) -> list[Row]:
    rows = [row for row in reading.rows if row["ago"] == ago]
    return sorted(rows, key=lambda row: (row["provider"] != "together_ai", row["provider"]))


def _limits(drawn: list[tuple[float, str]], scale: float) -> list[Node]:
    nodes: list[Node] = [label(PLOT + 8, 12, f"{scale:.2g} USD", size=12, room=100, soft=True)]
    for limit, name in drawn:
        y = HIGH - HIGH * limit / scale
        nodes += [line(0, y, PLOT, y, dash="4 3"), label(PLOT + 8, y + 4, f"{name} {limit:g} USD", size=12, room=100)]
    return nodes
