"""What breaks in the lab on purpose: ``ops lab break FAULT`` and ``ops lab mend FAULT``.

Each area has a module here with its ``FAULTS``. A fault is what an incident would leave behind, made with the lab's
own credentials or at a stand-in's own doors; it stays until it is mended, by ``ops lab mend`` or by the notebook that
it names.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field

from opslib.errors import UsageError
from opslib.model import Verdict
from opslib.settings import Settings

AREAS = (
    *("dependencies", "cluster", "database", "cache", "supabase", "authentication", "llm", "application", "agents"),
    *("sdui", "frontend", "delivery", "security", "environment", "observability", "costs", "backups"),
)
"""The areas that have faults, each in a module of its name."""


@dataclass(frozen=True)
class Fault:
    """One way to break the lab.

    ``check`` is the name of the check that must find it, with ``verdict``; ``notebook`` is the one that mends it in
    the real system. Where a person has to, it is "" and ``person`` says why.
    ``make`` and ``mend`` get the lab's whole target description; both may be called again without harm.
    ``standby``, ``backup``: only a lab that has one can be broken like this; elsewhere ``make`` raises LabError.
    """

    name: str
    area: str
    title: str
    check: str
    notebook: str
    make: Callable[[Settings], None] = field(repr=False)
    mend: Callable[[Settings], None] = field(repr=False)
    verdict: Verdict = Verdict.CRITICAL
    standby: bool = False
    backup: bool = False
    person: str = ""


def faults() -> dict[str, Fault]:
    """Return all faults, by name."""
    modules = [importlib.import_module(f"opslib.lab.broken.{area}") for area in AREAS]
    return {fault.name: fault for module in modules for fault in module.FAULTS}


def find(name: str) -> Fault:
    """Return the fault of this name; raises UsageError with all names for another one."""
    known = faults()
    if name not in known:
        raise UsageError(f"There is no fault {name!r}.", f"There are: {', '.join(known)}.")
    return known[name]
