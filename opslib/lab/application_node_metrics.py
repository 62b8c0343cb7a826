"""Figures of the machine, as node_exporter names them, of the disk that holds one path."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from opslib.lab import volume

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def node_metrics(path: Path) -> bytes:
    """Return size, free and available bytes of the file system of ``path``, memory and load, as Prometheus text.

    Available is what an ordinary user may still write, as ``df`` shows it. Raises OSError when the path is gone.
    """
    registry = CollectorRegistry()
    labels = _mount(path)
    whole, free, available = _room(path)
    memory = psutil.virtual_memory()
    figures = {
        "node_filesystem_size_bytes": ("Filesystem size in bytes.", whole),
        "node_filesystem_free_bytes": ("Filesystem free space.", free),
        "node_filesystem_avail_bytes": ("Space available to non-root users.", available),
    }
    for name, (text, value) in figures.items():
        Gauge(name, text, tuple(labels), registry=registry).labels(**labels).set(value)
    plain = {
        "node_memory_MemTotal_bytes": ("Total memory.", memory.total),
        "node_memory_MemAvailable_bytes": ("Memory available without swapping.", memory.available),
        "node_load1": ("Load average of one minute.", os.getloadavg()[0]),
    }
    for name, (text, number) in plain.items():
        Gauge(name, text, registry=registry).set(number)
    return generate_latest(registry)


def _room(path: Path) -> tuple[int, int, int]:
    """Return size, free and available bytes: of a volume of its own where a fault made one, else of the disk."""
    if (own := volume.size(path)) is not None:
        left = max(0, own - volume.used(path))
        return own, left, left
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize, found.f_bfree * found.f_frsize, found.f_bavail * found.f_frsize


def _mount(path: Path) -> dict[str, str]:
    where = path.resolve()
    if volume.size(path) is not None:
        return {"device": "volume", "mountpoint": str(where), "fstype": "ext4"}
    while not where.is_mount():
        where = where.parent
    for mounted in reversed(psutil.disk_partitions(all=True)):
        if mounted.mountpoint == str(where):
            return {"device": mounted.device, "mountpoint": mounted.mountpoint, "fstype": mounted.fstype}
    return {"device": "unknown", "mountpoint": str(where), "fstype": "unknown"}
