import uuid
from contextlib import suppress

import pytest

from opslib.errors import Refused, StepFailed, Unreachable
from opslib.systems.postgres_admin import AdminDatabase, snapshot
from opslib.systems.postgres_databases import (
    Locale,
    create_database,
    database_exists,
    drop_database,
    end_sessions,
    rename_database,
)
from opslib.systems.postgres_properties import create_role, drop_role, give_privileges, give_settings, missing_roles

C = Locale("UTF8", "libc", "C", "C")


@pytest.fixture
def session(lab):
    with AdminDatabase(lab.settings.scratch_database_url, "opslib:test") as opened:
        yield opened


@pytest.fixture
def name(lab, session):
    name = f'admin "{uuid.uuid4().hex[:8]}"'
    create_database(session, name, C)
    yield name
    drop_database(session, name)


def connected(lab, name):
    return AdminDatabase(lab.settings.scratch_database_url.with_path(name), "opslib:test")


def test_a_database_of_that_name_is_never_made_over(session, name):
    with pytest.raises(Refused, match="already"):
        create_database(session, name, C)


@pytest.mark.parametrize(
    "locale",
    [
        C,
        Locale("UTF8", "builtin", "C", "C", "C.UTF-8"),
        Locale("LATIN1", "libc", "C", "C"),
        Locale("SQL_ASCII", "libc", "C", "C"),
    ],
)
def test_a_database_has_the_encoding_and_locale_that_were_asked_for(lab, session, locale):
    name = f"admin_{uuid.uuid4().hex[:8]}"
    create_database(session, name, locale)
    (row,) = session.execute(
        "SELECT pg_encoding_to_char(encoding) AS e, datlocprovider::text AS p, datlocale AS l FROM pg_database"
        " WHERE datname = %(name)s",
        {"name": name},
        what="look",
    )
    drop_database(session, name)
    assert row == {
        "e": locale.encoding,
        "p": locale.provider[0] if locale.provider == "builtin" else "c",
        "l": locale.locale,
    }


def test_a_database_is_dropped_with_the_sessions_in_it_and_dropping_none_is_no_error(lab, session, name):
    with connected(lab, name) as inside:
        inside.execute("SELECT 1", what="connect")
        drop_database(session, name)
    assert not database_exists(session, name)
    drop_database(session, name)


def test_a_database_is_renamed_when_nobody_is_in_it(lab, session, name):
    with connected(lab, name) as inside:
        inside.execute("SELECT 1", what="connect")
        with pytest.raises(StepFailed, match="is being accessed"):
            rename_database(session, name, f"{name} new")
        # More than one where autovacuum is at work there.
        assert end_sessions(session, name) >= 1
        rename_database(session, name, f"{name} new")
    with pytest.raises(Unreachable):
        connected(lab, name).execute("SELECT 1", what="connect")
    rename_database(session, f"{name} new", name)


def test_settings_and_rights_arrive_as_they_were_said(lab, session, name):
    create_role(session, "admin test role", "of a test")
    try:
        with connected(lab, name) as inside:
            give_settings(
                inside,
                name,
                [
                    ("", "search_path", '"$user", public, "odd, name"'),
                    ("", "statement_timeout", "1234"),
                    ("", "custom.note", "it's"),
                    ("admin test role", "work_mem", "5MB"),
                ],
            )
        give_privileges(
            session, name, "admin test role", [("", "CONNECT", False), ("admin test role", "CREATE", True)], 7
        )
        with connected(lab, name) as inside:
            (row,) = inside.execute(
                "SELECT d.datconnlimit AS n, pg_get_userbyid(d.datdba)::text AS owner, "
                " ARRAY(SELECT concat_ws(' ', CASE WHEN grantee = 0 THEN 'public' ELSE pg_get_userbyid(grantee) END,"
                " privilege_type, is_grantable::text) FROM aclexplode(d.datacl)) AS rights,"
                " (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid AND setrole = 0) AS everybody,"
                " (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid AND setrole <> 0) AS one"
                " FROM pg_database d WHERE datname = current_database()",
                what="look",
            )
        assert (row["n"], row["owner"]) == (7, "admin test role")
        assert row["everybody"] == [
            'search_path="$user", public, "odd, name"',
            "statement_timeout=1234",
            "custom.note=it's",
        ]
        assert row["one"] == ["work_mem=5MB"]
        assert sorted(row["rights"]) == ["admin test role CREATE true", "public CONNECT false"]
    finally:
        drop_database(session, name)
        drop_role(session, "admin test role")


def test_missing_roles_are_named(session):
    assert missing_roles(session, ["postgres", "nobody at all", "and neither"]) == ["and neither", "nobody at all"]


def test_a_snapshot_sees_one_moment_and_cannot_write(lab, name):
    url = lab.settings.scratch_database_url.with_path(name)
    with connected(lab, name) as writer:
        writer.execute("CREATE TABLE t (a int)", what="create")
        with snapshot(url, "opslib:test", statement_seconds=20) as (inside, _):
            writer.execute("INSERT INTO t VALUES (1)", what="insert")
            assert inside.execute("SELECT FROM public.t", what="look") == []
            with pytest.raises(StepFailed, match="read-only transaction"):
                inside.execute("INSERT INTO public.t VALUES (2)", what="write")


def test_an_error_rolls_the_transaction_back_and_says_what_was_tried(lab, name):
    with connected(lab, name) as writer:
        writer.execute("CREATE TABLE t (a int PRIMARY KEY)", what="create")

        def insert(*values):
            with writer.transaction():
                for value in values:
                    writer.execute("INSERT INTO t VALUES (%(value)s)", {"value": value}, what="insert")

        with pytest.raises(StepFailed, match=r"refused to insert: duplicate key .*\(23505\)"):
            insert(1, 2, 1)
        assert writer.execute("SELECT count(*) AS n FROM t", what="count") == [{"n": 0}]


def test_a_connection_that_breaks_inside_a_transaction_is_not_silently_replaced(lab, session, name):
    with connected(lab, name) as writer:

        def go_on():
            with writer.transaction():
                writer.execute("SELECT 1", what="begin")
                end_sessions(session, name)
                with suppress(StepFailed):
                    writer.execute("SELECT 1", what="go on")
                writer.execute("CREATE TABLE outside ()", what="write outside of the transaction")

        with pytest.raises(StepFailed, match="broke inside a transaction"):
            go_on()
        assert writer.execute("SELECT to_regclass('outside') IS NULL AS gone", what="look") == [{"gone": True}]


def test_a_statement_that_is_too_slow_is_given_up(lab, name):
    with connected(lab, name) as writer, pytest.raises(Unreachable, match=r"within 0\.2 s"):
        writer.execute("SELECT pg_sleep(20)", what="sleep", seconds=0.2)


def test_a_session_that_holds_something_is_not_silently_replaced_by_one_that_does_not(lab, session):
    with AdminDatabase(lab.settings.scratch_database_url, "opslib:kept") as kept:
        kept.execute("SELECT pg_advisory_lock(7)", what="take a lock")
        kept.keep()
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'opslib:kept'", what="end"
        )
        for _ in range(2):
            with pytest.raises((Unreachable, StepFailed)):
                kept.execute("SELECT 1", what="go on")
        with pytest.raises(Unreachable, match="what it held"):
            kept.execute("SELECT 1", what="go on")
