"""The actions: the only effects that the executor knows, each by its name (:mod:`opslib.actions.known`).

One module per area, imported at its first use: a run that only looks pays for no action.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from opslib.areas import lazily

if TYPE_CHECKING:
    from opslib.actions.base import Action

__getattr__ = lazily(__name__)


class _Actions(Mapping[str, "type[Action]"]):
    """Every action by its name, imported with the first look into it."""

    def __getitem__(self, name: str) -> type[Action]:
        return self._known()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    @staticmethod
    def _known() -> dict[str, type[Action]]:
        from opslib.actions.known import BY_NAME

        return BY_NAME


ACTIONS: Mapping[str, type[Action]] = _Actions()
"""Every action, by its name."""
