"""Sealed runs in the locked store: put once, gone on with, compared, brought back."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from opslib.archive import pull, push, stored, timestamp
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import ArchiveError, OpsError, Refused, SettingsError, UsageError
from opslib.redaction import Redactor, Secret
from opslib.settings import Settings
from opslib.systems.sealed_store import SealedStore
from tests import waiting
from tests.conftest import LabInUse
from tests.scale import first
from tests.toxic import Toxic

from . import build, stores


@pytest.fixture
def settings(lab: LabInUse) -> Iterator[Settings]:
    with stores.bucket(lab.settings) as other:
        yield other


@pytest.fixture
def store(settings: Settings) -> Iterator[SealedStore]:
    one = SealedStore(settings)
    yield one
    one.close()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return stores.archive(tmp_path / "archive")


def test_what_is_sealed_is_stored_once_locked_and_nothing_else_is(
    archive: Archive, settings: Settings, store: SealedStore
) -> None:
    said = push.push(archive.folder, settings)
    assert (said.runs, said.faults) == (2, ())
    assert stores.names(store, archive) == dict.fromkeys(stores.here(archive), 1)
    prefix = push.prefix_of(archive.folder)
    objects = list(store.objects(prefix))
    assert not any(build.SECRET.reveal().encode() in store.read(one.key) for one in objects)
    heads = [store.head(one.key) for one in objects]
    assert {head.lock for head in heads if head} == {"COMPLIANCE"}
    again = push.push(archive.folder, settings)
    assert (again.runs, again.objects) == (0, 0)
    whole = push.push(archive.folder, settings, whole=True)
    assert (whole.objects, whole.faults, stores.names(store, archive)) == (
        0,
        (),
        dict.fromkeys(stores.here(archive), 1),
    )
    with pytest.raises(Refused):
        store.call("delete_object", Key=objects[0].key, VersionId=objects[0].versions[0].version)


def test_what_is_new_is_added_and_the_store_fits(archive: Archive, settings: Settings, store: SealedStore) -> None:
    push.push(archive.folder, settings)
    run = build.asked(4)["run"]
    build.fill(archive.folder / "runs" / run)
    archive.close(run, Redactor())
    report = stored.compare(archive.folder, settings)
    assert report.ok
    late = "is the first of 1 entries that are not in the store yet: ops archive push"
    assert stores.told(report) == [f"warning: log/{archive.log.newest():06d}.entry: {late}"]
    more = push.push(archive.folder, settings)
    assert (more.runs, more.faults) == (1, ())
    for read in (False, True):
        report = stored.compare(archive.folder, settings, read=read)
        assert (report.ok, stores.told(report), report.runs, report.objects) == (True, [], 3, len(stores.here(archive)))


@pytest.mark.parametrize("after", first(1, 6_000, 1_500, 12_000))
def test_a_push_whose_connection_breaks_is_gone_on_with_and_nothing_is_there_twice(
    archive: Archive, settings: Settings, store: SealedStore, after: int
) -> None:
    with Toxic(stores.port_of(settings), "truncate", after=after) as toxic, pytest.raises(OpsError):
        push.push(archive.folder, stores.led(settings, toxic.port))
    assert push.push(archive.folder, settings).faults == ()
    assert stores.names(store, archive) == dict.fromkeys(stores.here(archive), 1)


@pytest.mark.parametrize("count", first(1, 13, 1, 8, 20))
def test_a_push_that_is_killed_is_gone_on_with(
    archive: Archive, settings: Settings, store: SealedStore, count: int
) -> None:
    process = os.fork()
    if not process:
        try:
            push.push(archive.folder, settings)
        finally:
            os._exit(0)
    waiting.until(lambda: len(stores.names(store, archive)) >= count, 20)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert push.push(archive.folder, settings).faults == ()
    assert stores.names(store, archive) == dict.fromkeys(stores.here(archive), 1)
    assert stores.told(stored.compare(archive.folder, settings)) == []


def test_a_time_stamp_that_came_after_its_entry_was_stored_is_stored_with_the_next(
    archive: Archive, settings: Settings, store: SealedStore
) -> None:
    push.push(archive.folder, settings)
    token = archive.folder / timestamp.name_of(archive.log.newest())
    token.parent.mkdir()
    token.write_bytes(b"a token")
    assert "is here and not in the store" in stores.told(stored.compare(archive.folder, settings))[0]
    archive.append("heartbeat", "")
    assert push.push(archive.folder, settings).objects == 3
    assert stores.told(stored.compare(archive.folder, settings)) == []


@contextmanager
def between(settings: Settings, change: Callable[[str, int, dict[str, str]], int]) -> Iterator[Settings]:
    """The store as it looks through somebody who may change status and headers of each answer."""

    class Between(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            there = http.client.HTTPConnection("127.0.0.1", stores.port_of(settings), timeout=10)
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            data, headers = answer.read(), {name.lower(): value for name, value in answer.getheaders()}
            status = change(self.command, answer.status, headers)
            self.send_response(status)
            length = headers.get("content-length", "0") if self.command == "HEAD" else str(len(data))
            for name, value in {**headers, "content-length": length}.items():
                if name not in ("transfer-encoding", "connection", "server", "date"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            there.close()

        do_GET = do_PUT = do_HEAD = handle_one

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stores.led(settings, server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("status", first(1, 503, 403))
def test_what_the_store_refuses_is_told_and_is_stored_by_the_next(
    archive: Archive, settings: Settings, store: SealedStore, status: int
) -> None:
    left = [5]

    def refuse(command: str, said: int, _: dict[str, str]) -> int:
        left[0] -= command == "PUT"
        return status if command == "PUT" and left[0] < 0 else said

    with between(settings, refuse) as other, pytest.raises(OpsError, match=str(status)):
        push.push(archive.folder, other)
    assert push.push(archive.folder, settings).faults == ()
    assert stores.names(store, archive) == dict.fromkeys(stores.here(archive), 1)


def test_an_object_of_which_the_service_got_other_bytes_is_not_taken_for_stored(
    archive: Archive, settings: Settings
) -> None:
    def other_sum(command: str, said: int, headers: dict[str, str]) -> int:
        if command == "PUT":
            headers["x-amz-checksum-sha256"] = "AAAA"
        return said

    with between(settings, other_sum) as other, pytest.raises(Refused, match="other bytes arrived"):
        push.push(archive.folder, other)


def test_a_bucket_without_locks_or_versions_is_refused(archive: Archive, settings: Settings) -> None:
    plain = settings.model_copy(update={"store_bucket": f"plain-{settings.store_bucket}"})
    store = SealedStore(plain)
    store.call("create_bucket")
    for act in (push.push, stored.compare):
        with pytest.raises(Refused, match="no versions and no object lock"):
            act(archive.folder, plain)
    assert list(store.objects("")) == []
    store.close()


def test_a_store_that_who_operates_could_write_is_refused(archive: Archive, settings: Settings) -> None:
    for change, why in (
        ({"store_bucket": settings.backup_bucket}, "bucket of the backups"),
        ({"store_aws_access_key_id": settings.aws_access_key_id}, "operated system's own"),
        ({"store_aws_access_key_id": settings.read_aws_access_key_id}, "operated system's own"),
        ({"store_bucket": None, "anchor_bucket": None}, "No store"),
    ):
        with pytest.raises(SettingsError, match=why):
            push.push(archive.folder, settings.model_copy(update=change))
    own = {"store_aws_access_key_id": Secret("AKIAOWNKEY0000000000")}
    with pytest.raises(SettingsError, match="no secret"):
        SealedStore(settings.model_copy(update=own))
    SealedStore(
        settings.model_copy(update=own | {"store_aws_secret_access_key": Secret("a-secret-of-its-own")})
    ).close()


def test_a_run_that_was_changed_here_is_not_stored_and_the_others_are(
    archive: Archive, settings: Settings, store: SealedStore
) -> None:
    bad, good = (build.asked(number)["run"] for number in (1, 2))
    report = archive.folder / "runs" / bad / "report.html"
    before = report.read_bytes()
    report.write_bytes(before + b"<p>more")
    said = push.push(archive.folder, settings)
    assert said.faults == (f"runs/{bad}/report.html is not what the manifest names and was not stored",)
    assert said.runs == 1
    assert f"runs/{good}/MANIFEST.sha256" in stores.names(store, archive)
    compared = stored.compare(archive.folder, settings)
    assert not compared.ok
    assert compared.runs == 1
    report.write_bytes(before)
    assert push.push(archive.folder, settings).faults == ()
    assert stores.told(stored.compare(archive.folder, settings)) == []
    (archive.folder / "runs" / good / "MANIFEST.sha256").write_bytes(b"")
    assert push.push(archive.folder, settings, whole=True).faults == (
        f"runs/{good}/MANIFEST.sha256 is not what the log names: nothing of this run was stored",
    )
    assert stores.told(stored.compare(archive.folder, settings)) == [], (
        "the store's manifest is the one that the log names"
    )


def test_what_somebody_with_the_stores_key_did_is_told_and_the_right_version_comes_back(
    archive: Archive, settings: Settings, store: SealedStore, tmp_path: Path
) -> None:
    prefix = push.prefix_of(archive.folder)
    one, two = (build.asked(number)["run"] for number in (1, 2))
    store.call("put_object", Key=f"{prefix}runs/{two}/run.json", Body=b"put before")
    said = push.push(archive.folder, settings)
    (fault,) = said.faults
    assert fault.startswith(f"runs/{two}/run.json was in the store with other content")
    store.call("put_object", Key=f"{prefix}runs/{one}/report.html", Body=b"put over")
    store.call("delete_object", Key=f"{prefix}runs/{one}/result.json")
    store.call("put_object", Key=f"{prefix}runs/{one}/more.txt", Body=b"x")
    store.call("put_object", Key=f"{prefix}runs/20261101T000000Z-a-stranger/run.json", Body=b"x")
    store.call("put_object", Key=f"{prefix}log/000900.entry", Body=b"x")
    report = stored.compare(archive.folder, settings, read=True)
    assert not report.ok
    assert report.runs == 2, "each run has a version of each file that is the right one"
    for path, what in (
        (f"runs/{one}/report.html", "was put 2 times"),
        (f"runs/{two}/run.json", "was put 2 times"),
        (f"runs/{one}/result.json", "hidden by a deletion marker"),
        (f"runs/{one}/more.txt", "in no manifest"),
        ("runs/20261101T000000Z-a-stranger/run.json", "of no sealed run"),
        ("log/000900.entry", "the log here was cut"),
    ):
        assert any(path in line and what in line for line in stores.told(report)), what
    for run in (one, two):
        found, count = pull.pull(archive.folder, run, settings, tmp_path / "there")
        there, here_ = tmp_path / "there" / "runs" / found, archive.folder / "runs" / found
        assert count == len(list(there.rglob("*.*")))
        assert {path.relative_to(there): path.read_bytes() for path in there.rglob("*.*")} == {
            path.relative_to(here_): path.read_bytes() for path in here_.rglob("*.*")
        }


def test_a_run_that_the_store_has_only_otherwise_is_an_error_and_is_not_brought_back(
    archive: Archive, settings: Settings, store: SealedStore, tmp_path: Path
) -> None:
    run = build.asked(1)["run"]
    push.push(archive.folder, settings)
    elsewhere = settings.model_copy(update={"store_bucket": f"other-{settings.store_bucket}"})
    other = SealedStore(elsewhere)
    other.call("create_bucket", ObjectLockEnabledForBucket=True)
    prefix = push.prefix_of(archive.folder)
    for one in store.objects(prefix):
        data = b"forged" if one.key.endswith(f"{run}/report.html") else store.read(one.key)
        other.call("put_object", Key=one.key, Body=data, ChecksumAlgorithm="SHA256")
    report = stored.compare(archive.folder, elsewhere)
    assert any(f"error: runs/{run}/report.html: differs in the store" in line for line in stores.told(report))
    assert sum("is not locked in the store" in line for line in stores.told(report)) > 0
    assert report.runs == 1
    with pytest.raises(ArchiveError, match="none is what the log names"):
        pull.pull(archive.folder, run, elsewhere, tmp_path / "there")
    other.close()


def test_a_pull_is_gone_on_with_writes_over_nothing_and_verifies_with_plain_tools(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    push.push(archive.folder, settings)
    run, to = build.asked(2)["run"], tmp_path / "there"
    for _ in range(2):
        assert pull.pull(archive.folder, run[:14], settings, to) == (run, 7)
        (to / "runs" / run / "result.json").unlink()
    pull.pull(archive.folder, run, settings, to)
    said = subprocess.run(["sha256sum", "-c", "--quiet", "MANIFEST.sha256"], cwd=to / "runs" / run, check=False)
    assert said.returncode == 0
    assert len(list((to / "log").glob("*.sig"))) == 2
    (to / "runs" / run / "result.json").write_text("mine")
    with pytest.raises(Refused, match="holds something else"):
        pull.pull(archive.folder, run, settings, to)
    with pytest.raises(Refused, match="lies in the archive"):
        pull.pull(archive.folder, run, settings, archive.folder / "runs")
    for given in ("2026", "nothing", ""):
        with pytest.raises(UsageError):
            pull.pull(archive.folder, given, settings, to)


def test_nothing_is_stored_of_no_archive_and_a_store_that_is_away_is_told(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ArchiveError, match="no entry to store"):
        push.push(tmp_path / "nothing", settings)
    with pytest.raises(OpsError):
        push.push(archive.folder, stores.led(settings, 9))
    assert verify(archive.folder).ok
