"""The actions: the only effects that the executor knows, each by its name (:mod:`opslib.actions.known`).

One module per area, imported at its first use: a run that only looks pays for no action.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opslib.areas import lazily
from opslib.late import Late

if TYPE_CHECKING:
    from opslib.actions.base import Action

__getattr__ = lazily(__name__)


def _known() -> Mapping[str, type[Action]]:
    from opslib.actions.known import BY_NAME

    return BY_NAME


ACTIONS: Mapping[str, type[Action]] = Late(_known)
"""Every action, by its name."""
