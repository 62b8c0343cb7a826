"""What point-in-time recovery in the lab begins with: a base backup in the object store, and where the log goes.

Below ``continuous/`` in the bucket of backups: ``base/<time>/base.tar`` with its ``backup_manifest``, put last, so
that a base backup whose manifest is there is whole; and ``wal/<name>.gz`` (:mod:`opslib.lab.wal`).
"""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from typing import Any

from opslib.lab.accounts import own
from opslib.lab.cloud import BACKUPS, REGION, Cloud
from opslib.lab.database import Database, Server, find_pg_bin, run
from opslib.lab.state import write
from opslib.lab.wal import BASE, ENDED, FILE, PREFIX, WAL

MANIFEST = "backup_manifest"
PARTS = ("base.tar", MANIFEST)
"""In the order in which they are put."""
_PIECE = re.compile(rf"{PREFIX}{WAL}[0-9A-F]{{24}}\.gz")


def reach(cloud: Cloud, database: Database) -> None:
    """Say where the log goes, for the program that keeps it."""
    said = {
        "url": cloud.url,
        "bucket": BACKUPS,
        "region": REGION,
        "id": cloud.passwords["aws_id"],
        "key": cloud.passwords["aws_key"],
    }
    file = cloud.state.folder / FILE
    write(file, json.dumps(said, indent=2) + "\n")
    own(file, database.account())


def ensure_base(cloud: Cloud, database: Database) -> None:
    """Take a base backup unless the store has one: a store that was started again is empty."""
    s3 = cloud.client("s3")
    if not s3.list_objects_v2(Bucket=BACKUPS, Prefix=f"{PREFIX}{BASE}", MaxKeys=1).get("Contents"):
        take_base(s3, database)


def take_base(s3: Any, database: Database) -> str:
    """Copy the primary as a tar file with its manifest into the store; returns the base backup's name."""
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    folder = database.folder / "base"
    shutil.rmtree(folder, ignore_errors=True)
    # With the log that it needs in itself: it stands for its own moment even where the kept log has a gap.
    how = ["-F", "tar", "-X", "fetch", "-c", "fast", "--no-sync", "-l", name]
    folder.mkdir(mode=0o700)
    own(folder, database.account())
    where = database.source(database.folder, "base-backup")
    try:
        copy = [str(find_pg_bin() / "pg_basebackup"), "-D", str(folder), "-d", where, *how]
        run(copy, database.account(), database.folder)
        for part in PARTS:
            s3.upload_file(str(folder / part), BACKUPS, f"{PREFIX}{BASE}{name}/{part}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return name


def timeline(server: Server) -> int:
    """Return the timeline that a server writes now; it must take writes (no standby)."""
    with server.session("postgres") as session:
        row = session.execute("select pg_walfile_name(pg_current_wal_lsn()) as name").fetchone()
    return int(str(row["name"])[:8], 16) if row else 0


def forget_newer(cloud: Cloud, newest: int) -> None:
    """Delete what the store keeps of timelines after ``newest``: the log of a server that lost its part.

    With the piece of ``newest`` that it had begun when it was promoted, which no other server can have kept.
    """
    s3 = cloud.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BACKUPS, Prefix=f"{PREFIX}{WAL}"):
        for item in page.get("Contents", ()):
            name = item["Key"].removeprefix(f"{PREFIX}{WAL}")
            if int(name[:8], 16) > newest or (int(name[:8], 16) == newest and ".partial" in name):
                s3.delete_object(Bucket=BACKUPS, Key=item["Key"])


def window(s3: Any) -> tuple[datetime, datetime] | None:
    """Return the moments between which a recovery may go: the newest base backup, the last piece of the log kept."""
    listed = [
        item
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BACKUPS, Prefix=PREFIX)
        for item in page.get("Contents", ())
    ]
    bases = [item["LastModified"] for item in listed if item["Key"].endswith(f"/{MANIFEST}")]
    if not bases:
        return None
    pieces = [item for item in listed if _PIECE.fullmatch(item["Key"]) and item["LastModified"] >= max(bases)]
    if not pieces:
        return max(bases), max(bases)
    last = max(pieces, key=lambda item: item["LastModified"])
    said = s3.head_object(Bucket=BACKUPS, Key=last["Key"])["Metadata"]
    return max(bases), max(max(bases), datetime.fromisoformat(said[ENDED.removeprefix("x-amz-meta-")]))
