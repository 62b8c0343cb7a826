"""The reading session: it cannot write, it gives up in time, and it tells failures apart."""

import socket
from urllib.parse import urlsplit, urlunsplit

import pytest

from opslib.errors import Unreachable
from opslib.probes.questions import question
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres import Question, ReadOnlyDatabase
from tests.toxic import Toxic


def asked(text):
    return Question("test", "a question of the test", text)


def changed(url, **parts):
    """The same address with another user, password, host, port, path or query."""
    old = urlsplit(url.reveal())
    user = f"{parts.get('user', old.username)}:{parts.get('password', old.password)}"
    host = f"{parts.get('host', old.hostname)}:{parts.get('port', old.port)}"
    path, query = parts.get("path", old.path), parts.get("query", old.query)
    return DatabaseUrl(urlunsplit((old.scheme, f"{user}@{host}", path, query, "")))


@pytest.fixture
def url(lab):
    return lab.settings.read_database_url


@pytest.fixture
def reading():
    opened = []

    def opener(url, **limits):
        opened.append(ReadOnlyDatabase(url, "opslib:test", **limits))
        return opened[-1]

    yield opener
    for one in opened:
        one.close()


def failure(database, text="SELECT 1"):
    with pytest.raises(Unreachable) as caught:
        database.ask(asked(text))
    return caught.value


def test_a_question_returns_its_rows_as_dicts_and_takes_parameters(reading, url):
    session = reading(url)
    assert session.ask(asked("SELECT %(n)s::int AS n"), {"n": 7}) == [{"n": 7}]
    assert session.ask(question("database/ping")) == [{"answer": 1}]


@pytest.mark.parametrize("text", ["SELECT 1", b"SELECT 1", None])
def test_text_is_no_question(reading, url, text):
    with pytest.raises(TypeError):
        reading(url).ask(text)


def test_a_long_statement_is_ended_by_the_server(lab, reading, url):
    session = reading(url, statement_seconds=0.2)
    assert failure(session, "SELECT pg_sleep(60)").kind == "slow"
    with lab.admin() as admin:
        left = admin.execute("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'").fetchall()
    assert left == []
    assert session.ask(asked("SELECT 2 AS n")) == [{"n": 2}]


def test_a_locked_table_is_waited_for_a_moment_only_and_named_as_locked(lab, reading, url):
    session = reading(url)
    with lab.admin() as admin, admin.transaction():
        admin.execute("LOCK TABLE public.cases IN ACCESS EXCLUSIVE MODE")
        locked = failure(session, "SELECT count(*) FROM public.cases")
    assert locked.kind == "locked"
    assert "blocking tree" in locked.next_step
    assert session.ask(asked("SELECT count(*) > 0 AS some FROM public.cases")) == [{"some": True}]


def test_failures_to_connect_are_told_apart(lab, reading, url):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    kinds = {
        "authentication": changed(url, password="not-the-password"),
        "no-database": changed(url, path="/nowhere"),
        "refused": changed(url, port=nobody),
        "dns": changed(url, host="nowhere.invalid", query="sslmode=disable"),
        "tls": changed(url, query="sslmode=require"),
    }
    assert {kind: failure(reading(wrong)).kind for kind, wrong in kinds.items()} == {kind: kind for kind in kinds}


def test_a_role_without_a_free_connection_is_told_so(lab, reading, url):
    with lab.admin() as admin:
        admin.execute("CREATE ROLE only_one LOGIN CONNECTION LIMIT 1 PASSWORD 'test-password-1'")
        try:
            one = changed(url, user="only_one", password="test-password-1")
            first = reading(one)
            first.ask(asked("SELECT 1"))
            assert failure(reading(one)).kind == "full"
            first.close()
        finally:
            admin.execute("DROP ROLE only_one")


def test_a_missing_object_and_a_forbidden_one_are_told_apart(reading, url):
    session = reading(url)
    assert failure(session, "SELECT 1 FROM public.value_cases_of_old").kind == "missing"
    assert failure(session, "SELECT pg_ls_dir('.')").kind == "forbidden"


def test_a_message_names_server_and_question_and_never_the_password(reading, url):
    password = urlsplit(url.reveal()).password
    for database in (changed(url, path="/nowhere"), changed(url, user="nobody")):
        said = str(failure(reading(database)))
        assert "127.0.0.1" in said
        assert password not in said


def test_a_network_that_falls_silent_ends_the_question_and_the_next_one_gets_a_new_session(reading, url):
    proxy = Toxic(url.port)
    try:
        session = reading(changed(url, port=proxy.port), statement_seconds=0.2)
        (before,) = session.ask(asked("SELECT pg_backend_pid() AS pid"))
        proxy.become("blackhole")
        assert failure(session).kind == "slow"
        proxy.become("pass")
        (after,) = session.ask(asked("SELECT pg_backend_pid() AS pid"))
        assert after["pid"] != before["pid"]
    finally:
        proxy.close()


def test_a_server_that_never_greets_is_given_up(reading, url):
    proxy = Toxic(url.port, "blackhole")
    try:
        assert failure(reading(changed(url, port=proxy.port), connect_seconds=0.5)).kind == "slow"
    finally:
        proxy.close()


def test_a_session_sees_its_own_time_outs_unless_it_leaves_them_to_the_server(lab, reading, url):
    text = (
        "SELECT name, reset_val FROM pg_settings WHERE name IN ('statement_timeout', 'default_transaction_read_only')"
    )
    patient = changed(url, user="patient", password="test-password-1")
    with lab.admin() as admin:
        admin.execute("CREATE ROLE patient LOGIN PASSWORD 'test-password-1'")
        admin.execute("ALTER ROLE patient SET statement_timeout = '77s'")
        try:
            guarded = reading(patient, statement_seconds=3).ask(asked(text))
            bare = reading(patient, unset=["statement_timeout"]).ask(asked(text))
        finally:
            admin.execute("DROP ROLE patient")
    shown = [{row["name"]: row["reset_val"] for row in rows} for rows in (guarded, bare)]
    assert [row["statement_timeout"] for row in shown] == ["3000", "77000"]
    assert [row["default_transaction_read_only"] for row in shown] == ["on", "on"]


def test_a_closed_session_opens_again_at_the_next_question(reading, url):
    session = reading(url)
    session.ask(asked("SELECT 1"))
    session.close()
    assert session.ask(asked("SELECT 3 AS n")) == [{"n": 3}]
