"""Pictures of the cluster: where the planned pods would go, and what their pools take of the database."""

from __future__ import annotations

from opslib.model import Picture, Reading, Row
from opslib.pictures.charts import Limit, Part, budget_bar
from opslib.pictures.figures import size
from opslib.pictures.svg import Block, heading, picture, sentence

MOST_NODES = 30
NOWHERE = "(no node)"
"""How a reading of ``probes.cluster.room`` names what finds no node."""


def capacity(reading: Reading) -> Picture:
    """Draw a bar of cores for each node: asked for already, planned (hatched), left; and what finds no node.

    Takes a reading of ``probes.cluster.room``; at most 30 nodes are drawn, and the rest counted.
    """
    title = "Room on the nodes"
    if reading.unknown is not None:
        return picture(title, f"Unknown: {reading.unknown}", sentence(f"Unknown: {reading.unknown}"))
    nodes = [row for row in reading.rows if row["node"] != NOWHERE]
    lost = [row for row in reading.rows if row["node"] == NOWHERE]
    blocks: list[Block] = []
    for row in nodes[:MOST_NODES]:
        blocks += [heading(_name(row)), budget_bar(_parts(row), row["cpu"], free="cores left")]
    if len(nodes) > MOST_NODES:
        blocks.append(sentence(f"… and {len(nodes) - MOST_NODES} more nodes"))
    said = [f"{row['pods_planned']} of {row['planned']} find no node: it {row['state']}" for row in lost]
    blocks += [sentence(text) for text in said]
    return picture(title, _said(nodes, said), *blocks)


def _name(row: Row) -> str:
    state = "" if row["state"] == "takes pods" else f" ({row['state']})"
    planned = f", planned: {row['planned']}" if row["planned"] else ""
    return f"{row['node']}{state}{planned} · memory left {size(row['memory_left'])}"


def _parts(row: Row) -> list[Part]:
    parts = [Part("cores asked for", row["cpu_requested"])]
    if row["cpu_planned"]:
        parts.append(Part("planned", row["cpu_planned"], texture="hatch"))
    return parts


def _said(nodes: list[Row], lost: list[str]) -> str:
    planned, left = sum(row["pods_planned"] for row in nodes), sum(row["cpu_left"] for row in nodes)
    fits = f"{planned} planned pods find a place on {len(nodes)} nodes, where {left:.1f} cores are left then"
    return f"{'; '.join([fits, *lost])}."


def connections(reading: Reading, warning_percent: float = 80, critical_percent: float = 90) -> Picture:
    """Draw each limit of the database's connections: in use, planned (hatched), left; with the guide's two lines.

    Takes a reading of ``probes.cluster.connections``.
    """
    title = "Connection budget with the new replicas"
    if reading.unknown is not None:
        return picture(title, f"Unknown: {reading.unknown}", sentence(f"Unknown: {reading.unknown}"))
    blocks: list[Block] = []
    for row in reading.rows:
        lines = [Limit(row["usable"] * share / 100, f"{share:g} %") for share in (warning_percent, critical_percent)]
        parts = [Part("in use", row["used"]), Part("planned", row["planned"], texture="hatch")]
        if row["left"] > 0:
            parts.append(Part("left", row["left"], texture="outline"))
        if row["reserved"]:
            parts.append(Part("reserved for administrators", row["reserved"], texture="dots"))
        blocks += [heading(str(row["budget"])), budget_bar(parts, row["slots"], lines)]
    said = "; ".join(
        f"{row['budget']}: {row['used']} in use and {row['planned']} planned of {row['usable']} usable "
        f"({row['percent']:g} %)"
        for row in reading.rows
    )
    return picture(title, f"{said}.", *blocks)
