"""Probes read one fact each, through handles that cannot write. One module per area; SQL in ``sql/``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opslib.areas import lazily
from opslib.late import Late

if TYPE_CHECKING:
    from opslib.model import Probe

__getattr__ = lazily(__name__)


def _asked() -> Mapping[str, Probe]:
    from opslib.probes.asked import BY_NAME

    return BY_NAME


ASKED: Mapping[str, Probe] = Late(_asked)
"""Every probe that is taken ``by_executor``, by its name."""
