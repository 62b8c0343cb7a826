"""SQL questions as packaged files: one question per file, its first line ``-- title: …``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from opslib.systems.postgres import Question

TITLE = "-- title:"


@cache
def question(name: str) -> Question:
    """Return the question in ``sql/<name>.sql``; raises FileNotFoundError or ValueError on a packaging fault."""
    text = files("opslib.probes").joinpath("sql", *f"{name}.sql".split("/")).read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    if not first.startswith(TITLE) or not rest.strip():
        raise ValueError(f"sql/{name}.sql must begin with a line '{TITLE} …' and hold one question")
    return Question(name=name, title=first.removeprefix(TITLE).strip(), text=text)
