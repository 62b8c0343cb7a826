"""Pictures of the API's objective: its days, its budget of failures, and the times that its answers took."""

from __future__ import annotations

from opslib.guide.objectives import MONTH, PAIRS
from opslib.guide.thresholds import threshold
from opslib.model import Picture, Reading, Row
from opslib.pictures.charts import Bar, Day, Part, bar_list, budget_bar, calendar_strip
from opslib.pictures.figures import count
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, heading, label, line, picture, sentence

UPTIME, RESPONSE_TIME = threshold("uptime"), threshold("response-time-p95")
DAY_MINUTES = 1440
HIGH = 96.0


def _unknown(title: str, reading: Reading, otherwise: str) -> Picture:
    why = f"Unknown: {reading.unknown or otherwise}"
    return picture(title, why, sentence(why))


def days(reading: Reading) -> Picture:
    """Draw the reading of ``probes.application.uptime``: a cell a day, by how long the API was up."""
    title = "Uptime, day by day"
    if reading.unknown is not None or not reading.rows:
        return _unknown(title, reading, "nothing was measured")
    cells = [_day(row) for row in reading.rows]
    bad = [f"{row['day']} {row['down']:.0f} min down" for row in reading.rows if row["down"] >= 0.5]
    dark = [f"{row['day']} {row['unknown']:.0f} min unknown" for row in reading.rows if row["unknown"]]
    said = "; ".join([*bad, *dark]) or "no outage"
    legend = f"✓ within the target ({UPTIME.warning:g} %)   ! below it   ✗ below {UPTIME.critical:g} %   ? not measured"
    return picture(title, f"{len(cells)} days: {said}.", calendar_strip(cells), sentence(legend))


def _day(row: Row) -> Day:
    seen = row["up"] + row["down"]
    share = 100 * row["up"] / seen if seen else 0.0
    mark, texture = _sign(share, row["unknown"] > row["up"] + row["down"])
    title = f"{row['day']}: {share:.2f} % up, {row['down']:.1f} min down, {row['unknown']:.0f} min unknown"
    return Day(str(row["day"])[8:10], mark, title, texture)


def _sign(share: float, dark: bool) -> tuple[str, Texture]:
    if dark:
        return "?", "outline"
    if share >= (UPTIME.warning or 0.0):
        return "✓", "solid"
    return ("!", "soft") if share >= (UPTIME.critical or 0.0) else ("✗", "hatch")


def objective(reading: Reading, target: float = UPTIME.warning or 0.0) -> Picture:
    """Draw the reading of ``probes.application.burn``: the month's budget of failures, and the pace of each pair."""
    title = f"The objective: {target:g} % of the requests succeed"
    by = {row["window"]: row for row in reading.rows}
    if reading.unknown is not None or not by:
        return _unknown(title, reading, "nothing was measured")
    blocks, said = [], []
    month = by.get(MONTH)
    if month is not None and month["requests"]:
        allowed, used = month["requests"] * (100 - target) / 100, month["failures"]
        blocks += [heading(f"Budget of 30 days: {count(round(allowed))} failures"), _budget(used, allowed)]
        said.append(f"{count(round(used))} of {count(round(allowed))} failures of the month's budget are used")
    bars = []
    for pair in PAIRS:
        long, short = by[pair.long]["pace"], by[pair.short]["pace"]
        limit = pair.limit.critical or pair.limit.warning or 1.0
        least = None if long is None or short is None else min(long, short)
        texture: Texture = "soft" if least is None or least <= limit else "solid"
        shown = "unknown" if least is None else f"{least:.2g}× of {limit:g}×"
        note = "burns" if least is not None and least > limit else ""
        bars.append(Bar(f"{pair.long} & {pair.short}", None if least is None else least / limit, shown, note, texture))
        said.append(f"{pair.long} & {pair.short} {shown}")
    blocks += [heading("Pace of both windows, as part of what pages or writes a ticket"), bar_list(bars, maximum=1.0)]
    return picture(title, f"{'; '.join(said)}.", *blocks)


def _budget(used: float, allowed: float) -> Block:
    texture: Texture = "hatch" if used > allowed else "solid"
    return budget_bar([Part("used", round(used), count(round(used)), texture)], max(round(allowed), 1e-9), free="left")


def histogram(reading: Reading) -> Picture:
    """Draw the reading of ``probes.application.window``: a column a bucket, with lines at the guide's limits."""
    title = "How long answers took"
    edges = reading.rows[0]["edges"] if reading.rows else {}
    total = edges.get("+Inf", 0.0)
    if reading.unknown is not None or not total:
        return _unknown(title, reading, "no request was measured")
    parts, below = [], 0.0
    for edge, number in sorted(edges.items(), key=lambda one: float(one[0])):
        parts.append((edge, max(0.0, 100 * (number - below) / total)))
        below = number
    words = [f"{'more' if edge == '+Inf' else f'at most {edge} ms'}: {share:.2f} %" for edge, share in parts]
    lost = [f"{limit:g} ms" for limit in _limits() if f"{limit:g}" not in edges]
    tail = [sentence(f"No edge at {', '.join(lost)}: that limit cannot be seen in this histogram.")] if lost else []
    return picture(title, f"{'; '.join(words)}.", _columns(parts), *tail)


def _limits() -> list[float]:
    return [limit for limit in (RESPONSE_TIME.warning, RESPONSE_TIME.critical) if limit is not None]


def _columns(parts: list[tuple[str, float]]) -> Block:
    wide = WIDTH / len(parts)
    top = max(share for _, share in parts)
    nodes: list[Node] = []
    for i, (edge, share) in enumerate(parts):
        height = HIGH * share / top if top else 0.0
        name = "more" if edge == "+Inf" else f"≤ {edge} ms"
        texture: Texture = "hatch" if edge == "+Inf" else "soft"
        nodes.append(box(i * wide + 6, 36 + HIGH - height, wide - 12, height, texture, f"{name}: {share:.2f} %"))
        nodes.append(label((i + 0.5) * wide, 30 + HIGH - height, f"{share:.1f} %", anchor="middle", size=12, room=wide))
        nodes.append(label((i + 0.5) * wide, 52 + HIGH, name, anchor="middle", size=12, room=wide, soft=True))
    nodes.append(line(0, 36 + HIGH, WIDTH, 36 + HIGH, opacity=0.4))
    for word, limit in zip(("target", "alert"), _limits(), strict=True):
        at = next((i + 1 for i, (edge, _) in enumerate(parts) if edge == f"{limit:g}"), None)
        if at is not None:
            nodes.append(line(at * wide, 4, at * wide, 36 + HIGH, dash="4 3"))
            nodes.append(label(at * wide - 5, 12, f"{word} {limit:g} ms", anchor="end", size=12, room=wide * 1.5))
    return Block(56 + HIGH, tuple(nodes))
