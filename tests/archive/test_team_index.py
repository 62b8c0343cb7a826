"""The team's index: several archives in one, each part told by who has that archive, and made anew alone."""

from __future__ import annotations

import multiprocessing
import re
import shutil
from contextlib import closing, suppress
from pathlib import Path

import pytest

from opslib import settings_index
from opslib.archive import holds, search_index, team_index
from opslib.archive.search_wanted import Wanted
from opslib.archive.store import Archive
from opslib.errors import Refused, SettingsError, Unreachable
from opslib.lab.processes import free_port
from opslib.redaction import DatabaseUrl
from opslib.systems import index_tables
from opslib.systems.index_store import GOING, IndexStore

from . import build
from .test_search_index import DISK, judged, kept, ran

__all__ = ["kept"]
ROOT = Path(__file__).resolve().parents[2]
TABLES = {"archives", "runs", "lines", "days"}


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


@pytest.fixture
def other(tmp_path):
    """The archive of another machine."""
    return Archive(tmp_path / "other")


@pytest.fixture
def base(index_base):
    index_base.empty()
    return index_base


def found(archive, url, *words, **said):
    with team_index.opened(archive.folder, url) as index:
        return index.search(Wanted(words=words, **said), 100)


def update(archive, url):
    """What one look added, and what it noted."""
    with team_index.opened(archive.folder, url) as index:
        return index.added, " ".join(index.notes)


def test_a_run_of_another_machine_is_found_and_says_where_it_lies(archive, other, kept, base):
    assert update(archive, base.url) == (3, "")
    late = ran(other, 9, judged(DISK, "OK", 12.0, "12 % is used."))
    assert update(other, base.url) == (1, "")
    mine = {one.run: one.place for one in found(archive, base.url)}
    assert list(mine) == [late, *kept[::-1]]
    assert mine[late].endswith(f":{other.folder}")
    assert {mine[run] for run in kept} == {""}
    theirs = {one.run: (one.place, one.archive) for one in found(other, base.url, "used")}
    assert theirs[late][0] == ""
    assert theirs[kept[0]][0].endswith(f":{archive.folder}")
    assert len({archive for _, archive in theirs.values()}) == 2
    with team_index.opened(archive.folder, base.url) as index:
        assert [(one.run, one.place != "") for one in index.history(DISK, "lab")] == [
            (kept[0], False),
            (kept[1], False),
            (late, True),
        ]


def test_runs_of_several_archives_are_in_the_order_in_which_they_ended(archive, other, base):
    runs = [ran(one, number) for number, one in enumerate([archive, other, other, archive, other])]
    update(other, base.url)
    assert [one.run for one in found(archive, base.url)] == runs[::-1]


def test_a_person_without_an_archive_finds_what_machines_told(archive, kept, base, tmp_path):
    update(archive, base.url)
    nowhere = Archive(tmp_path / "nowhere")
    assert [one.run for one in found(nowhere, base.url, "wal")] == [kept[1]]
    assert not nowhere.folder.exists()


def test_removal_and_redaction_of_one_archive_leave_the_others_as_they_are(archive, other, kept, base):
    theirs = ran(other, 7, judged(DISK, "OK", 1.0, "1 % is used."))
    update(other, base.url)
    update(archive, base.url)
    archive.log.append("redact", kept[0], text=holds.removed(300, "diagnostics", "ada@ops-1"))
    shutil.rmtree(archive.folder / "runs" / kept[0])
    assert update(archive, base.url) == (0, "")
    assert {one.run for one in found(other, base.url, "used")} == {theirs, kept[1]}
    assert "41.5" not in base.everything()
    archive.log.append("redact", kept[1])
    journal = archive.folder / "runs" / kept[1] / "journal.jsonl"
    journal.write_text(journal.read_text().replace("wal", "---"))
    assert update(archive, base.url) == (2, "")
    assert {one.run for one in found(other, base.url)} == {theirs, kept[1], kept[2]}
    assert "wal" not in base.everything()


def test_what_was_broken_off_is_gone_on_with_or_taken_out_first(archive, kept, base):
    update(archive, base.url)
    before = [one.run for one in found(archive, base.url)]
    # As a process leaves it that is killed while it takes a part out: some runs are there, and nothing counts.
    base.do(
        f"UPDATE opslib_index.archives SET seq = 0, sum = '{GOING}'", "DELETE FROM opslib_index.runs WHERE run ~ '1$'"
    )
    assert update(archive, base.url) == (3, "")
    assert [one.run for one in found(archive, base.url)] == before
    # And one that is killed between two transactions of many.
    with closing(IndexStore(base.url)) as store:
        part = store.part(base.rows("SELECT archive FROM opslib_index.archives")[0]["archive"], "here")
        assert store.forget(part).seq == 0
        assert store.move(part, part, []) is False
    assert update(archive, base.url) == (3, "")
    assert [one.run for one in found(archive, base.url)] == before


def test_an_old_copy_of_an_archive_takes_nothing_out(archive, kept, base, tmp_path):
    shutil.copytree(archive.folder, tmp_path / "copy")
    late = ran(archive, 9)
    update(archive, base.url)
    added, note = update(Archive(tmp_path / "copy"), base.url)
    assert (added, "an old copy" in note) == (0, True)
    assert base.rows("SELECT place FROM opslib_index.archives")[0]["place"].endswith(str(archive.folder))
    assert found(archive, base.url)[0].run == late
    # Of the same age it may be the archive itself, which was moved.
    shutil.move(archive.folder, tmp_path / "moved")
    assert update(Archive(tmp_path / "moved"), base.url) == (0, "")
    assert base.rows("SELECT place FROM opslib_index.archives")[0]["place"].endswith("/moved")


def _told(folder: Path, url: str) -> int:
    return update(Archive(folder), DatabaseUrl(url))[0]


def test_machines_that_tell_it_at_the_same_moment_put_each_run_in_once(archive, other, kept, base):
    theirs = [ran(other, number) for number in range(10, 14)]
    asked = [(one.folder, base.url.reveal()) for one in (archive, other) * 3]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        added = pool.starmap(_told, asked)
    assert sum(added) == len(kept) + len(theirs)
    assert sorted(one.run for one in found(archive, base.url)) == sorted([*kept, *theirs])
    assert base.rows("SELECT sum(runs)::int AS held FROM opslib_index.days") == [{"held": 7}]


def test_what_is_open_quarantined_or_damaged_says_nothing_of_its_content(sample, base):
    archive = Archive(sample.folder)
    states = {one.run: one.state for one in found(archive, base.url)}
    assert (states[sample.quarantined], states[sample.interrupted]) == ("quarantined", "interrupted")
    assert build.SECRET.reveal() not in base.everything()


def test_no_search_reads_all_runs(archive, base):
    """By the server's own count of rows that it took from the table of runs: some days' at most."""
    ran(archive, 1)
    update(archive, base.url)
    base.do(
        "INSERT INTO opslib_index.runs SELECT (20000 + n / 100) * 88473600000000::bigint + n * 1024, archive, "
        "'r' || n, started, notebook, environment, mode, who, state, verdict, "
        "array_append(array_remove(words, -1 - (number / 88473600000000)), (-20001 - n / 100)::bigint), said "
        "FROM opslib_index.runs, generate_series(1, 5000) n",
        "INSERT INTO opslib_index.days SELECT number / 88473600000000, archive, count(*), min(started), max(started) "
        "FROM opslib_index.runs WHERE run ~ '^r' GROUP BY 1, 2",
        "ANALYZE",
        "SELECT pg_stat_force_next_flush()",
    )

    def taken(wanted):
        with base.session() as session:
            count = "SELECT idx_tup_fetch + seq_tup_read AS rows FROM pg_stat_user_tables WHERE relname = 'runs'"
            before = session.execute(count).fetchone()["rows"]
            with team_index.opened(archive.folder, base.url) as index:
                found = len(index.search(wanted))
                index.store._connection.execute("SELECT pg_stat_force_next_flush()")
            session.execute("SELECT pg_stat_clear_snapshot()")
            return found, session.execute(count).fetchone()["rows"] - before

    for wanted, most in (
        (Wanted(words=("ada",)), 1_000),
        (Wanted(words=("ad*",), environment="lab"), 1_000),
        (Wanted(), 1_000),
        (Wanted(words=("ada-ops",)), 1_000),
        (Wanted(words=("ops-ada",)), 0),
        (Wanted(words=("ada", "nowhere")), 0),
        (Wanted(since="2027"), 0),
    ):
        seen, rows = taken(wanted)
        assert (seen, rows <= most) == (20 if most else 0, True), (wanted, rows)


def test_an_index_that_does_not_answer_says_how_to_search_here(archive, kept, monkeypatch):
    monkeypatch.setenv("OPS_INDEX_URL", f"postgresql://a:a-password-of-1@127.0.0.1:{free_port(set())}/team")
    with pytest.raises(Unreachable, match="refuses connections") as said, team_index.searching(archive.folder):
        pass
    assert "ops archive search --here" in said.value.next_step
    with team_index.searching(archive.folder, here=True) as index:
        assert [one.run for one in index.search(Wanted(words=("wal",)))] == [kept[1]]
    # A run does not ask it: it is sealed, and found here.
    late = ran(archive, 9)
    with search_index.opened(archive.folder) as index:
        assert index.search(Wanted())[0].run == late


def test_without_configuration_the_index_here_is_asked_and_nothing_else(archive, kept, monkeypatch):
    monkeypatch.delenv("OPS_INDEX_URL", raising=False)
    with team_index.searching(archive.folder) as index:
        assert isinstance(index, search_index.SearchIndex)
    with team_index.told(archive.folder) as team:
        assert team is None
    with pytest.raises(SettingsError, match=r"no team's index.*OPS_INDEX_URL"):
        team_index.install()


def test_an_index_on_a_server_that_is_operated_is_refused(lab, monkeypatch):
    port = lab.settings.database_url.port
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    monkeypatch.setenv("OPS_INDEX_URL", f"postgresql://index:a-password-of-its-own@localhost:{port}/other")
    with pytest.raises(Refused, match=r"team's index .* is on the server of lab"):
        team_index.install()
    with pytest.raises(Refused, match="on the server of lab"), team_index.told(lab.folder):
        pass


def test_its_address_comes_from_its_file_or_the_environment_and_never_from_both(tmp_path):
    url, other = "postgresql://i:password-one-1@db:5433/team", "postgresql://i:password-two-2@db:5433/team"
    assert settings_index.configured(tmp_path, {}) is None
    (tmp_path / ".env.index").write_text(f"OPS_INDEX_URL={url}\n")
    assert settings_index.configured(tmp_path, {}).public == "postgresql://db:5433/team"
    with pytest.raises(SettingsError, match=r"\.env\.index and the environment disagree"):
        settings_index.configured(tmp_path, {"OPS_INDEX_URL": other})


def test_what_is_not_installed_or_of_another_version_is_told_and_installing_makes_it_anew(archive, kept, base):
    update(archive, base.url)
    with closing(IndexStore(base.url)) as store:
        assert store.install() is False
    base.do(f"UPDATE opslib_index.about SET version = {index_tables.VERSION + 1}")
    with pytest.raises(Refused, match="has version") as said, team_index.opened(archive.folder, base.url):
        pass
    assert "ops archive index --install" in said.value.next_step
    with closing(IndexStore(base.url)) as store:
        assert store.install() is True
    assert update(archive, base.url) == (3, "")
    base.do("DROP SCHEMA opslib_index CASCADE")
    with pytest.raises(Refused, match="is not installed"), team_index.opened(archive.folder, base.url):
        pass


def test_a_database_that_cannot_hold_every_text_is_refused(base):
    with suppress(Exception):
        base.do("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with closing(IndexStore(base.url.with_path("latin"))) as store, pytest.raises(Refused, match="not in UTF-8"):
        store.install()


def test_roles_as_documented_can_do_what_they_must_and_nothing_else(archive, kept, base):
    text = (ROOT / "docs" / "archive.md").read_text()
    (block,) = re.findall(r"```sql\n(.*?CREATE ROLE ops_index_reader.*?)```", text, re.S)
    with base.session() as session:
        for role in ("ops_index_writer", "ops_index_reader"):
            if session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                session.execute(f"DROP OWNED BY {role}")
                session.execute(f"DROP ROLE {role}")
        session.execute(block.replace("…", "a-password-of-3"))

    def as_role(name):
        return DatabaseUrl(f"postgresql://{name}:a-password-of-3@{base.url.place}/team")

    writer, reader = as_role("ops_index_writer"), as_role("ops_index_reader")
    assert update(archive, writer) == (3, "")
    ran(archive, 9)
    added, note = update(archive, reader)
    assert (added, "may only read" in note) == (0, True)
    assert [one.run for one in found(archive, reader, "wal")] == [kept[1]]
    for role, statement in (
        *((reader, f"DELETE FROM opslib_index.{table}") for table in TABLES),
        *((reader, f"UPDATE opslib_index.{table} SET archive = archive") for table in ("archives", "runs", "days")),
        *((role, f"DROP TABLE opslib_index.{table}") for role in (reader, writer) for table in TABLES),
        *((role, "CREATE TABLE opslib_index.more ()") for role in (reader, writer)),
        (writer, "UPDATE opslib_index.about SET version = 9"),
    ):
        with base.session(role) as session, pytest.raises(Exception, match=r"permission denied|must be owner"):
            session.execute(statement)
    assert update(archive, writer) == (1, "")
