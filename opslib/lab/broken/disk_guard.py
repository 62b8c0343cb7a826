"""What Supabase does on a database's machine when the disk is full, as a program of its own.

From 95 % on the whole server is set read-only; below, it is let write again by itself. Source: Supabase, "Database
size", Disk management; supabase/postgres, manage_readonly_mode.sh (ALTER SYSTEM SET default_transaction_read_only).
It ends when its session is ended, when the disk has no size of its own any more, or after an hour.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from psycopg import sql

from opslib.lab import volume
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres import connect

ADDRESS = "LAB_FAULT_DATABASE"
DATA = "LAB_FAULT_DATA"
"""Variables that tell it where database and data folder are; an argument would show the password."""

NAME = "lab: watches the disk"
READ_ONLY = "default_transaction_read_only"
FULL_SHARE = 0.95
LONGEST_SECONDS = 3600.0
EVERY_SECONDS = 0.5


def main() -> None:
    """Watch the disk; says so on standard output once the server was set read-only."""
    import psycopg

    url, data = DatabaseUrl(os.environ.pop(ADDRESS)), Path(os.environ.pop(DATA))
    timer = threading.Timer(LONGEST_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()
    shut = False
    with suppress(psycopg.OperationalError), connect(url, NAME) as session:
        while (size := volume.size(data)) is not None:
            full = volume.used(data) > FULL_SHARE * size
            if full is not shut:
                shut = full
                text = "ALTER SYSTEM SET {} = on" if full else "ALTER SYSTEM RESET {}"
                session.execute(sql.SQL(text).format(sql.Identifier(READ_ONLY)))
                session.execute("SELECT pg_reload_conf()")
                with suppress(BrokenPipeError):  # who started it listens to the first word alone
                    print("read-only" if full else "writable", flush=True)
            time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
