"""What breaks in the lab on purpose: ``ops lab break FAULT`` and ``ops lab mend FAULT``.

Each area has a module here with its ``FAULTS``. A fault is what an incident would leave behind, made with the lab's
own credentials or at a stand-in's own doors; it stays until it is mended, by ``ops lab mend`` or by the notebook that
it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from opslib.settings import Settings


@dataclass(frozen=True)
class Fault:
    """One way to break the lab.

    ``check`` is the name of the check that must find it, ``notebook`` the one that mends it in the real system.
    ``make`` and ``mend`` get the lab's whole target description; both may be called again without harm.
    """

    name: str
    area: str
    title: str
    check: str
    notebook: str
    make: Callable[[Settings], None] = field(repr=False)
    mend: Callable[[Settings], None] = field(repr=False)
