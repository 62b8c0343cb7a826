"""The archive as Parquet: the same runs give the same bytes, and DuckDB finds in it what the search finds."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from opslib.archive import export
from opslib.archive.search_index import opened
from opslib.archive.search_wanted import Wanted
from opslib.archive.store import Archive
from opslib.errors import ArchiveError, Refused

from . import build
from .test_search_index import DISK, judged, ran

SQL = re.findall(r"```sql\n(.*?)```", (build.ROOT / "docs" / "store.md").read_text(encoding="utf-8"), re.DOTALL)
LATER = {"run": "20261203T000000Z-diagnostics-database-0000ff", "started_at": "2026-12-03T00:00:00Z"}
READ = {"event": "reading", "reading": {"probe": "tables", "rows": [{"t": "a", "bytes": 7}], "units": {"bytes": "B"}}}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Four sealed runs in two months and on two environments, one of another notebook, and one that is open."""
    one = Archive(tmp_path / "archive")
    planned = {"event": "planned", "cell": "drop", "step": "drop-index", "plan": {"title": "Drop the broken index"}}
    first = judged(DISK, "OK", 41.5, "41.5 % is used.")
    first["result"]["reading"] = {"probe": "disk", "rows": [{"used": 41.5, "full": False, "name": "x"}, "odd"]}
    ran(one, 1, first, READ)
    ran(one, 1500, judged(DISK, "CRITICAL", 93.0, "93 % is used by wal."), verdict="CRITICAL")
    ran(one, 1501, judged(DISK, "CRITICAL", 95.0, "95 % is used by walls."), verdict="CRITICAL", environment="staging")
    ran(one, 3, planned, notebook="runbooks/maintain-database", parameters={"why": "the WAL; \x00\x1b[2J \u2028"})
    ran(one, 9, judged(DISK, "OK", 12.0, "wal is small."), **LATER)
    one.open(build.asked(4))
    return one


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def asked(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    monkeypatch.chdir(folder)
    return duckdb.sql(SQL[number]).fetchall()


def found(archive: Archive, *words: str, **said: str) -> list[tuple[object, ...]]:
    with opened(archive.folder) as index:
        return [(one.run,) for one in index.search(Wanted(words=words, **said))]


def test_duckdb_answers_the_documents_questions_as_the_search_does(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "tables"
    assert export.export(archive.folder, to) == export.Exported(5, ("2026-11", "2026-12"), ())
    same = [
        found(archive, environment="lab", verdict="CRITICAL", since="2026-11-02T00:00:00"),
        found(archive, notebook="diagnostics/database", name=DISK),
        found(archive, "wal"),
    ]
    assert [len(runs) for runs in same] == [1, 4, 3]
    for number, runs in enumerate(same):
        assert asked(number, to, monkeypatch) == sorted(runs, reverse=True)
    assert asked(3, to, monkeypatch) == [("2026-11", 3, 95.0, "percent"), ("2026-12", 1, 12.0, "percent")]
    assert len(SQL) == 4
    figures = duckdb.sql("SELECT probe, row, name, value, unit FROM 'readings/*/*.parquet'").fetchall()
    assert figures == [("disk", 1, "used", 41.5, ""), ("tables", 1, "bytes", 7.0, "B")]
    assert duckdb.sql("SELECT name, status FROM 'steps/*/*.parquet'").fetchall() == [("drop-index", "interrupted")]
    assert duckdb.sql("SELECT count(*) FROM 'runs/*/*.parquet' WHERE length(manifest_sha256) = 64").fetchall() == [(5,)]


def test_the_same_runs_give_the_same_bytes_and_only_what_is_new_is_written(archive: Archive, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    export.export(archive.folder, one)
    before = content(one)
    assert export.export(archive.folder, one).written == ()
    export.export(archive.folder, two)
    assert content(one) == content(two) == before
    assert not (one / ".part").exists()
    ran(archive, 10)
    assert export.export(archive.folder, one).written == ("2026-11",)
    changed = {path for path, sha in content(one).items() if before.get(path) != sha}
    assert {path.split("/")[1] for path in changed if "/" in path} == {"month=2026-11"}
    shutil.rmtree(two)
    export.export(archive.folder, two)
    assert content(one) == content(two)


def test_what_is_no_longer_here_leaves_and_what_is_missing_comes_again(archive: Archive, tmp_path: Path) -> None:
    to = tmp_path / "tables"
    export.export(archive.folder, to)
    whole = content(to)
    (to / "results" / "month=2026-12" / "part.parquet").unlink()
    assert export.export(archive.folder, to).written == ("2026-12",)
    (to / "export.json").write_text("{}")
    assert export.export(archive.folder, to).written == ("2026-11", "2026-12")
    assert content(to) == whole
    shutil.rmtree(archive.folder / "runs" / LATER["run"])
    assert export.export(archive.folder, to) == export.Exported(4, (), ("2026-12",))
    assert not list(to.rglob("month=2026-12"))
    assert json.loads((to / "export.json").read_text())["months"].keys() == {"2026-11"}


def test_a_folder_of_other_things_is_refused(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(Refused, match="holds no export"):
        export.export(archive.folder, tmp_path / "other")
    with pytest.raises(Refused, match="lies in the archive"):
        export.export(archive.folder, archive.folder / "tables")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArchiveError):
        export.export(archive.folder, tmp_path / "file")


def test_duckdb_is_loaded_by_nothing_else() -> None:
    code = "import sys, opslib.cli, opslib.cli_store, opslib.archive.export; print('duckdb' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=build.ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"
