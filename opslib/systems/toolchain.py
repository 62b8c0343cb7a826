"""The programs that a development environment needs: whether they are there, and in which version; nothing is done.

Least versions are the guide's (ENV-TOOL-01 to 04); a checkout may ask for more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from opslib.errors import StepFailed, Unreachable, UsageError
from opslib.systems import programs
from opslib.systems.program_inputs import Program

LEAST: dict[Program, tuple[int, ...]] = {
    "node": (18, 0, 0),
    "npm": (9, 0, 0),
    "supabase": (1, 100, 0),
    "docker": (20, 10, 0),
}


def too_old(program: Program, found: tuple[int, ...], engines: object) -> str | None:
    """Return why a program does not do for what a package.json asks for (``>=18``, ``20.x``), or None.

    A range of another form is compared by npm itself where ``engine-strict`` says so, and not here.
    """
    asked = str(engines.get(program, "")).strip() if isinstance(engines, Mapping) else ""
    least = max(LEAST[program], _least(asked))
    if found < least:
        return f"{program} {'.'.join(map(str, found))} is older than {'.'.join(map(str, least))}"
    return None


def _least(asked: str) -> tuple[int, ...]:
    said = re.fullmatch(r"(?:>=|\^|~)?\s*v?(\d+)(?:\.(\d+|x))?(?:\.(\d+|x))?", asked)
    return tuple(int(part) if part and part != "x" else 0 for part in said.groups()) if said else (0, 0, 0)


def version(program: Program) -> tuple[int, ...]:
    """Return a program's version; raises Unreachable (missing) where it is not installed."""
    try:
        said = programs.answer(program, ["--version"], most=10_000, seconds=30.0).decode(errors="replace")
    except UsageError as error:
        raise Unreachable(error.message, error.next_step, "missing") from None
    except StepFailed as error:
        raise Unreachable(f"{program} does not say its version: {error.message[-200:]}", "Install it anew.") from None
    found = re.search(r"\bv?(\d+)\.(\d+)(?:\.(\d+))?", said)
    if found is None:
        raise Unreachable(f"{program} does not say its version.", "Install it anew.", "malformed")
    return tuple(int(part or 0) for part in found.groups())
