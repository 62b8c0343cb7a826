"""The documents that the guide says were merged into it: are they in the repository, and under which names?"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from opslib.model import Probe
from opslib.systems.target import ReadTarget

MERGED = ("LOAD_TESTING_GUIDE.md", "CHAOS_ENGINEERING_GUIDE.md")
"""Those that are of game days; the guide's list of merged files has ten (META-SRC)."""


def sources(branch: str = "main") -> Probe:
    """Return the probe of these documents on a branch of the product's checkout."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        commit = target.checkout.commit(branch)
        paths = [entry.path for entry in target.checkout.entries(commit)]
        return [row_of(name, paths) | {"commit": commit} for name in MERGED]

    return Probe(
        "merged-sources", "Documents that the guide merged", read, source=f"git ls-tree -r {branch}, of the checkout"
    )


def row_of(name: str, paths: list[str]) -> dict[str, Any]:
    """Return where a document is, and which others speak of the same by their names. Pure."""
    words = name.removesuffix("_GUIDE.md").lower().split("_")
    alike = re.compile("[-_ ]?".join(words) + r".*\.(md|mdx|rst|txt)", re.IGNORECASE)
    there = [path for path in paths if PurePosixPath(path).name == name]
    others = [path for path in paths if path not in there and alike.search(PurePosixPath(path).name)]
    return {"document": name, "there": ", ".join(there[:5]), "like_it": ", ".join(others[:5])}
