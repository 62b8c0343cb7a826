"""Replies that get lost: the effect happened or not, and what is said of it is right each time.

Lost before the server had the request, after it had carried it out, and the worst: the request arrives when
its sender has already seen the connection break.
"""

import random
import time
from collections import Counter
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from opslib.actions.backups_live import maintenance
from opslib.actions.backups_swap import _swap
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems.object_store import Bucket, Exists
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_exchange import end_lost
from opslib.systems.target import WriteTarget
from tests.scale import count
from tests.toxic import Forgetful

WHEN = ("before", "after", "late")


def there(lab):
    with lab.admin("postgres") as session:
        rows = session.execute("SELECT datname, oid FROM pg_database WHERE datname LIKE 'reply%'").fetchall()
    return {row["datname"]: row["oid"] for row in rows}


@pytest.fixture
def two(lab):
    """Two empty databases, ``reply`` and ``reply_new``; all of their kind are dropped afterwards."""
    with lab.admin("postgres") as session:
        for name in ("reply", "reply_new"):
            session.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield there(lab)
    with lab.admin("postgres") as session:
        for name in there(lab):
            session.execute(f"DROP DATABASE {name} WITH (FORCE)")


def behind(lab, port):
    url = lab.settings.database_url
    moved = DatabaseUrl(url.with_path("reply").reveal().replace(f":{url.port}/", f":{port}/"))
    return WriteTarget(lab.settings.model_copy(update={"database_url": moved}), "lost")


def test_whether_two_databases_were_exchanged_is_told_right_whenever_the_reply_to_the_commit_is_lost(lab, two):
    wrong, said = [], Counter()
    for number in range(count(20, 100)):
        when = WHEN[number % 3]
        before = there(lab)
        live, new = before["reply"], before["reply_new"]
        with (
            Forgetful(lab.settings.database_url.port, b"COMMIT\0", when, seconds=random.uniform(0, 0.1)) as proxy,
            closing(behind(lab, proxy.port)) as target,
            maintenance(target) as session,
        ):
            try:
                _swap(target, session, ("reply", "reply_old", "reply_new"), (live, new), "a mark")
                done = True
            except StepFailed as error:
                done = False if "Nothing was renamed" in error.message else None
            assert proxy.lost == 1
        after = there(lab)
        said[when, done] += 1
        if after != ({"reply": new, "reply_old": live} if done else before):
            wrong.append((number, when, done, before, after))
        if done:
            with lab.admin("postgres") as session:
                session.execute("ALTER DATABASE reply_old RENAME TO reply_new")
    assert wrong == []
    assert said["before", False] == sum(said[key] for key in said if key[0] == "before") > 0
    assert said["after", True] == sum(said[key] for key in said if key[0] == "after") > 0


def test_a_commit_that_arrives_late_is_not_carried_out_once_its_session_was_looked_after(lab, two):
    with Forgetful(lab.settings.database_url.port, b"COMMIT\0", "late", seconds=1.5) as proxy:
        url = behind(lab, proxy.port).settings.database_url.with_path("postgres")
        with AdminDatabase(url, "opslib:late") as session, AdminDatabase(url, "opslib:another") as another:

            def rename():
                with session.transaction():
                    session.execute("ALTER DATABASE reply RENAME TO reply_late", what="rename")

            with pytest.raises(StepFailed, match="broke before it confirmed to commit") as caught:
                rename()
            assert "may have been carried out" in caught.value.next_step
            end_lost(session, another)
            assert there(lab) == two
            sessions = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'opslib:late'"
            assert another.execute(sessions, what="look") == []
    assert there(lab) == two


def test_looking_after_a_session_that_stands_ends_nobody(lab):
    url = lab.settings.database_url
    with AdminDatabase(url, "opslib:stands") as session, AdminDatabase(url, "opslib:another") as another:
        (before,) = session.execute("SELECT pg_backend_pid() AS pid", what="look")
        end_lost(session, another)
        assert session.execute("SELECT pg_backend_pid() AS pid", what="look") == [before]


def test_a_statement_whose_reply_was_lost_is_not_said_to_have_had_no_effect(lab):
    with Forgetful(lab.settings.database_url.port, b"reply_role", "after") as proxy:
        url = behind(lab, proxy.port).settings.database_url.with_path("postgres")
        with AdminDatabase(url, "opslib:test") as session:
            try:
                with pytest.raises(StepFailed) as caught:
                    session.execute("CREATE ROLE reply_role", what="create a role")
                assert "no effect" not in str(caught.value)
                assert "may have been carried out" in caught.value.next_step
            finally:
                session.execute("DROP ROLE reply_role", what="drop the role")


def store_behind(lab, port, seconds=20.0):
    settings = lab.settings.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{port}"})
    return closing(Bucket(settings, lab.settings.backup_bucket, seconds=seconds))


def put(store, key):
    return store.put_new(key, b"mine", {"run": "r"})


def upload(store, key):
    with store.upload(key, {"run": "r"}) as writing:
        writing.write(b"mine")
        return writing.complete()


WAYS = {"put": (put, "PUT /{}/{} "), "upload": (upload, "POST /{}/{}?uploadId=")}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("times", [1, 9])
def test_whether_an_object_was_written_is_told_right_when_the_reply_is_lost(lab, way, times):
    write, marker = WAYS[way]
    port, plain = urlsplit(lab.settings.aws_endpoint_url).port, lab.writing.backup_store
    for number in range(count(3, 50)):
        when = ("after", "before", "after")[number % 3]
        key = f"t-lost/{way}-{times}-{number}"
        lost = marker.format(plain.bucket, key).encode()
        with Forgetful(port, lost, when, times=times) as proxy, store_behind(lab, proxy.port) as store:
            if when == "before" and times == 9:
                with pytest.raises(Unreachable):
                    write(store, key)
                assert plain.head(key) is None
                continue
            version = write(store, key)
            assert proxy.lost == (3 if times == 9 else 1)
        head = plain.head(key)
        assert (head.version, head.metadata) == (version, {"run": "r"})
        assert plain.read(key) == b"mine"
        assert [row.version for row in plain.versions(key)] == [version]
        assert plain.unfinished(key) == ()
        plain.delete_version(key, version)


@pytest.mark.parametrize("way", WAYS)
def test_anothers_object_is_never_taken_for_ones_own_even_with_the_same_content(lab, way):
    write, marker = WAYS[way]
    plain, key = lab.writing.backup_store, f"t-lost/others-{way}"
    version = plain.put_new(key, b"mine", {"run": "r"})
    port, lost = urlsplit(lab.settings.aws_endpoint_url).port, marker.format(plain.bucket, key).encode()
    for when, times in (("after", 1), ("before", 1), ("after", 9)):
        with Forgetful(port, lost, when, times=times) as proxy, store_behind(lab, proxy.port) as store:
            with pytest.raises((Exists, Unreachable)) as caught:
                write(store, key)
            assert times == 9 or isinstance(caught.value, Refused)
    assert [row.version for row in plain.versions(key)] == [version]
    assert plain.unfinished(key) == ()
    plain.delete_version(key, version)


def test_an_object_whose_look_up_fails_is_neither_said_to_be_there_nor_to_be_another_s(lab):
    port, plain, key = urlsplit(lab.settings.aws_endpoint_url).port, lab.writing.backup_store, "t-lost/blind"

    class Blind(Forgetful):
        def request(self, data, near, far):
            if data.startswith(b"HEAD "):
                self._cut((near, far))
                return
            super().request(data, near, far)

    lost = f"PUT /{plain.bucket}/{key} ".encode()
    with (
        Blind(port, lost, "after") as proxy,
        store_behind(lab, proxy.port) as store,
        pytest.raises(Unreachable, match="is not known"),
    ):
        put(store, key)
    plain.delete_version(key, plain.head(key).version)


def test_a_write_that_was_given_up_is_not_sent_again_later(lab):
    port, plain, key = urlsplit(lab.settings.aws_endpoint_url).port, lab.writing.backup_store, "t-lost/given-up"
    lost = f"PUT /{plain.bucket}/{key} ".encode()
    with Forgetful(port, lost, "before", times=9) as proxy, store_behind(lab, proxy.port, 0.2) as store:
        with pytest.raises(Unreachable) as caught:
            put(store, key)
        assert caught.value.kind == "slow" or proxy.lost == 3
        time.sleep(0.1)
        sent = proxy.lost
        time.sleep(3)
        assert proxy.lost == sent
    assert plain.head(key) is None
