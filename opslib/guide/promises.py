"""What the guide promises of a recovery, service by service; the figures are rows of ``policy.tsv``.

Source: the guide's table of recovery objectives (DR-OBJ-01 to DR-OBJ-05). Of the cache it promises no RPO.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from opslib.guide.thresholds import policy, threshold
from opslib.model import Row, Threshold

Service = Literal["database", "application", "llm", "cache", "frontend"]
"""A service of the guide's table, by the area that looks after it."""


@dataclass(frozen=True)
class Promise:
    """One line of the table. ``items`` are the guide's: the RTO's, then the RPO's."""

    service: Service
    title: str
    priority: str
    items: tuple[str, str]

    @property
    def rto(self) -> Threshold:
        """From the loss to the first good answer, in minutes."""
        return threshold(f"drill-rto-{self.service}")

    @property
    def rpo(self) -> Threshold | None:
        """How far back acknowledged writes may be lost, in minutes; None where the guide promises nothing."""
        figure = f"drill-rpo-{self.service}"
        return threshold(figure) if figure in policy() else None


PROMISES: dict[Service, Promise] = {
    one.service: one
    for one in (
        Promise("database", "Database", "P0", ("DR-OBJ-01T", "DR-OBJ-01P")),
        Promise("application", "API services", "P0", ("DR-OBJ-02T", "DR-OBJ-02P")),
        Promise("llm", "LLM services", "P1", ("DR-OBJ-03T", "DR-OBJ-03P")),
        Promise("cache", "Redis cache", "P1", ("DR-OBJ-04T", "DR-OBJ-04P")),
        Promise("frontend", "Front end", "P2", ("DR-OBJ-05T", "DR-OBJ-05P")),
    )
}
"""In the order of the guide's priorities, which is the order of recovery."""


def chosen(rows: Sequence[Row], drill: str) -> list[Row]:
    """Return the rows of one drill of a reading of drills: of the newest for ``latest``, damaged or not.

    What people recovered on a game day is shown where it is asked for by its name: its times are of another sort.
    """
    own = (str(row["drill"]) for row in rows if not row["day"])
    name = max(own, default="") if drill == "latest" else drill
    return [row for row in rows if row["drill"] == name]


def before(rows: Sequence[Row], drill: str) -> dict[Service, Row]:
    """Return by service the row of the newest earlier drill that measured its time and can be believed.

    A drill is held against drills, and one that people recovered against such ones.
    """
    people = any(row["day"] for row in rows if row["drill"] == drill)
    found: dict[Service, Row] = {}
    for row in sorted(rows, key=lambda row: str(row["drill"])):
        alike = bool(row["day"]) is people and str(row["drill"]) < drill
        if alike and counts(row) and row["rto_seconds"] is not None:
            found[row["service"]] = row
    return found


def counts(row: Row) -> bool:
    """Tell whether a row is of a service that was drilled, in a drill that came to its end and can be believed."""
    return not (row["damage"] or row["unsealed"]) and row["state"] == "finished" and not row["why"]
