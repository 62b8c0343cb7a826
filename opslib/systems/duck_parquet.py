"""Parquet through DuckDB, imported only when an export is asked for; what it reads here is ours, and was redacted.

Rows go to a file of JSON lines first, so that a month needs no memory, and from there into one file of each table:
one thread, rows in their order, Zstandard. Source: DuckDB's documentation, "Reading and Writing Parquet Files".
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from opslib import files
from opslib.errors import ArchiveError

Add = Callable[[str, Mapping[str, Any]], None]


class Writer:
    """Writes tables; ``scratch`` is a folder of its own for what is not whole."""

    def __init__(self, scratch: Path) -> None:
        import duckdb

        self._scratch = scratch
        # No extension is looked for elsewhere: what is needed is built in, and a machine may have no way out.
        config = {"threads": "1", "autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        self._base = duckdb.connect(":memory:", config=dict(config))
        self._error: type[Exception] = duckdb.Error

    def __enter__(self) -> Writer:
        shutil.rmtree(self._scratch, ignore_errors=True)
        files.make_folder(self._scratch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    @contextmanager
    def rows(self, tables: Iterable[str]) -> Iterator[Add]:
        """Yield a function that adds a row to one of ``tables``, which begin empty."""
        with ExitStack() as stack:
            out = {name: stack.enter_context(self._lines(name).open("w", encoding="utf-8")) for name in tables}

            def add(table: str, row: Mapping[str, Any]) -> None:
                # Half a surrogate, which a hostile file may hold, is no text that a column could have.
                text = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace").decode()
                out[table].write(f"{text}\n")

            yield add

    def table(self, name: str, columns: Mapping[str, str], path: Path) -> None:
        """Write the rows of one table to ``path``, wholly or not at all; raises ArchiveError."""
        part = self._scratch / f"{name}.parquet"
        try:
            found = self._base.read_json(str(self._lines(name)), columns=dict(columns), format="newline_delimited")
            found.write_parquet(str(part), compression="zstd")
        except self._error as error:
            raise ArchiveError(f"{path} could not be written: {error}.", "Look at its folder and disk.") from error
        part.chmod(0o600)
        part.replace(path)

    def _lines(self, name: str) -> Path:
        return self._scratch / f"{name}.jsonl"
