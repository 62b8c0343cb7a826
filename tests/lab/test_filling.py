from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from opslib.lab import state
from opslib.systems.postgres import connect


@contextmanager
def acting(lab: Any, role: str, **claims: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A session that acts as the API does for one caller; what it does is rolled back."""
    with lab.admin() as session, session.transaction(force_rollback=True):
        session.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        if claims:
            session.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
        yield session


def public_tables(lab: Any, *, with_organization: bool = False) -> list[str]:
    with lab.admin() as session:
        found = session.execute(
            "select c.relname as name from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace"
            " and (not %s or exists"
            " (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id'))"
            " order by 1",
            (with_organization,),
        )
        return [row["name"] for row in found]


def member(lab: Any, role: str = "member") -> tuple[UUID, UUID]:
    """An active member with that role: user and organization."""
    with lab.admin() as session:
        row = session.execute(
            "select m.user_id, m.organization_id from organization_members m join roles r on r.id = m.role_id"
            " where m.status = 'active' and r.role_name = %s order by 1 limit 1",
            (role,),
        ).fetchone()
    assert row is not None
    return row["user_id"], row["organization_id"]


def count(session: psycopg.Connection[dict[str, Any]], table: str, where: str = "true", *values: Any) -> int:
    question = sql.SQL("select count(*) as n from public.{} where " + where).format(sql.Identifier(table))
    row = session.execute(question, values).fetchone()
    assert row is not None
    return int(row["n"])


@pytest.mark.parametrize("table", ["audit_logs", "security_audit_log", "agent_audit_log"])
@pytest.mark.parametrize("statement", ["update public.{} set details = default", "delete from public.{}"])
def test_even_the_superuser_cannot_change_or_delete_an_audit_row(lab, table, statement):
    statement = statement.replace("details", "event_data") if table == "security_audit_log" else statement
    with lab.admin() as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="audit rows are immutable"):
            session.execute(sql.SQL(statement).format(sql.Identifier(table)))
        assert count(session, table) > 0


def test_a_user_with_audit_rows_cannot_be_deleted(lab):
    with lab.admin() as session, pytest.raises(psycopg.errors.InsufficientPrivilege, match="immutable"):
        session.execute("delete from auth.users where id = (select user_id from audit_logs limit 1)")


def test_a_member_sees_all_rows_of_the_own_organization_and_none_of_another(lab):
    user, organization = member(lab, "owner")
    with lab.admin() as session:
        own = {t: count(session, t, "organization_id = %s", organization) for t in ("cases", "messages", "llm_usage")}
    with acting(lab, "authenticated", sub=str(user), org_id=str(organization)) as session:
        tables = public_tables(lab, with_organization=True)
        foreign = {t: count(session, t, "organization_id is distinct from %s", organization) for t in tables}
        seen = {t: count(session, t) for t in own}
    assert len(tables) > 20
    assert {t for t, n in foreign.items() if n} == set()
    assert seen == own
    assert min(own.values()) > 0


def test_audit_rows_are_seen_by_an_admin_and_not_by_a_plain_member(lab):
    seen = {}
    for role in ("admin", "member"):
        user, _ = member(lab, role)
        with acting(lab, "authenticated", sub=str(user)) as session:
            seen[role] = count(session, "audit_logs")
    assert seen["admin"] > 0
    assert seen["member"] == 0


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_a_caller_without_a_token_sees_nothing_but_the_public_tables(lab, role):
    tables = public_tables(lab)
    with acting(lab, role) as session:
        seen = {table for table in tables if count(session, table)}
    assert seen == ({"billing_plans"} if role == "anon" else {"billing_plans", "roles"})


def test_a_member_cannot_write_into_another_organization(lab):
    user, organization = member(lab)
    with lab.admin() as session:
        other = session.execute("select id from organizations where id <> %s limit 1", (organization,)).fetchone()
    assert other is not None
    case = "insert into cases (organization_id, user_id, title) values (%s, %s, 'new')"
    with acting(lab, "authenticated", sub=str(user)) as session:
        assert session.execute(case, (organization, user)).rowcount == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            session.execute(case, (other["id"], user))


def test_every_table_has_row_level_security(lab):
    with lab.admin() as session:
        rows = session.execute("select tablename from pg_tables where schemaname = 'public' and not rowsecurity")
        assert rows.fetchall() == []


def test_the_reading_role_sees_every_tenant_and_can_write_nothing(lab):
    with connect(lab.settings.read_database_url, "opslib:test") as session:
        assert count(session, "cases") > 0
        assert session.execute("select count(*) as n from extensions.pg_stat_statements").fetchone() != {"n": 0}
        session.execute("set default_transaction_read_only = off")
        for statement in (
            "update public.cases set title = ''",
            "insert into public.roles (role_name) values ('x')",
            "create table public.mine (a int)",
            "create temporary table mine (a int)",
            "create schema mine",
            "truncate public.audit_logs",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)
        with lab.admin() as other, pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("select pg_terminate_backend(%s)", (other.info.backend_pid,))


def test_every_foreign_key_holds_in_the_generated_data(lab):
    with lab.admin() as session:
        keys = session.execute(
            "select conname, conrelid::regclass::text as child, a.attname as column,"
            " confrelid::regclass::text as parent, b.attname as target from pg_constraint c"
            " join pg_attribute a on a.attrelid = conrelid and a.attnum = conkey[1]"
            " join pg_attribute b on b.attrelid = confrelid and b.attnum = confkey[1] where contype = 'f'"
        ).fetchall()
        orphans = {}
        for key in keys:
            child, parent = (sql.Identifier(*key[side].split(".")) for side in ("child", "parent"))
            question = sql.SQL(
                "select count(*) as n from {} c where c.{} is not null"
                " and not exists (select from {} p where p.{} = c.{})"
            ).format(
                child,
                sql.Identifier(key["column"]),
                parent,
                sql.Identifier(key["target"]),
                sql.Identifier(key["column"]),
            )
            row = session.execute(question).fetchone()
            assert row is not None
            orphans[key["conname"]] = row["n"]
    assert len(orphans) > 40
    assert {name for name, n in orphans.items() if n} == set()


def test_usage_leads_up_to_the_labs_clock_hour_by_hour(lab):
    made = state.read(lab.folder)
    assert made is not None
    with lab.admin() as session:
        row = session.execute(
            "select %s - max(created_at) as age, max(sum) as most from (select created_at,"
            " sum(cost) over (order by created_at range '1 hour' preceding) as sum"
            " from llm_usage where created_at <= %s) u",
            (made.clock, made.clock),
        ).fetchone()
        hours = session.execute(
            "select count(distinct floor(extract(epoch from %s - created_at) / 3600)) as n from llm_usage"
            " where created_at > %s - interval '24 hours' and created_at <= %s",
            (made.clock, made.clock, made.clock),
        ).fetchone()
    assert row is not None
    assert timedelta() < row["age"] < timedelta(hours=1)
    assert hours == {"n": 24}
    assert row["most"] < 10  # the product's own warning: 10 USD an hour


def test_there_are_about_as_many_rows_as_were_asked_for(lab):
    made = state.read(lab.folder)
    assert made is not None
    with lab.admin() as session:
        row = session.execute(
            "select sum(reltuples) as n from pg_class where relkind = 'r'"
            " and relnamespace in ('public'::regnamespace, 'auth'::regnamespace)"
        ).fetchone()
    assert row is not None
    assert 0.9 * made.rows < row["n"] < 1.2 * made.rows


def test_the_servers_settings_suit_a_standby_and_a_rewind(lab):
    wanted = {
        "wal_level": "replica", "full_page_writes": "on", "data_checksums": "on", "wal_log_hints": "on", "fsync": "off",
        "password_encryption": "scram-sha-256", "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
        "shared_preload_libraries": "pg_stat_statements", "search_path": '"$user", public, extensions',
    }  # fmt: skip
    with lab.admin() as session:
        found = session.execute(
            "select name, setting from pg_settings where name = any(%s)", (list(wanted),)
        ).fetchall()
    assert {row["name"]: row["setting"] for row in found} == wanted


def test_the_guides_wrong_names_are_wrong_here_too(lab):
    """What fails on the operated system fails in the lab: its corrections are tested on the same ground."""
    with lab.admin() as session:
        with pytest.raises(psycopg.errors.UndefinedTable):
            session.execute("select from value_cases")
        with pytest.raises(psycopg.errors.UndefinedColumn):
            session.execute("select tablename from pg_stat_user_indexes")
        with pytest.raises(psycopg.errors.UndefinedFunction):
            session.execute("select refresh_agent_performance_metrics()")
        versions = session.execute("select version from supabase_migrations.schema_migrations").fetchall()
    assert len(versions) == 8
    assert all(len(row["version"]) == 14 and row["version"].isdecimal() for row in versions)
