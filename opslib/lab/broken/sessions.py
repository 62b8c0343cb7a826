"""Two sessions of PostgreSQL that hold each other up until somebody ends them (a program of its own).

The first locks a table and is idle in its transaction, the second waits for the lock. Both are sessions of this
process, which ends when they are ended, or after an hour.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from opslib.lab.broken.database import ADDRESS, HOLDS, WAITS
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres import connect

LONGEST_SECONDS = 3600.0


def main() -> None:
    """Hold the lock, say so on standard output, and wait for it in the second session."""
    import psycopg

    url = DatabaseUrl(os.environ.pop(ADDRESS))
    timer = threading.Timer(LONGEST_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()
    first, second = connect(url, HOLDS), connect(url, WAITS)
    with suppress(psycopg.OperationalError):
        first.execute("BEGIN")
        first.execute("LOCK TABLE public.cases IN ACCESS EXCLUSIVE MODE")
        print("held", flush=True)
        second.execute("SELECT count(*) FROM public.cases")


if __name__ == "__main__":
    main()
