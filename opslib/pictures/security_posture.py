"""Pictures of who sees whose rows, and of which protecting headers are sent."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

MATRIX = "Who sees whose rows"
MATRIX_LEGEND = (
    "Outline: nothing, or denied. Dotted: own rows, or rows of no tenant's table.",
    ("Solid: rows of others. Hatched: nobody's rows. Grey: not seen. “meant”: excepted, with reason."),
)
SCORE = "Headers that protect people's browsers"
SCORE_LEGEND = "Solid: sent. Hatched: not sent. Grey: not seen. Whether its value is good is the check's word."
LEFT, LINE, SIDE = 290.0, 20, 13.0


def tenants(reading: Reading) -> Picture:
    """Draw the reading of ``probes.security_tenants.matrix``: a line a table or view, a column an identity."""
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "no table was looked at"
        return picture(MATRIX, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    identities = list(dict.fromkeys(row["identity"] for row in reading.rows))
    relations = list(dict.fromkeys(row["relation"] for row in reading.rows))
    cells = {(row["relation"], row["identity"]): row for row in reading.rows}
    wide = (WIDTH - LEFT) / max(1, len(identities))
    nodes: list[Node] = [label(LEFT + i * wide, 13, name, soft=True) for i, name in enumerate(identities)]
    for number, relation in enumerate(relations, start=1):
        y = number * LINE
        nodes.append(label(LEFT - 10, y + 13, relation, anchor="end", room=LEFT - 10))
        for i, identity in enumerate(identities):
            texture, word = _cell(cells[relation, identity])
            x = LEFT + i * wide
            nodes.append(box(x, y + 3, SIDE, SIDE, texture, f"{relation}, {identity}: {word}"))
            nodes.append(label(x + 19, y + 13, word, room=wide - 22))
    leaks = [f"{row['relation']} to {row['identity']}" for row in reading.rows if _cell(row)[0] == "solid"]
    unseen = sum(_cell(row)[0] == "soft" for row in reading.rows)
    said = f"Rows of others are seen in: {', '.join(leaks)}" if leaks else "Nobody sees rows of others"
    more = f"; {unseen} looks found nothing out" if unseen else ""
    block = Block((len(relations) + 1) * LINE, tuple(nodes))
    return picture(MATRIX, f"{said}{more}.", block, *map(sentence, MATRIX_LEGEND), gap=6)


def _cell(row: Row) -> tuple[Texture, str]:
    if row["word"] == "denied":
        return "outline", "denied"
    if row["word"] != "seen":
        return "soft", row["word"]
    many = f"{row['visible']}{'+' if row['capped'] else ''}"
    if row["excepted"] and row["visible"]:
        return "dots", f"{many}, meant"
    if row["foreign"]:
        return "solid", f"{row['foreign']} of others"
    if row["identity"] == "anybody" and row["visible"]:
        return "solid", many
    if row["nobodys"]:
        return "hatch", f"{row['nobodys']} nobody's"
    return ("dots", many) if row["visible"] else ("outline", "none")


def headers(reading: Reading) -> Picture:
    """Draw the reading of ``probes.security_web.headers``: a line a header, a column a place."""
    rows = [row for row in reading.rows if row["header"] != "connect to"]
    if reading.unknown is not None or not rows:
        why = reading.unknown or "nothing was asked"
        return picture(SCORE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    places = list(dict.fromkeys(row["where"] for row in rows))
    names = list(dict.fromkeys(row["header"] for row in rows if row["header"]))
    sent = {(row["header"], row["where"]): row["value"] for row in rows}
    wide = (WIDTH - LEFT) / max(1, len(places))
    nodes: list[Node] = [label(LEFT + i * wide, 13, place, soft=True) for i, place in enumerate(places)]
    said = []
    for number, name in enumerate(names, start=1):
        y = number * LINE
        nodes.append(label(LEFT - 10, y + 13, name, anchor="end", room=LEFT - 10))
        for i, place in enumerate(places):
            value = sent.get((name, place))
            texture: Texture = "soft" if value is None else "solid" if value else "hatch"
            word = "not seen" if value is None else value or "not sent"
            nodes.append(box(LEFT + i * wide, y + 3, SIDE, SIDE, texture, f"{place}, {name}: {word}"))
            nodes.append(label(LEFT + i * wide + 19, y + 13, word, room=wide - 24))
            if not value:
                said.append(f"{place}: {name} {word}")
    block = Block((len(names) + 1) * LINE, tuple(nodes))
    return picture(SCORE, f"{'; '.join(said) or 'All are sent'}.", block, sentence(SCORE_LEGEND))
