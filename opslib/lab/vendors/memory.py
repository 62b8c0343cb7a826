"""What the vendors' stand-ins remember: one JSON document in the lab's folder, written after every change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from opslib.lab.state import write


class Memory:
    """The state of all stand-ins, by vendor."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def of(self, vendor: str, first: dict[str, Any]) -> dict[str, Any]:
        """Return the state of ``vendor``, to be changed in place; ``first`` where there is none yet."""
        found: dict[str, Any] = self._said.setdefault(vendor, first)
        return found

    def shown(self) -> Mapping[str, Any]:
        """Return everything, for who only looks: it is what is remembered itself, and a copy would take longer."""
        return MappingProxyType(self._said)

    def replace(self, said: dict[str, Any]) -> None:
        """Put ``said`` in place of what is remembered of the vendors that it names; keep it."""
        for vendor, state in said.items():
            known = self._said.setdefault(vendor, {})
            known.clear()
            known.update(state)
        self.keep()

    def keep(self) -> None:
        """Write everything to the disk, whole or not at all."""
        write(self._file, json.dumps(self._said))
