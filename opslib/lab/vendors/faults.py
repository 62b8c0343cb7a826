"""What goes wrong at a stand-in when it is told to: ``POST /_lab/faults``.

A fault says whose (``vendor``), what (``fault``), and may say which calls only (``method``, and ``path`` as a part
of the address), how often (``times``; for good if it does not say) and for how long (``seconds``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

STATUSES = ("400", "401", "402", "403", "404", "409", "422", "429", "500", "502", "503")
FAULTS = (*STATUSES, "slow", "cut", "lost", "malformed", "empty", "clock")
"""``cut``: the connection ends within the answer, and nothing was done. ``lost``: it was done, and then the
connection ends. ``malformed``: an answer that is no JSON. ``empty``: JSON that holds nothing that was asked for.
``clock``: its clock is ``seconds`` ahead, and nothing else is amiss."""

SLOW_SECONDS = 35.0


@dataclass
class Fault:
    """One fault that is set."""

    vendor: str
    fault: str
    method: str = ""
    path: str = ""
    times: int | None = None
    seconds: float | None = None

    def hits(self, vendor: str, method: str, path: str) -> bool:
        """Tell whether this call is one of its."""
        same = self.vendor == vendor and self.method in ("", method) and self.path in path
        return same and (self.times is None or self.times > 0)


class Faults:
    """The faults that are set, in order; the first that fits a call is the one that happens."""

    def __init__(self, vendors: tuple[str, ...]) -> None:
        self._vendors = vendors
        self._set: list[Fault] = []

    def set(self, said: dict[str, Any]) -> None:
        """Set one; raises ValueError with what is allowed."""
        try:
            fault = Fault(**said)
        except TypeError as error:
            raise ValueError(str(error)) from None
        if fault.vendor not in self._vendors:
            raise ValueError(f"vendor must be one of: {', '.join(self._vendors)}")
        if fault.fault not in FAULTS:
            raise ValueError(f"fault must be one of: {', '.join(FAULTS)}")
        self._set.append(fault)

    def clear(self, vendor: str | None = None, fault: str | None = None) -> None:
        """Mend one vendor, or all; and one fault of it, or all."""
        self._set = [one for one in self._set if vendor not in (None, one.vendor) or fault not in (None, one.fault)]

    def take(self, vendor: str, method: str, path: str) -> Fault | None:
        """Return what goes wrong with this call, and count it."""
        for fault in self._set:
            if fault.fault != "clock" and fault.hits(vendor, method, path):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def ahead(self, vendor: str) -> float:
        """Return by how many seconds that vendor's clock is ahead."""
        told = [fault.seconds or 0.0 for fault in self._set if (fault.vendor, fault.fault) == (vendor, "clock")]
        return told[-1] if told else 0.0

    def shown(self) -> list[dict[str, Any]]:
        """Return all that are set."""
        return [asdict(fault) for fault in self._set]
