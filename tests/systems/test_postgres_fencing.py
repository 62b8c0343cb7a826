"""A server that was closed takes no write from anybody, restarted or not, and its standby may still fetch the rest."""

from contextlib import suppress

import psycopg
import pytest

from opslib.errors import Unreachable
from opslib.probes.questions import question
from opslib.systems.postgres import ReadOnlyDatabase
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_fencing import LIBRARY, close_server, closed_by_us, open_server
from opslib.systems.postgres_promotion import commit, promote, recovering, wait_for_nobody
from tests.clusters import Cluster
from tests.waiting import until

ATTEMPTS = (
    "",
    "-c default_transaction_read_only=off",
    "-c transaction_read_only=off -c default_transaction_read_only=off",
    "-c local_preload_libraries=",
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A primary with a role that is no superuser and a table, and its standby."""
    folder = tmp_path_factory.mktemp("fencing")
    for one in (folder, *folder.parents[:2]):
        with suppress(PermissionError):
            one.chmod(one.stat().st_mode | 0o711)
    with Cluster(folder, "primary") as primary, Cluster(folder, "standby") as standby:
        primary.create()
        with primary.session() as session:
            session.execute("CREATE TABLE written (n int)")
            session.execute("CREATE ROLE app LOGIN PASSWORD 'a-password-of-app'")
            session.execute("GRANT ALL ON written TO app")
        yield primary, standby.follow(primary)


def barred(cluster):
    with suppress(Unreachable):
        return closed_by_us(cluster.url(), "opslib:test")
    return False


def session_of(first, other):
    return ReadOnlyDatabase(first.url(), "opslib:test", other=other.url())


def write(cluster, options, user=None):
    url = cluster.url().reveal()
    if user:
        url = url.replace(url.partition("://")[2].partition("@")[0], f"{user}:a-password-of-app")
    with psycopg.connect(url, options=options, autocommit=True, connect_timeout=5) as session:
        session.execute("SET default_transaction_read_only = off")
        session.execute("INSERT INTO written VALUES (1)")


def test_a_closed_server_lets_nobody_write_and_stays_closed_over_a_restart(pair):
    primary, standby = pair
    assert not session_of(primary, standby).led_elsewhere
    open_session = psycopg.connect(primary.url().reveal(), autocommit=True)
    with AdminDatabase(primary.url(), "opslib:test", past_bar=True) as session:
        lsn = close_server(session)
        assert close_server(session) >= lsn
    with pytest.raises(psycopg.OperationalError):
        open_session.execute("INSERT INTO written VALUES (0)")
    for restarted in (False, True):
        if restarted:
            primary.kill()
            primary.start(lambda: barred(primary))
        for user in (None, "app"):
            for options in ATTEMPTS:
                with pytest.raises(psycopg.OperationalError, match=LIBRARY):
                    write(primary, options, user)
        with pytest.raises(psycopg.OperationalError, match="permission denied to set parameter"):
            write(primary, "-c session_preload_libraries=", "app")
    with pytest.raises(Unreachable) as told:
        ReadOnlyDatabase(primary.url(), "opslib:test").ask(question("database/ping"))
    assert told.value.kind == "fenced"
    with pytest.raises(Unreachable) as told:
        session_of(primary, standby).ask(question("database/ping"))
    assert told.value.kind == "fenced"
    # The standby has none of it, has all rows, and its log receiver comes in.
    with standby.session() as session:
        assert session.execute("SELECT count(*) AS n FROM written").fetchone()["n"] == 0
        asked = "SELECT status FROM pg_stat_wal_receiver"
        until(lambda: [row["status"] for row in session.execute(asked).fetchall()] == ["streaming"])
    with AdminDatabase(primary.url(), "opslib:test", past_bar=True) as session:
        open_server(session)
    until(lambda: _writes(primary))


def _writes(cluster):
    with suppress(psycopg.OperationalError):
        write(cluster, "", "app")
        return True
    return False


def test_a_standby_that_would_wait_for_nobodys_confirmation_is_let_off_before_it_commits(pair):
    primary, standby = pair
    # A database of its own that takes writes is nobody's standby, whatever a description calls it.
    nowhere = ReadOnlyDatabase(primary.url(port=1), "opslib:test", other=primary.url())
    with pytest.raises(Unreachable):
        nowhere.ask(question("database/ping"))
    with standby.session() as session:
        session.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        session.execute("SELECT pg_reload_conf()")
    primary.kill()
    with AdminDatabase(standby.url(), "opslib:test") as session:
        assert recovering(session)
        promote(session, 20)
        assert not recovering(session)
        with pytest.raises(Unreachable, match="gave no answer"):
            session.execute("SELECT pg_logical_emit_message(true, 'x', 'y')", what="commit", seconds=2)
    with AdminDatabase(standby.url(), "opslib:test") as session:
        wait_for_nobody(session)
        commit(session, "a word")
    found = session_of(primary, standby)
    assert (found.led_elsewhere, found.url) == (True, standby.url())
    found.close()
