"""The probes that the executor takes when a notebook asks for them by name; nothing else can be asked for."""

from __future__ import annotations

from opslib.model import Probe

_PROBES: tuple[Probe, ...] = ()

ASKED: dict[str, Probe] = {probe.name: probe for probe in _PROBES}
"""Every probe that is taken ``by_executor``, by its name."""
