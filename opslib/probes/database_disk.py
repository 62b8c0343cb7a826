"""How full the disk under the database is, from the server's node metrics: SQL cannot see it; and what comes of it."""

from __future__ import annotations

import re
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.database_asking import source_of
from opslib.probes.questions import question
from opslib.systems.target import PlanTarget, ReadTarget

_LINE = re.compile(r"^(node_filesystem_(?:size|free|avail)_bytes)\{(.*)\}\s+(\S+)")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
_MEMORY = {"tmpfs", "ramfs", "devtmpfs", "squashfs", "iso9660", "efivarfs"}
_NOT_DATA = ("/boot", "/snap", "/run", "/sys", "/proc", "/dev")


def filesystems(text: str) -> list[dict[str, Any]]:
    """Return mount point, size, free bytes and use of each real file system in Prometheus text.

    Use is what ``df`` calls it: used of used and available. What the file system keeps back for itself or
    for root counts as neither; where the metrics do not tell it (no ``free``), it counts as used.
    """
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            labels = dict(_LABEL.findall(match[2]))
            key = (labels.get("mountpoint", ""), labels.get("device", ""), labels.get("fstype", ""))
            try:
                found.setdefault(key, {})[match[1]] = float(match[3])
            except ValueError:
                continue
    rows = []
    for (mount, device, kind), figures in sorted(found.items()):
        size, free = figures.get("node_filesystem_size_bytes"), figures.get("node_filesystem_avail_bytes")
        if kind in _MEMORY or mount.startswith(_NOT_DATA) or not size or free is None or free != free:
            continue
        used = size - figures.get("node_filesystem_free_bytes", free)
        rows.append(
            {
                "mount_point": mount,
                "device": device,
                "size_bytes": int(size),
                "free_bytes": int(free),
                "used_percent": round(100 * used / (used + free), 1) if used + free else 100.0,
            }
        )
    return rows


def _under(folder: str, mount: str) -> bool:
    return mount == "/" or folder == mount or folder.startswith(mount.rstrip("/") + "/")


def _disk(target: ReadTarget) -> list[dict[str, Any]]:
    address = target.settings.server_metrics_url
    if not address:
        raise Unreachable(
            "Nobody can see the disk from SQL, and OPS_SERVER_METRICS_URL is not set.",
            "Set it to the server's node metrics (Prometheus text), or look at the vendor's console.",
            "unset",
        )
    answer = target.web.get(address)
    if answer.status != 200:
        raise Unreachable(f"The server's metrics answered {answer.status}.", "Check OPS_SERVER_METRICS_URL.", "other")
    rows = filesystems(answer.text)
    if not rows:
        raise Unreachable(
            "The server's metrics hold no node_filesystem_size_bytes and node_filesystem_avail_bytes of a disk.",
            "Is it the database server's node exporter?",
            "other",
        )
    (where,) = target.database.ask(question("database/data_directory"))
    folder = where["folder"]
    below = [row for row in rows if folder and _under(folder, row["mount_point"])]
    holder = max(below, key=lambda row: len(row["mount_point"]), default=None)
    kept = _forgotten(target) if holder else {}
    return [row | {"holds_data": row is holder if holder else None} | (kept if row is holder else {}) for row in rows]


def _forgotten(target: ReadTarget) -> dict[str, Any]:
    """Return the slot without a consumer that keeps the most of the log; empty where there is none."""
    idle = [row for row in target.database.ask(question("database/slots")) if not row["active"] and row["kept_bytes"]]
    if not idle:
        return {}
    row = max(idle, key=lambda row: row["kept_bytes"])
    return {"kept_by": row["slot"], "kept_bytes": row["kept_bytes"], "kept_seconds": row["inactive_seconds"]}


disk = Probe(
    "database-disk",
    "How full are the database server's disks?",
    _disk,
    "node_filesystem_size_bytes, node_filesystem_free_bytes, node_filesystem_avail_bytes at OPS_SERVER_METRICS_URL; "
    "sql/database/slots.sql",
    {"size_bytes": "bytes", "free_bytes": "bytes", "used_percent": "%", "kept_bytes": "bytes", "kept_seconds": "s"},
)
"""Each real file system of the database server; ``holds_data`` marks the data directory's, None if unknown.

``kept_by`` is the slot without a consumer that keeps the most of the log there, ``kept_seconds`` since when (from
PostgreSQL 17 on).
"""


def _begins(target: PlanTarget) -> list[dict[str, Any]]:
    with target.ordinary_session() as session:
        rows = session.ask(question("database/begins"))
    return [{"address": session.url.public, **row} for row in rows]


begins = Probe(
    "database-begins",
    question("database/begins").title,
    _begins,
    source_of(question("database/begins")),
    by_executor=True,
)
"""One row: whether a session of the role that writes begins read-only, and which setting says so (``said_by``).

The reading role's own sessions always do, so they can't tell.
"""
