"""Each way to write is tried twice: through the handle, which refuses it, and past it, where the server does."""

import re
from pathlib import Path

import psycopg
import pytest
import redis

import opslib
from opslib.errors import Refused, StepFailed, Unreachable, UsageError
from opslib.redaction import DatabaseUrl, Secret
from opslib.systems import programs
from opslib.systems.cache_commands import why_refused as why_no_command
from opslib.systems.postgres import Question, connect
from opslib.systems.postgres_statements import ACTS, why_refused
from opslib.systems.program_inputs import BROWSERS, PROGRAMS, check_arguments
from opslib.systems.target import ReadTarget, VerifyTarget
from opslib.systems.web import Asker, Preflights, Reader
from tests.caches import admin
from tests.databases import schema

REFUSED_BY_BOTH = (
    "INSERT INTO workshop.t VALUES (2)",
    "WITH gone AS (DELETE FROM workshop.t RETURNING n) SELECT n FROM gone",
    "WITH new AS (INSERT INTO workshop.t VALUES (3) RETURNING n) SELECT n FROM new",
    "WITH new AS (UPDATE workshop.t SET n = 3 RETURNING n) SELECT n FROM new",
    "UPDATE workshop.t SET n = 3",
    "DELETE FROM workshop.t",
    "MERGE INTO workshop.t USING (SELECT 1) AS s ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE workshop.t",
    "SELECT n INTO workshop.made FROM workshop.t",
    "SELECT n FROM workshop.t FOR UPDATE",
    "SELECT n FROM workshop.t FOR NO KEY UPDATE",
    "SELECT n FROM workshop.t FOR SHARE",
    "SELECT n FROM workshop.t FOR KEY SHARE",
    "CREATE TABLE workshop.made (n int)",
    "CREATE TABLE public.made (n int)",
    "CREATE SCHEMA made",
    "CREATE ROLE made",
    "CREATE DATABASE made",
    "CREATE EXTENSION hstore",
    "CREATE FUNCTION workshop.made() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE workshop.t ADD COLUMN made int",
    "ALTER ROLE ops_reader SUPERUSER",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "DROP TABLE workshop.t",
    "DROP DATABASE valuecanvas",
    "GRANT pg_write_all_data TO ops_reader",
    "COMMENT ON TABLE workshop.t IS 'made'",
    "SECURITY LABEL ON TABLE workshop.t IS 'made'",
    "LOCK TABLE workshop.t IN ACCESS EXCLUSIVE MODE",
    "REFRESH MATERIALIZED VIEW workshop.seen",
    "REINDEX TABLE workshop.t",
    "CLUSTER workshop.t USING t_pkey",
    "CHECKPOINT",
    "COPY workshop.t FROM '/etc/hostname'",
    "COPY workshop.t FROM PROGRAM 'echo 7'",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO '/tmp/made-by-a-question'",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "SELECT nextval('workshop.steps')",
    "SELECT setval('workshop.steps', 7)",
    "SELECT lo_import('/etc/hostname')",
    "SELECT lo_export(1, '/tmp/made-by-a-question')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_promote()",
    "SELECT pg_switch_wal()",
    "SELECT pg_create_restore_point('made')",
    "SELECT pg_backup_start('made')",
    "SELECT pg_create_physical_replication_slot('made')",
    "SELECT pg_drop_replication_slot('made')",
    "SELECT pg_stat_reset()",
    "SELECT extensions.pg_stat_statements_reset()",
    "SELECT pg_read_file('/etc/hostname')",
    "SELECT pg_log_backend_memory_contexts(pg_backend_pid())",
    "SELECT query_to_xml('DELETE FROM workshop.t', true, false, '')",
    "SELECT workshop.writes()",
    "CALL workshop.writes_too()",
    "DO 'BEGIN DELETE FROM workshop.t; END'",
    "EXPLAIN ANALYZE DELETE FROM workshop.t",
    "PREPARE made AS DELETE FROM workshop.t; EXECUTE made",
    "BEGIN READ WRITE; DELETE FROM workshop.t",
    "COMMIT; DELETE FROM workshop.t",
    "SET TRANSACTION READ WRITE; DELETE FROM workshop.t",
    "SET default_transaction_read_only = off; DELETE FROM workshop.t",
    "SELECT 1; DELETE FROM workshop.t",
    "SELECT set_config('transaction_read_only', 'off', true); DELETE FROM workshop.t",
)
"""Ways to write or to disturb. ``SELECT workshop.writes()`` looks like a question: the transaction stops it."""

REFUSED_BY_THE_HANDLE_ONLY = (
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_xact_lock(1)",
    'SELECT "pg_advisory_lock"(1)',
    'SELECT U&"pg\\005fadvisory_lock"(1)',
    "SELECT pg_catalog . pg_advisory_lock (1)",
    "SELECT/**/pg_notify('made', 'x')",
    "NOTIFY made",
    "LISTEN made",
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "SET default_transaction_read_only = off",
    "SET TRANSACTION READ WRITE",
    "RESET ALL",
    "DISCARD ALL",
    "SELECT pg_logical_emit_message(false, 'made', 'x')",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_export_snapshot()",
    "SELECT txid_current()",
    "CREATE TEMPORARY TABLE made (n int)",
    "SELECT 1 AS made /* /* */ ; NOTIFY made -- */",
    "EXPLAIN SELECT 1",
    "DECLARE made CURSOR WITH HOLD FOR SELECT 1",
    "SELECT 'not closed",
    "",
)
"""What any role may do by PostgreSQL's defaults, or what ends with the session: nobody's data, yet no reading."""


@pytest.fixture
def place(lab):
    """A table with one row, a sequence and functions that write, that everybody may call."""
    with schema(lab) as session:
        for statement in (
            "CREATE TABLE t (n int PRIMARY KEY)",
            "INSERT INTO t VALUES (1)",
            "CREATE SEQUENCE steps",
            "CREATE MATERIALIZED VIEW seen AS SELECT n FROM t",
            "CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'INSERT INTO workshop.t VALUES (9) RETURNING n'",
            "CREATE PROCEDURE writes_too() LANGUAGE sql AS 'DELETE FROM workshop.t'",
        ):
            session.execute(statement)
        yield session


def state(session):
    """What would show that something was written: the server's objects, roles, slots, settings, rows."""
    rows = session.execute(
        "SELECT (SELECT count(*) FROM workshop.t) AS rows, (SELECT sum(n) FROM workshop.t) AS sum,"
        " (SELECT last_value::text || is_called FROM workshop.steps) AS steps,"
        " (SELECT count(*) FROM pg_class WHERE relpersistence <> 't') AS tables,"
        " (SELECT count(*) FROM pg_proc) AS functions,"
        " (SELECT count(*) FROM pg_namespace WHERE nspname !~ 'temp') AS schemas,"
        " (SELECT count(*) FROM pg_authid WHERE rolsuper) AS supers, (SELECT count(*) FROM pg_roles) AS roles,"
        " (SELECT count(*) FROM pg_database) AS databases, (SELECT count(*) FROM pg_largeobject_metadata) AS large,"
        " (SELECT count(*) FROM pg_replication_slots) AS slots, (SELECT count(*) FROM pg_extension) AS extensions,"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS locks,"
        " (SELECT count(*) FROM pg_file_settings WHERE sourcefile ~ 'auto.conf') AS settings"
    ).fetchall()
    return rows[0]


@pytest.mark.parametrize("text", REFUSED_BY_BOTH + REFUSED_BY_THE_HANDLE_ONLY)
def test_a_reading_session_asks_nothing_that_writes_or_acts(lab, place, text):
    before = state(place)
    target = ReadTarget(lab.settings.reading(), "test")
    with pytest.raises(Unreachable if text == "SELECT workshop.writes()" else Refused) as caught:
        target.database.ask(Question("test", "a question of the test", text))
    target.close()
    assert caught.value.next_step
    assert state(place) == before


@pytest.mark.parametrize("text", REFUSED_BY_BOTH)
def test_past_the_handle_the_reading_role_still_has_no_right_to_write(lab, place, text):
    before = state(place)
    with connect(lab.settings.read_database_url, "opslib:test", guards={"statement_timeout": "5000"}) as session:
        session.execute("SET default_transaction_read_only = off")
        if text.startswith("COMMIT"):
            session.execute("BEGIN")
        with pytest.raises(psycopg.Error) as caught:
            session.execute(text)
        assert caught.value.sqlstate not in ("42601", "42P01", "42883"), "the way itself is wrong"
    assert state(place) == before


LOOKS = re.compile(
    r"pg_(stat_(get|have|file|statements)|get|ls|last|control|is|show|hba|ident)(_\w+)?|pg_wal_summary_contents"
    r"|pg_(xact_(status|commit_timestamp\w*)|current_(wal\w*|logfile)|partition_\w+|jit_available|available_wal_summaries)"
    r"|pg_(\w*blocking_pids|\w+_size|\w+_version|lock_status|prepared_xact|notification_queue_usage|relpages)"
    r"|pg_(sequence_last_value|isolation_test_session_is_blocked|sleep\w*|buffercache_(numa_)?(pages|summary|usage_counts))"
    r"|pgstat\w+|bt_index\w*check|gin_index_check|verify_heapam|amvalidate|txid_status|currval|lastval"
    r"|random\w*|\w*uuid\w*|clock_timestamp|timeofday|current_query|array_(sample|shuffle)|plpgsql_\w+"
)
"""Functions whose answer changes from call to call, and that only look."""


def test_each_function_of_the_server_that_acts_is_refused_and_those_that_are_not_only_look(lab):
    with lab.admin() as session:
        rows = session.execute(
            "SELECT DISTINCT p.proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE p.provolatile = 'v' AND n.nspname IN ('pg_catalog', 'extensions') AND p.prokind IN ('f', 'p')"
            " AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)"
            " AND NOT 'internal'::regtype = ANY (p.proargtypes)"
        ).fetchall()
    left = {row["name"] for row in rows if not ACTS.fullmatch(row["name"])}
    assert len(rows) > 150
    assert sorted(name for name in left if not LOOKS.fullmatch(name)) == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'DELETE FROM t; it''s text' AS n -- INSERT;",
        'SELECT $x$ UPDATE; $x$, E\'\\\' ; DELETE\', "delete" FROM (SELECT 1 AS "delete") AS t;',
        "WITH a AS (SELECT 1) SELECT * FROM a /* INTO */",
        "(SELECT 1) UNION (SELECT 2)",
        "VALUES (1)",
        "SHOW server_version",
    ],
)
def test_what_only_looks_like_writing_is_asked(lab, text):
    assert why_refused(text) is None
    assert lab.target.database.ask(Question("test", "a question of the test", text))


def test_every_packaged_question_passes():
    found = sorted((Path(opslib.__file__).parent / "probes" / "sql").rglob("*.sql"))
    assert len(found) > 40
    assert [path.name for path in found if why_refused(path.read_text(encoding="utf-8"))] == []


def test_each_command_of_the_server_that_writes_or_is_dangerous_is_refused_by_handle_and_server(lab):
    with admin(lab) as client:
        wrong = []
        for category in ("write", "dangerous", "scripting", "blocking"):
            for name in client.execute_command("ACL", "CAT", category):
                words = name.decode().upper().split("|")
                admitted = why_no_command((*words, "a-setting")) is None or why_no_command(tuple(words)) is None
                if admitted and category == "dangerous" and " ".join(words) in LOOKING:
                    continue
                said = client.execute_command("ACL", "DRYRUN", "ops_reader", *words, *["1"] * arity(client, words))
                if admitted or b"no permissions" not in said:
                    wrong.append((category, words, said))
        assert wrong == []


LOOKING = {
    "INFO",
    "ROLE",
    "CLIENT LIST",
    "CONFIG GET",
    "LATENCY LATEST",
    "LATENCY HISTORY",
    "SLOWLOG GET",
    "SLOWLOG LEN",
}
LOOKING |= {"LASTSAVE", "COMMANDLOG GET", "COMMANDLOG LEN", "ACL WHOAMI", "CLIENT INFO"}
"""What Valkey counts as dangerous because it tells of the server, which is what a diagnosis is for."""


def arity(client, words):
    """Return how many arguments the command needs at least."""
    (said,) = client.execute_command("COMMAND", "INFO", "|".join(words)).values()
    return max(0, abs(said["arity"]) - len(words))


def test_past_the_handle_the_reading_user_of_the_cache_writes_nothing(lab):
    with redis.Redis.from_url(lab.settings.read_cache_url.reveal(), socket_timeout=20) as client, admin(lab) as other:
        before = other.dbsize()
        for command in (
            ("SET", "made", "1"),
            ("DEL", "made"),
            ("FLUSHALL",),
            ("CONFIG", "SET", "maxmemory", "0"),
            ("EVAL", "return redis.call('set', 'made', '1')", "0"),
            ("ACL", "SETUSER", "ops_reader", "+@all"),
            ("SHUTDOWN", "NOSAVE"),
            ("PUBLISH", "made", "x"),
            ("KEYS", "*"),
            ("MULTI",),
            ("GET", "made"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)
        assert other.dbsize() == before


def test_a_target_reading_has_no_handle_but_reading_ones(lab):
    target = ReadTarget(lab.settings.reading(), "test")
    kinds = {type(getattr(target, name)).__name__ for name in ("database", "cache", "backups", "web")}
    assert kinds == {"ReadOnlyDatabase", "ReadOnlyCache", "ReadOnlyBucket", "Reader"}
    held = vars(target.settings)
    assert not {"database_url", "cache_url", "aws_secret_access_key", "scratch_database_url"} & set(held)
    target.close()


@pytest.mark.parametrize("text", REFUSED_BY_BOTH)
def test_a_session_that_verifies_is_asked_nothing_that_writes_or_acts_though_its_role_might(lab, place, text):
    before = state(place)
    target = VerifyTarget(lab.settings, "test")
    with target.admin(lab.settings.database_url) as session:
        with pytest.raises(StepFailed if text == "SELECT workshop.writes()" else Refused):
            session.execute(text, what="try")
        (row,) = session.beside("postgres").execute("SELECT current_setting('transaction_read_only') AS it", what="ask")
        assert row["it"] == "on"
    assert state(place) == before
    target.close()


def test_a_target_that_verifies_has_no_handle_that_writes_to_the_bucket(lab):
    target = VerifyTarget(lab.settings, "test")
    assert type(target.backups).__name__ == "ReadOnlyBucket"
    assert not hasattr(target, "backup_store")
    target.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_the_readers_client_sends_no_method_but_get_and_head_even_past_its_methods(method):
    reader = Reader()
    with pytest.raises(Refused):
        reader._opened().request(method, "http://127.0.0.1:9/")
    with pytest.raises(Refused):
        reader._ask("POST", "http://127.0.0.1:9/", 2.0, None)
    reader.close()


def test_the_handle_that_asks_before_a_browser_would_call_sends_nothing_else_that_is_not_safe():
    handle = Preflights()
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(Refused):
            handle._opened().request(method, "http://127.0.0.1:9/")
    handle.close()


def test_the_one_handle_that_sends_a_body_sends_nothing_but_it():
    asker = Asker()
    for method in ("PUT", "PATCH", "DELETE"):
        with pytest.raises(Refused):
            asker._opened().request(method, "http://127.0.0.1:9/")
    asker.close()


@pytest.mark.parametrize("value", ["abc\r\nx: y", "s3cret-\u00e9", " s3cret", "s3cret\x00", "s3cret\x7f"])
def test_a_header_that_no_client_would_send_is_refused_without_being_repeated(value):
    with pytest.raises(UsageError) as caught:
        Reader().get("http://127.0.0.1:9/", headers={"Authorization": Secret(value)})
    assert value.strip() not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("psql", ["-c", "DROP TABLE t"]),
        ("psql", ["--command=DROP TABLE t"]),
        ("psql", ["--comm", "DROP TABLE t"]),
        ("psql", ["--comm=\\! id"]),
        ("psql", ["-f", "/etc/hostname"]),
        ("psql", ["--file=/etc/hostname"]),
        ("psql", ["--file", "/etc/hostname"]),
        ("psql", ["--fil=-"]),
        ("psql", ["-o", "/tmp/made"]),
        ("psql", ["--output=|id"]),
        ("psql", ["--log-file=/tmp/made"]),
        ("psql", ["--set=x=y"]),
        ("psql", ["--variable", "x=y"]),
        ("psql", ["valuecanvas"]),
        ("psql", ["postgresql://u:p4ssw0rd@other/x"]),
        ("psql", ["--dbname=postgresql://u:p4ssw0rd@other/x"]),
        ("psql", ["--dbname", "host=other password=p4ssw0rd"]),
        ("psql", ["--dbname"]),
        ("psql", ["--host=other"]),
        ("psql", ["-h", "other"]),
        ("psql", ["--"]),
        ("psql", ["\\! id"]),
        ("psql", ["--single-transaction\n"]),
        ("pg_dump", ["--file=/tmp/made"]),
        ("pg_dump", ["-f", "/tmp/made"]),
        ("pg_dump", ["--fi=/tmp/made"]),
        ("pg_dump", ["--format=directory"]),
        ("pg_dump", ["--dbname=host=other"]),
        ("pg_dump", ["-Fc"]),
        ("pg_dump", ["--clean"]),
        ("pg_dump", ["--role=postgres"]),
        ("pg_dump", ["--snapshot=x; y"]),
        ("pg_dump", ["--compress=zstd:1"]),
        ("pg_dump", ["--table=accounts"]),
        ("pg_dump", ["--data-only"]),
        ("pg_dump", ['--exclude-table-data="public"."a"|"b"']),
        ("pg_restore", ["--section=all"]),
        ("pg_restore", ["--data-only"]),
        ("pg_restore", ["--file=/tmp/made"]),
        ("pg_restore", ["--clean"]),
        ("pg_restore", ["--create"]),
        ("pg_restore", ["relative"]),
        ("pg_restore", ["--dbname=host=other password=p4ssw0rd"]),
    ],
)
def test_a_program_gets_no_argument_that_is_not_on_its_list(tmp_path, program, arguments):
    url = DatabaseUrl("postgresql://someone:password@127.0.0.1:9/nowhere")
    with pytest.raises(Refused) as caught:
        programs.run(program, url, arguments, server_version="18", seconds=5)
    assert "p4ssw0rd" not in str(caught.value)


def test_the_list_of_arguments_admits_what_runs_give():
    check_arguments("pg_dump", ["--format=custom", "--compress=gzip:1", "--snapshot=00000003-0000001B-1"])
    check_arguments("pg_dump", ['--exclude-table-data="public"."Users_2"'])
    check_arguments("pg_restore", ["--section=pre-data", "--section=data", "--section=post-data"])
    check_arguments("psql", ["--dbname", "shop_restore_a1", "--single-transaction", "--file=-"])
    check_arguments("pg_restore", ["--dbname", "shop.1", "--jobs=2", "/some/where/x.dump"])
    check_arguments("npm", ["ci", "--prefix=/srv/checkout", "--cache=/srv/cache"])
    check_arguments("git-workspace", ["clone", "--quiet", "--branch=main", "https://example.com/a.git", "/srv/a"])
    others = {"git", "git-workspace", "node", "npm", "supabase", "docker", *BROWSERS}
    assert set(PROGRAMS) == {"pg_dump", "pg_restore", "psql", *others}


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("git-workspace", ["clone", "--upload-pack=id"]),
        ("git-workspace", ["-c", "core.sshCommand=id"]),
        ("git-workspace", ["clone", "ext::sh -c id"]),
        ("git-workspace", ["clone", "ssh://-oProxyCommand=id/x"]),
        ("git-workspace", ["clone", "https://me:word@example.com/a"]),
        ("git-workspace", ["clone", "--recurse-submodules"]),
        ("git-workspace", ["clone", "--template=/tmp/hooks"]),
        ("git-workspace", ["push"]),
        ("git", ["checkout"]),
        ("npm", ["install"]),
        ("npm", ["run", "dev"]),
        ("npm", ["ci", "--ignore-scripts=false"]),
        ("npm", ["exec", "x"]),
        ("node", ["-e", "1"]),
        ("node", ["/tmp/x.js"]),
        ("docker", ["run"]),
        ("supabase", ["start"]),
        ("supabase", ["db", "reset"]),
    ],
)
def test_a_program_of_developers_is_given_only_what_looks_or_installs(program, arguments):
    with pytest.raises(Refused):
        check_arguments(program, arguments)
