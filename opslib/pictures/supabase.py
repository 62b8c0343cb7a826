"""Pictures of Supabase: the secrets that functions need and those that are there; who may see which table."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row
from opslib.pictures.svg import WIDTH, Block, Node, Texture, box, label, picture, sentence

TITLE = "Secrets of the functions"
LEGEND = (
    "Solid: set. Hatched: needed and not set. Dotted: set by the platform itself. Values and digests are not shown."
)
LEFT, LINE, SIDE = 300.0, 22, 13.0
TABLES = "What stands between a reader and each table"
STATIONS = ("grant", "policy", "answer")
TABLES_LEGEND = "Solid: there. Outline: off. Hatched: missing, refused. Dotted: an empty list. Grey: not seen."


def secrets_grid(reading: Reading) -> Picture:
    """Draw the reading of ``probes.supabase.secrets``: one line a secret, whether it is there, and since when."""
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "there are no secrets, and none is needed"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    nodes: list[Node] = []
    for number, row in enumerate(reading.rows):
        y = number * LINE
        nodes.append(label(LEFT - 10, y + 13, row["secret"], anchor="end", room=LEFT - 10))
        nodes.append(box(LEFT, y + 3, SIDE, SIDE, _texture(row), f"{row['secret']}: {_word(row)}"))
        nodes.append(label(LEFT + 24, y + 13, _word(row), room=WIDTH - LEFT - 24))
    needed = [row for row in reading.rows if row["needed"]]
    missing = [row["secret"] for row in needed if not row["set"]]
    lacking = f"; not set: {', '.join(missing)}" if missing else ""
    said = f"{len(needed) - len(missing)} of {len(needed)} secrets that functions need are set{lacking}."
    return picture(TITLE, said, Block(len(reading.rows) * LINE, tuple(nodes)), sentence(LEGEND))


def _texture(row: Row) -> Texture:
    if not row["set"]:
        return "hatch"
    return "dots" if row["platform"] else "solid"


def _word(row: Row) -> str:
    if not row["set"]:
        return "not set"
    age = "" if row["days"] is None else f", {row['days']:g} days ago"
    return f"set{age}{'' if row['needed'] or row['platform'] else ', no function is said to need it'}"


def tables_grid(reading: Reading) -> Picture:
    """Draw the reading of ``probes.supabase_site.tables``: grant, policy, and answer without sign-in.

    Grant and policy are those of the role that the table is meant for: anon, or authenticated.
    """
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "no table is named"
        return picture(TABLES, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    wide = (WIDTH - LEFT) / len(STATIONS)
    nodes: list[Node] = [label(LEFT + i * wide, 13, station, soft=True) for i, station in enumerate(STATIONS)]
    said = []
    for number, row in enumerate(reading.rows, start=1):
        y, states = number * LINE, _stations(row)
        nodes.append(label(LEFT - 10, y + 13, f"{row['table']} ({row['read_by']})", anchor="end", room=LEFT - 10))
        for i, (texture, word) in enumerate(states):
            nodes.append(box(LEFT + i * wide, y + 3, SIDE, SIDE, texture, f"{row['table']}, {STATIONS[i]}: {word}"))
            nodes.append(label(LEFT + i * wide + 20, y + 13, word, room=wide - 24))
        said.append(f"{row['table']}: {', '.join(f'{STATIONS[i]} {word}' for i, (_, word) in enumerate(states))}")
    block = Block((len(reading.rows) + 1) * LINE, tuple(nodes))
    return picture(TABLES, f"{'; '.join(said)}.", block, sentence(TABLES_LEGEND))


def _stations(row: Row) -> list[tuple[Texture, str]]:
    who = "anybody" if row["read_by"] == "everybody" else "members"
    grant: tuple[Texture, str] = ("solid", "there") if row[f"{who}_may"] else ("hatch", "missing")
    policies = row[f"{who}_policies"]
    policy: tuple[Texture, str] = ("outline", "off") if not row["rls"] else ("hatch", "none")
    if row["rls"] and policies:
        policy = ("solid", f"{policies}")
    return [grant, policy, _answered(row)]


def _answered(row: Row) -> tuple[Texture, str]:
    if row["status"] is None:
        return "soft", "not seen"
    if row["status"] != 200:
        return "hatch", f"{row['status']} {row['code']}".rstrip()
    return ("solid", "rows") if row["rows"] else ("dots", "empty list")
