"""What ``supabase inspect db`` of the real Supabase CLI says of a database, our probes say with the same figures.

Not compared: ``long-running-queries`` (it begins at five minutes) and ``replication-slots``' lag, which it counts from
the last checkpoint. Where its figures are wrong, the test says so.
"""

import re

import pytest

from opslib.probes import database as probes
from opslib.runs.reading import take
from tests import supabase_cli
from tests.databases import Waiting, schema
from tests.scale import nightly
from tests.waiting import until

pytestmark = supabase_cli.needed
PLATFORM = """
SELECT sum(pg_relation_size(c.oid)) AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind = 'r' AND n.nspname IN ('auth', 'extensions', 'storage', 'supabase_migrations')) OR c.relkind = 'm'
"""
UNITS = {"bytes": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3}
DEPRECATED = {"cache-hit", "index-usage", "index-sizes", "table-sizes", "unused-indexes", "table-record-counts"}
DEPRECATED |= {"seq-scans", "role-configs", "role-connections"}


@pytest.fixture(scope="module")
def workshop(lab):
    """Tables with dead rows, TOAST, indexes used and unused; nobody else works there, and counters have settled."""
    with schema(lab) as admin:
        admin.execute("CREATE TABLE cars (n int PRIMARY KEY, t text) WITH (autovacuum_enabled = off)")
        admin.execute("ALTER TABLE cars ALTER t SET STORAGE EXTERNAL")
        admin.execute("INSERT INTO cars SELECT i, repeat('x', 9000) FROM generate_series(1, 300) i")
        admin.execute(
            "CREATE INDEX cars_t ON cars (left(t, 3)); ANALYZE cars; UPDATE cars SET t = t || 'y' WHERE n < 90"
        )
        admin.execute("CREATE TABLE lots (n int PRIMARY KEY) WITH (autovacuum_freeze_max_age = 100000)")
        admin.execute("INSERT INTO lots SELECT generate_series(1, 40000)")
        admin.execute("SET enable_seqscan = off")
        for number in range(7):
            admin.execute(f"SELECT FROM lots WHERE n = {number}")
        admin.execute("SELECT pg_stat_force_next_flush()")
        until(lambda: ours(lab, probes.table_use)["workshop.lots"]["index_scans"] >= 7)
        yield admin


@pytest.fixture(scope="module")
def inspect(lab, tmp_path_factory):
    cli = supabase_cli.Cli(lab.settings.database_url, tmp_path_factory.mktemp("cli"))
    return lambda name: cli.rows("inspect", "db", name)


def ours(lab, probe, key="relation"):
    return {row[key]: row for row in take(probe, lab.target).rows}


def named(rows, key="name"):
    return {row[key]: row for row in rows}


def told(size):
    """Return a size as PostgreSQL tells it for people, and how far the number may be from it."""
    number, unit = size.split()
    return pytest.approx(int(number) * UNITS[unit], abs=UNITS[unit] / 2 + 1)


def number(text):
    return int(text.replace(",", "").strip())


def test_nothing_that_it_offers_is_without_an_answer_of_ours(lab, tmp_path):
    said = supabase_cli.Cli(lab.settings.database_url, tmp_path).help("inspect", "db")
    offered = set(re.findall(r"^  ([a-z-]+) +\S.*\[local or remote\]", said, re.M)) - DEPRECATED
    assert offered == {
        *("db-stats", "replication-slots", "locks", "blocking", "outliers", "calls", "index-stats", "collation-drift"),
        *("long-running-queries", "bloat", "role-stats", "vacuum-stats", "table-stats", "traffic-profile"),
        *("toast-sizes", "xid-age"),
    }


def test_sizes_of_the_database_and_its_parts(lab, workshop, inspect):
    (theirs,) = inspect("db-stats")
    sizes = ours(lab, probes.sizes, "name")
    assert sizes["valuecanvas"]["bytes"] == told(theirs["database_size"])
    # It leaves out what belongs to the platform, and materialised views.
    (other,) = workshop.execute(PLATFORM).fetchall()
    assert sizes["tables"]["bytes"] - int(other["bytes"]) == told(theirs["total_table_size"])


def test_sizes_and_scans_of_tables(lab, workshop, inspect):
    mine, use = ours(lab, probes.largest_tables), ours(lab, probes.table_use)
    theirs = named(inspect("table-stats"))
    assert "workshop.cars" in mine.keys() & theirs.keys()
    for name in mine.keys() & theirs.keys():
        assert mine[name]["index_bytes"] == told(theirs[name]["index_size"]), name
        assert mine[name]["rows_estimate"] == int(theirs[name]["estimated_row_count"]), name
    assert use["workshop.cars"]["sequential_scans"] == int(theirs["workshop.cars"]["seq_scans"])


@nightly
def test_sizes_and_scans_of_indexes(lab, workshop, inspect):
    theirs = named(inspect("index-stats"))
    mine = {
        f"{row['relation'].partition('.')[0]}.{row['index']}": row for row in take(probes.index_use, lab.target).rows
    }
    assert mine["workshop.lots_pkey"]["scans"] >= 7
    for name in mine.keys() & theirs.keys():
        assert mine[name]["bytes"] == told(theirs[name]["size"]), name
        assert mine[name]["scans"] == int(theirs[name]["index_scans"]), name
    # It looks for the table's scans under the index's number, and finds none.
    assert {row["seq_scans"] for row in theirs.values()} == {"0"}
    assert mine["workshop.lots_pkey"]["table_sequential_scans"] > 0


def test_dead_rows_and_what_calls_autovacuum(lab, workshop, inspect):
    mine, theirs, later = ours(lab, probes.vacuum), named(inspect("vacuum-stats")), ours(lab, probes.vacuum)
    assert mine["workshop.cars"]["dead_rows"] == 89
    # Of a table that autovacuum took between the two looks, they say different things and both are right.
    said = ("dead_rows", "trigger_rows")
    still = {name for name in mine.keys() & later.keys() if all(mine[name][one] == later[name][one] for one in said)}
    assert "workshop.cars" in still & theirs.keys()
    for name in still & theirs.keys():
        assert mine[name]["dead_rows"] == number(theirs[name]["dead_rowcount"]), name
        if mine[name]["worst_part"] == "rows":
            assert mine[name]["trigger_rows"] == number(theirs[name]["autovacuum_threshold"]), name


def test_toast(lab, workshop, inspect):
    mine, theirs = ours(lab, probes.vacuum), named(inspect("toast-sizes"))
    assert mine["workshop.cars"]["toast_dead_pieces"] > 89
    for name in mine.keys() & theirs.keys():
        assert mine[name]["toast_live_pieces"] == int(theirs[name]["toast_live_chunks"]), name
        assert mine[name]["toast_dead_pieces"] == int(theirs[name]["toast_dead_chunks"]), name


def test_age(lab, workshop, inspect):
    # Beside a server's other work the table is young; by its own limit it then is the oldest.
    workshop.execute("DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    mine, theirs = ours(lab, probes.freeze, "name"), named(inspect("xid-age"))
    both = [name for name in mine.keys() & theirs.keys() if mine[name]["kind"] == "table"]
    assert "workshop.lots" in both
    for name in both:
        # Time passes between the two questions, and it counts in transactions.
        assert 0 <= theirs[name]["xid_age"] - mine[name]["transactions"] < 1000, name


@nightly
def test_statements_by_time_and_by_calls(lab, workshop, inspect):
    # It shows the first ten only.
    workshop.execute("SELECT extensions.pg_stat_statements_reset()")
    for _ in range(2000):
        workshop.execute("SELECT n AS a_number_that_is_asked_for FROM cars WHERE n = 1")
    for name, by in (("outliers", "total"), ("calls", "calls")):
        theirs = {" ".join(row["query"].split()): row for row in inspect(name)}
        mine = take(probes.slow_statements(by, limit=100), lab.target).rows
        key = next(query for query in theirs if "a_number_that_is_asked_for" in query)
        (row,) = [row for row in mine if "a_number_that_is_asked_for" in row["statement"]]
        assert (row["calls"], number(theirs[key]["ncalls"])) == (2000, 2000), name


def test_who_blocks_whom(lab, workshop, inspect):
    with lab.admin() as holder:
        holder.execute("BEGIN; UPDATE workshop.cars SET n = n WHERE n = 1")
        waiter = Waiting(lab, "waits-here", "UPDATE workshop.cars SET n = n WHERE n = 1")
        try:
            until(lambda: waiter.waits(workshop))
            (theirs,) = inspect("blocking")
            mine = ours(lab, probes.blocking, "pid")
            pair = {int(theirs["blocked_pid"]), int(theirs["blocking_pid"])}
            assert pair == mine.keys() == {waiter.pid, holder.info.backend_pid}
            assert mine[waiter.pid]["blocked_by"] == [holder.info.backend_pid]
        finally:
            holder.execute("ROLLBACK")
            waiter.end()


@nightly
def test_locks_on_tables(lab, workshop, inspect):
    with lab.admin() as holder:
        holder.execute("BEGIN; LOCK TABLE workshop.cars IN EXCLUSIVE MODE")
        theirs = [row for row in inspect("locks") if row["relname"] == "cars"]
        mine = [row for row in take(probes.strong_locks, lab.target).rows if row["relation"] == "workshop.cars"]
        assert [row["pid"] for row in theirs] == [row["pid"] for row in mine] == [holder.info.backend_pid]
        # The strongest of all, under which nobody can even read, it does not list.
        holder.execute("LOCK TABLE workshop.cars IN ACCESS EXCLUSIVE MODE")
        modes = {
            row["mode"] for row in take(probes.strong_locks, lab.target).rows if row["relation"] == "workshop.cars"
        }
        assert modes == {"ExclusiveLock", "AccessExclusiveLock"}
        holder.execute("ROLLBACK")


def test_roles_without_the_values_of_their_settings(lab, workshop, inspect):
    workshop.execute("CREATE ROLE keeper CONNECTION LIMIT 7")
    workshop.execute("ALTER ROLE keeper SET app.jwt_secret = 'a-key-that-nobody-may-read'")
    try:
        theirs, mine = named(inspect("role-stats"), "role_name"), ours(lab, probes.roles, "role")
        assert "a-key-that-nobody-may-read" in theirs["keeper"]["custom_config"]
        assert (mine["keeper"]["at_most"], mine["keeper"]["own_settings"]) == (7, ["app.jwt_secret"])
        assert {name: row["at_most"] for name, row in mine.items()} == {
            name: int(theirs[name]["connection_limit"]) for name in mine
        }
    finally:
        workshop.execute("DROP ROLE keeper")


def test_slots(lab, workshop, inspect):
    workshop.execute("SELECT pg_create_physical_replication_slot('compared')")
    try:
        (theirs,) = inspect("replication-slots")
        (mine,) = take(probes.slots, lab.target).rows
        assert (mine["slot"], mine["active"]) == (theirs["slot_name"], theirs["active"]) == ("compared", False)
    finally:
        workshop.execute("SELECT pg_drop_replication_slot('compared')")


@nightly
def test_bloat(lab, workshop, inspect):
    workshop.execute(
        "CREATE TABLE full_once AS SELECT i FROM generate_series(1, 50000) i; CREATE INDEX ON full_once (i)"
    )
    workshop.execute("DELETE FROM full_once WHERE i % 10 <> 0")
    workshop.execute("VACUUM ANALYZE full_once")
    theirs = {row["name"]: row for row in inspect("bloat") if row["type"] == "table"}
    row = ours(lab, probes.table_bloat)["workshop.full_once"]
    waste = told(theirs["workshop.full_once"]["waste"]).expected
    assert row["empty_bytes_estimate"] == pytest.approx(waste, rel=0.1)


@nightly
def test_reads_against_writes(lab, workshop, inspect):
    workshop.execute("SELECT count(*) FROM cars; SELECT pg_stat_force_next_flush()")
    theirs = {(row["schemaname"], row["table_name"]): row for row in inspect("traffic-profile")}
    for (schema_name, table), row in theirs.items():
        mine = ours(lab, probes.table_use)[f"{schema_name}.{table}"]
        assert mine["inserted"] + mine["updated"] + mine["deleted"] == int(row["write_tuples"]), table
        assert mine["pages_read"] == int(row["blocks_read"]), table


@nightly
def test_collations_that_drifted(lab, workshop, inspect):
    workshop.execute("CREATE COLLATION words (provider = builtin, locale = 'C.UTF-8')")
    workshop.execute("CREATE TABLE words (w text COLLATE words UNIQUE)")
    workshop.execute("UPDATE pg_collation SET collversion = '0' WHERE collname = 'words'")
    (theirs,) = inspect("collation-drift")
    (mine,) = [
        row for row in take(probes.collations, lab.target).rows if row["collation"] == "collation workshop.words"
    ]
    assert (
        (theirs["stored_version"], theirs["current_version"]) == (mine["built_under"], mine["there_now"]) == ("0", "1")
    )
    assert [theirs["name"]] == mine["first_indexes"] == ["workshop.words_w_key"]
