"""A third PostgreSQL of the lab, when one is asked for: the database as it was once, from the object store alone.

A base backup and the kept log after it, into a fresh data folder on a port of its own. The other servers are neither
asked nor touched, so it works when both are gone.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from opslib.errors import OpsError
from opslib.lab import wal
from opslib.lab.accounts import Account, own
from opslib.lab.cloud import BACKUPS, Cloud
from opslib.lab.continuous import MANIFEST, PARTS
from opslib.lab.database import Server, find_pg_bin, run
from opslib.lab.processes import LabError
from opslib.lab.state import State


@dataclass(frozen=True)
class Before:
    """What a recovery stops before: the first commit at or after ``moment``, or the transaction ``xid`` itself.

    Two transactions may commit within one microsecond; the number is exact. ``moment`` is needed all the same, to
    choose a base backup that was whole by then.
    """

    moment: datetime
    xid: int | None = None

    @property
    def settings(self) -> str:
        """The lines of the server's configuration."""
        target = f"time = '{self.moment.isoformat()}'" if self.xid is None else f"xid = '{self.xid}'"
        return f"recovery_target_{target}\nrecovery_target_inclusive = off\nrecovery_target_action = promote\n"


@dataclass(frozen=True)
class Through(Before):
    """What a recovery to whole seconds stops behind, as PostgreSQL does unless told otherwise: the last commit at or
    before ``moment``. Supabase takes whole seconds and no transaction's number.
    """

    @property
    def settings(self) -> str:
        """The lines of the server's configuration."""
        return f"recovery_target_time = '{self.moment.isoformat()}'\nrecovery_target_action = promote\n"


def fetching(folder: Path, before: Before | None) -> str:
    """Return the lines of a configuration that say where the log is fetched from and how far it is applied."""
    return f"restore_command = '{wal.command(folder, 'fetch', '%f', '%p')}'\n{before.settings if before else ''}"


def recovers_no_more(server: Server) -> bool:
    """Tell whether the server takes writes; while it applies the log it can only be read."""
    import psycopg

    try:
        with server.session("postgres") as session:
            row = session.execute("select pg_is_in_recovery() as recovering").fetchone()
    except (OpsError, psycopg.Error):
        return False  # it ends where the log does not reach the moment
    return row is not None and not row["recovering"]


class Recovery(Server):
    """The recovered database: writable once it has come to the moment that was asked for."""

    name = "recovery"
    what = "PostgreSQL, recovered to a moment"
    patience = 300.0

    def __init__(
        self,
        state: State,
        passwords: Mapping[str, str],
        cloud: Cloud,
        account: Account | None = None,
        before: Before | None = None,
    ) -> None:
        super().__init__(state, passwords, account)
        self._cloud = cloud
        self._before = before

    def settings(self) -> str:
        """Return where the log is fetched from and how far it is applied. It keeps no log: it is nobody's primary."""
        return fetching(self.state.folder, self._before)

    def ready(self) -> bool:
        """Tell whether it has come to the moment; until then it can only be read."""
        return super().ready() and recovers_no_more(self)

    def make(self) -> None:
        """Fetch the newest base backup that was whole before the moment, verify it, and lay it out."""
        if self._before is None:
            raise LabError("Nobody said to which moment the database is to be recovered.")
        fetch_base(self, self._cloud, self._before.moment, self.data)


def fetch_base(server: Server, cloud: Cloud, moment: datetime, data: Path) -> None:
    """Lay out the newest base backup that was whole before ``moment`` in ``data``, verified and ready to be recovered.

    In a folder of ``server``'s own. Raises LabError where there is none, or it is not what its manifest says.
    """
    s3, fetched = cloud.client("s3"), server.folder / "fetched"
    base = newest(s3, moment)
    for folder in (data, fetched):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    for part in PARTS:
        s3.download_file(BACKUPS, f"{base}{part}", str(fetched / part))
    own(server.folder, server.account())
    # Of the log in it no tar file is parsed; the server reads every record of it in a moment.
    verify = [str(find_pg_bin() / "pg_verifybackup"), "-n", "-F", "tar", str(fetched)]
    run(verify, server.account(), server.folder)
    _lay_out(fetched / PARTS[0], data)
    (data / "recovery.signal").touch(0o600)
    own(server.folder, server.account())
    shutil.rmtree(fetched)


def newest(s3: Any, moment: datetime) -> str:
    """Return the folder of the newest base backup that was whole before ``moment``; raises LabError without one."""
    prefix = f"{wal.PREFIX}{wal.BASE}"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BACKUPS, Prefix=prefix)
    found = [item for page in pages for item in page.get("Contents", ()) if item["Key"].endswith(f"/{MANIFEST}")]
    whole = [item for item in found if item["LastModified"] <= moment]
    if not whole:
        raise LabError(f"None of {len(found)} base backups was whole before {moment.isoformat()}.")
    key: str = max(whole, key=lambda item: item["LastModified"])["Key"]
    return key.removesuffix(MANIFEST)


def _lay_out(file: Path, folder: Path) -> None:
    with tarfile.open(file) as tar:
        # Nothing outside the folder, no devices; Python before 3.11.4 has no such filter.
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        tar.extractall(folder)  # noqa: S202 - filtered, and of the lab's own making
