"""The process in which DuckDB reads exported logs: a program of its own, without credentials and within its bounds.

What stands in logs was written by whoever called the product, attackers among them; it is parsed here and nowhere
else. ``python -m opslib.systems.duck_child`` gets one request as JSON by standard input, and writes one JSON object a
line: how far it is, then the answers, or what went wrong. It reads the files that it is given, writes into its own
working folder, loads no extension and opens nothing else: DuckDB is told so before it sees a line, and cannot be told
otherwise after that. It ends with its parent.

Source: DuckDB documentation, "Securing DuckDB" (external access, locked configuration), "Tuning Workloads" (memory,
spilling), "Reading Faulty CSV Files" (rejects).
"""

from __future__ import annotations

import ctypes
import json
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PR_SET_PDEATHSIG = 1
BESIDE = 1536 * 1024 * 1024
"""Bytes of memory beside DuckDB's own limit: the interpreter, the library, buffers of the reader, threads' stacks."""
GIVEN = """
CREATE TABLE given AS SELECT
    $start_ms::BIGINT AS start_ms, $before_ms::BIGINT AS before_ms, $end_ms::BIGINT AS end_ms,
    $address::VARCHAR AS address, $account::VARCHAR AS account, $tenant::VARCHAR AS tenant,
    $request::VARCHAR AS request, $session::VARCHAR AS session
"""
"""What the questions are asked with, as one row."""
KINDS = """
    SELECT CASE WHEN at_ms < given.start_ms THEN 'before' ELSE kind::VARCHAR END AS kind, count(*)
    FROM lines, given
    GROUP BY ALL
"""
"""How many lines of the window were read, and how many not; what came before it says nothing of the window."""
EVERY = 1.0
"""Seconds between two words on how far it is."""


def main() -> int:
    """Answer the request on standard input; 0 when it was answered, 1 when it says why not."""
    asked = json.load(sys.stdin)
    _bound(int(asked["memory"]))
    import duckdb

    try:
        _say({"answers": answered(duckdb.connect(f"{asked['work']}/lines.duckdb"), asked)})
    except (duckdb.Error, MemoryError) as error:
        # Its first line: what follows repeats the line of a log, which may hold anything.
        _say({"error": f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else ''}"})
        return 1
    return 0


def answered(session: DuckDBPyConnection, asked: dict[str, Any]) -> dict[str, Any]:
    """Return each question's rows, and of the lines themselves which were read, doubled, or could not be read."""
    _shut(session, asked)
    with _Telling(session):
        files, broken = _load(session, asked)
        session.execute(asked["spans"])
        (before,) = session.execute("SELECT count(*) FROM lines").fetchone() or (0,)
        session.execute(asked["once"])
        (after,) = session.execute("SELECT count(*) FROM lines").fetchone() or (0,)
        session.execute(asked["asked"])
        rows = {name: _rows(session, sql) for name, sql in asked["questions"].items()}
    return {
        "rows": rows,
        "files": files,
        "broken": broken,
        "doubled": before - after,
        "kinds": dict(session.execute(KINDS).fetchall()),
        "examples": _rows(session, asked["examples"]),
        "skew": _rows(session, asked["skew"]),
        "rejects": _rows(session, asked["rejects"]),
    }


def _shut(session: DuckDBPyConnection, asked: dict[str, Any]) -> None:
    session.execute("SET memory_limit = ?", [f"{asked['memory']}B"])
    session.execute("SET threads = ?", [asked["threads"]])
    session.execute("SET temp_directory = ?", [f"{asked['work']}/spilled"])
    session.execute("SET max_temp_directory_size = ?", [f"{asked['disk']}B"])
    session.execute("SET preserve_insertion_order = false")
    session.execute("SET autoinstall_known_extensions = false")
    session.execute("SET autoload_known_extensions = false")
    session.execute("SET allow_community_extensions = false")
    session.execute("SET allowed_directories = ?", [[asked["folder"], asked["work"]]])
    session.execute("SET enable_external_access = false")
    session.execute("SET lock_configuration = true")


def _load(session: DuckDBPyConnection, asked: dict[str, Any]) -> tuple[int, list[str]]:
    """Load the files; where one breaks off, load the others and name it."""
    session.execute("CREATE TABLE inputs (number INTEGER, path VARCHAR, stream VARCHAR)")
    session.executemany("INSERT INTO inputs VALUES (?, ?, ?)", asked["files"])
    session.execute(GIVEN, asked["given"])
    paths = [path for _, path, _ in asked["files"]]
    import duckdb

    try:
        _read(session, asked, paths)
    except duckdb.Error:
        broken = [path for path in paths if not _readable(session, asked, path)]
        if not broken or len(broken) == len(paths):
            raise
        session.execute("DROP TABLE IF EXISTS lines")
        paths = [path for path in paths if path not in broken]
        _read(session, asked, paths)
        return len(paths), broken
    return len(paths), []


def _read(session: DuckDBPyConnection, asked: dict[str, Any], paths: Sequence[str]) -> None:
    given = {name: asked["given"][name] for name in ("before_ms", "end_ms")}
    session.execute(asked["lines"], {"files": list(paths), "form": asked["form"], **given})


def _readable(session: DuckDBPyConnection, asked: dict[str, Any], path: str) -> bool:
    import duckdb

    try:
        _read(session, asked, [path])
        session.execute("DROP TABLE lines")
    except duckdb.Error:
        return False
    return True


def _rows(session: DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    found = session.execute(sql)
    names = [one[0] for one in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


class _Telling:
    """Says how far a question is while it is asked: whoever waits sees that it goes on."""

    def __init__(self, session: DuckDBPyConnection) -> None:
        self._session, self._over = session, threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _tell(self) -> None:
        while not self._over.wait(EVERY):
            _say({"percent": max(0.0, self._session.query_progress())})


def _bound(memory: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (memory + BESIDE, memory + BESIDE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _say(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
