"""Picture of stored pages: which components they name, and which of these are registered."""

from __future__ import annotations

from collections import Counter

from opslib.model import Picture, Reading
from opslib.pictures.charts import Bar, bar_list
from opslib.pictures.svg import picture, sentence

TITLE = "Components that stored pages name"
LEGEND = "Solid: registered. Hatched: not registered, “Component not found”."
MOST = 20


def components(reading: Reading) -> Picture:
    """Draw the reading of ``probes.sdui.layouts``: a bar per component, as long as there are pages that name it."""
    pages = [row for row in reading.rows if row["what"] == "page"]
    if reading.unknown is not None or not pages:
        why = f"Unknown: {reading.unknown}" if reading.unknown else "No page is stored in the newest rows."
        return picture(TITLE, why, sentence(why))
    lost = {name for row in pages for name in row["unknown"]}
    named = Counter(name for row in pages for name in row["components"])
    ordered = sorted(named.items(), key=lambda one: (one[0] not in lost, -one[1]))[:MOST]
    bars = [
        Bar(
            name,
            number,
            f"{number} pages",
            "not registered" if name in lost else "",
            "hatch" if name in lost else "solid",
        )
        for name, number in ordered
    ]
    unused = len(set(reading.rows[0]["components"]) - set(named))
    said = f"{len(pages)} pages name {len(named)} components, {len(lost)} not registered; {unused} are named by none."
    return picture(TITLE, said, bar_list(bars), sentence(LEGEND))
