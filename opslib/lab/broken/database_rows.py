"""What people and migrations do to the lab's rows: a table dropped, a column overwritten in all rows."""

from __future__ import annotations

import json
from pathlib import Path

from psycopg import sql

from opslib.lab.accounts import Account
from opslib.lab.broken import Fault
from opslib.lab.broken.parts import database
from opslib.lab.database import DATABASE, Database, find_pg_bin, run
from opslib.model import Verdict
from opslib.settings import Settings

AREA = "database"
RECOVERS = "disaster/recover-database"
TABLE = "public.cases"
REFERENCES = (
    "SELECT conrelid::regclass::text AS relation, conname::text AS name, pg_get_constraintdef(oid) AS definition"
    " FROM pg_constraint WHERE confrelid = 'public.cases'::regclass AND contype = 'f' AND conrelid <> confrelid"
)


def drop(settings: Settings) -> None:
    """Drop the table of cases and what hangs on it; the lab keeps a dump beside the server, for mending alone."""
    server = database(settings)
    with server.session(DATABASE) as session:
        if session.execute("SELECT to_regclass(%s) AS there", (TABLE,)).fetchone() == {"there": None}:
            return
        references = session.execute(REFERENCES).fetchall()
        _program(server, "pg_dump", "--format=custom", f"--table={TABLE}", f"--file={_dump(server)}")
        _references(server).write_text(json.dumps(references), encoding="utf-8")
        session.execute("DROP TABLE public.cases CASCADE")


def bring_back(settings: Settings) -> None:
    """Bring it back from that dump, with the references of other tables to it."""
    server = database(settings)
    if not _references(server).is_file():
        return
    with server.session(DATABASE) as session:
        if session.execute("SELECT to_regclass(%s) AS there", (TABLE,)).fetchone() == {"there": None}:
            _program(server, "pg_restore", "--exit-on-error", "--single-transaction", str(_dump(server)))
            for row in json.loads(_references(server).read_text(encoding="utf-8")):
                schema, _, table = row["relation"].rpartition(".")
                session.execute(
                    sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                        sql.Identifier(schema or "public", table),
                        sql.Identifier(row["name"]),
                        sql.SQL(row["definition"]),
                    )
                )
            session.execute("ANALYZE public.cases")
    for file in (_dump(server), _references(server)):
        file.unlink()


def overwrite(settings: Settings) -> None:
    """Give every case the same title, as an UPDATE without its WHERE does; the lab keeps them for mending alone."""
    restore(settings)
    server = database(settings)
    # Beside the server and not in it: a table of its own would be found as a leak.
    with server.session(DATABASE) as session:
        titles = session.execute("SELECT id::text, title FROM public.cases").fetchall()
        _titles(server).write_text(json.dumps(titles), encoding="utf-8")
        session.execute("UPDATE public.cases SET title = 'untitled'")
        session.execute("SELECT pg_stat_force_next_flush()")


def restore(settings: Settings) -> None:
    """Bring the titles back, and let the server forget that rows were changed at all."""
    server = database(settings)
    if not _titles(server).is_file():
        return
    titles = json.loads(_titles(server).read_text(encoding="utf-8"))
    with server.session(DATABASE) as session:
        session.execute(
            "UPDATE public.cases c SET title = k.title FROM unnest(%s::uuid[], %s::text[]) AS k (id, title)"
            " WHERE k.id = c.id",
            ([row["id"] for row in titles], [row["title"] for row in titles]),
        )
        session.execute("SELECT pg_stat_force_next_flush()")
    with server.session(DATABASE) as session:
        session.execute("SELECT pg_stat_reset_single_table_counters('public.cases'::regclass)")
        session.execute("ANALYZE public.cases")
    _titles(server).unlink()


def _dump(server: Database) -> Path:
    return server.folder / "dropped.dump"


def _references(server: Database) -> Path:
    return server.folder / "dropped.json"


def _titles(server: Database) -> Path:
    return server.folder / "titles.json"


def _program(server: Database, program: str, *arguments: str) -> None:
    place = f"{server.source(server.folder, 'lab', 'postgres')} dbname={DATABASE}"
    run([str(find_pg_bin() / program), f"--dbname={place}", *arguments], Account(), server.folder)


FAULTS = (
    Fault(
        "table-dropped",
        AREA,
        "Somebody dropped the table of cases, on the standby as well.",
        "database-core-tables",
        RECOVERS,
        drop,
        bring_back,
    ),
    Fault(
        "bad-update",
        AREA,
        "An UPDATE without its WHERE gave every case the same title.",
        "database-rewritten",
        RECOVERS,
        overwrite,
        restore,
        Verdict.WARNING,
    ),
)
