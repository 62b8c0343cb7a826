import hashlib
import re
import socket
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from opslib.errors import OpsError, Refused, Unreachable
from opslib.redaction import Secret
from opslib.systems.object_store import READS, Bucket, Exists, Missing, ReadOnlyBucket, StoreError
from opslib.systems.pending import Pending
from opslib.systems.upload import PART
from tests.toxic import Toxic
from tests.waiting import until


@pytest.fixture
def store(lab):
    bucket = Bucket(lab.settings, lab.settings.backup_bucket)
    yield bucket
    bucket.close()


@pytest.fixture
def reader(lab):
    bucket = ReadOnlyBucket(lab.settings.reading(), lab.settings.backup_bucket)
    yield bucket
    bucket.close()


class Listening:
    """An HTTP server that answers nothing useful and remembers what it was asked."""

    def __init__(self, answer: bytes = b"", claimed: int | None = None) -> None:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                asked.append(f"{self.command} {self.path}")
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer) if claimed is None else claimed))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.asked = asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


def pretend(shape, name: str, depth: int = 0):
    """Return some valid value for a parameter's shape."""
    if shape.type_name == "structure":
        wanted = shape.required_members if depth else shape.members
        wanted = [n for n in wanted if n in shape.required_members]
        return {n: pretend(shape.members[n], n, depth + 1) for n in wanted}
    if shape.type_name == "string":
        return shape.enum[0] if getattr(shape, "enum", None) else "arn:aws:s3:::bucket" if "Arn" in name else "bucket"
    if shape.type_name == "list":
        return [pretend(shape.member, name, depth + 1)]
    return {"integer": 1, "long": 1, "boolean": False, "blob": b"x", "timestamp": 0}.get(shape.type_name, {})


def test_a_reading_bucket_refuses_every_operation_of_s3_that_is_not_a_read_before_anything_is_sent(lab):
    with Listening() as listening:
        settings = lab.settings.reading().model_copy(update={"aws_endpoint_url": listening.url})
        bucket = ReadOnlyBucket(settings, "bucket")
        client = bucket._client
        model = client.meta.service_model
        refused, passed = [], []
        for name in model.operation_names:
            shape = model.operation_model(name).input_shape
            try:
                client._make_api_call(name, pretend(shape, name) if shape else {})
            except Refused:
                refused.append(name)
            except Exception:
                passed.append(name)
            else:
                passed.append(name)
            if name in refused:
                assert listening.asked == []
            listening.asked.clear()
        bucket.close()
    assert len(refused) + len(passed) == len(model.operation_names) > 90
    assert {name for name in passed if not name.startswith(READS)} == set()
    assert {"PutObject", "DeleteObject", "DeleteObjects", "CopyObject", "CompleteMultipartUpload"} <= set(refused)
    assert {"GetObject", "HeadObject", "ListObjectVersions"} <= set(passed)


def test_a_reading_bucket_signs_no_address_for_writing(reader):
    with pytest.raises(Refused):
        reader._client.generate_presigned_url("put_object", Params={"Bucket": reader.bucket, "Key": "x"})
    with pytest.raises(Refused):
        reader._client.generate_presigned_post(reader.bucket, "x")


def test_the_names_of_reading_operations_hide_no_write():
    # The rule goes by the verb; this list is what it lets through, looked at by a person.
    import boto3

    model = boto3.session.Session().client("s3", region_name="us-east-1").meta.service_model
    reads = [name for name in model.operation_names if name.startswith(READS)]
    verbs = {re.match(r"[A-Z][a-z]+", name).group() for name in model.operation_names} - set(READS)
    assert all(model.operation_model(name).http["method"] in ("GET", "HEAD") for name in reads)
    assert {"Put", "Delete", "Create", "Copy", "Upload", "Complete", "Abort", "Restore", "Write"} <= verbs


def test_a_new_object_is_listed_read_and_deleted_by_its_version(store, reader):
    version = store.put_new("t-put/a.json", b'{"a": 1}', {"run": "r1"})
    (item,) = reader.list("t-put/")
    assert (item.key, item.size, item.version, item.modified.tzinfo) == ("t-put/a.json", 8, version, UTC)
    assert reader.read("t-put/a.json") == b'{"a": 1}'
    head = reader.head("t-put/a.json", version)
    assert (head.metadata, head.held, head.locked_until) == ({"run": "r1"}, False, None)
    store.delete_version("t-put/a.json", version)
    assert reader.list("t-put/") == []
    assert reader.head("t-put/a.json", version) is None


def test_an_object_is_never_overwritten(store, reader):
    version = store.put_new("t-once/a", b"first", {})
    with pytest.raises(Exists) as caught:
        store.put_new("t-once/a", b"second", {})
    assert "Nothing was overwritten" in caught.value.next_step
    with pytest.raises(Exists):
        send(store, "t-once/a", b"third")
    assert reader.read("t-once/a") == b"first"
    assert [item.version for item in reader.list("t-once/")] == [version]
    assert parts_left(store, "t-once/") == []


def send(store, key, data, error=None, locked_until=None):
    with store.upload(key, {}, locked_until=locked_until) as upload:
        upload.write(data)
        if error:
            raise error
        return upload.complete()


def parts_left(store, prefix):
    return [item["Key"] for item in store.call("list_multipart_uploads", Prefix=prefix).get("Uploads", [])]


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART + 7])
def test_an_upload_in_parts_arrives_as_it_was_written(store, reader, size):
    data = bytes(index % 251 for index in range(size))
    key = f"t-parts/{size}"
    with store.upload(key, {"run": "r"}) as upload:
        for start in range(0, size, 1_000_003):
            upload.write(data[start : start + 1_000_003])
        version = upload.complete()
    assert hashlib.sha256(b"".join(reader.stream(key, version))).hexdigest() == upload.sha256
    assert (upload.size, upload.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert parts_left(store, "t-parts/") == []


def test_an_upload_that_breaks_off_leaves_neither_object_nor_parts(store, reader):
    with pytest.raises(KeyError):
        send(store, "t-broken/a", b"x" * (2 * PART + 5), KeyError("the source broke off"))
    assert reader.list("t-broken/") == []
    assert parts_left(store, "t-broken/") == []


def test_an_upload_that_is_left_without_completing_leaves_nothing(store, reader):
    with store.upload("t-left/a", {}) as upload:
        upload.write(b"x" * (PART + 5))
    assert reader.list("t-left/") == []
    assert parts_left(store, "t-left/") == []


def test_a_locked_version_is_not_deleted(store, reader):
    until = datetime.now(UTC) + timedelta(days=1)
    version = store.put_new("t-lock/a", b"kept", {}, locked_until=until)
    head = reader.head("t-lock/a")
    assert head.lock == "GOVERNANCE"
    assert abs(head.locked_until - until) < timedelta(seconds=1)
    with pytest.raises(Refused, match="forbids"):
        store.delete_version("t-lock/a", version)
    assert reader.read("t-lock/a", version=version) == b"kept"


def test_an_upload_in_parts_is_locked_as_well(store):
    until = datetime.now(UTC) + timedelta(days=1)
    version = send(store, "t-lock/b", b"kept", locked_until=until)
    store.ensure_locked("t-lock/b", version, until)
    store.ensure_locked("t-lock/b", version, until)
    with pytest.raises(Refused, match="forbids"):
        store.delete_version("t-lock/b", version)


def test_what_is_missing_is_told_apart_from_what_cannot_be_looked_at(reader, lab):
    assert reader.head("t-none/a") is None
    with pytest.raises(Missing):
        reader.read("t-none/a")
    nowhere = ReadOnlyBucket(lab.settings.reading(), "there-is-no-such-bucket")
    with pytest.raises(StoreError, match="no such bucket"):
        nowhere.list("")
    closed = lab.settings.reading().model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(Unreachable, match="no connection"):
        ReadOnlyBucket(closed, "bucket").head("a")


def test_a_small_read_stops_at_its_limit(store, reader):
    store.put_new("t-limit/a", b"x" * 5_000, {})
    with pytest.raises(Refused, match="larger than 4999"):
        reader.read("t-limit/a", limit=4_999)
    assert len(reader.read("t-limit/a", limit=5_000)) == 5_000


def test_an_object_that_breaks_off_half_way_is_an_error_not_a_short_object(lab):
    with Listening(b"only this", claimed=1_000) as listening:
        settings = lab.settings.reading().model_copy(update={"aws_endpoint_url": listening.url})
        with pytest.raises(Unreachable, match="broke off"):
            b"".join(ReadOnlyBucket(settings, "bucket").stream("a"))


def test_a_store_that_dies_in_the_midst_of_a_write_leaves_no_thread_behind(lab):
    with socket.create_server(("127.0.0.1", 0)) as door:

        def die_early():
            while True:
                try:
                    line, _ = door.accept()
                except OSError:
                    return
                with line:
                    line.recv(65536)
                    # Who waits for this answer reads its headers next, and there are none.
                    line.sendall(b"HTTP/1.1 100 Continue\r\n")

        threading.Thread(target=die_early, daemon=True).start()
        settings = lab.settings.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{door.getsockname()[1]}"})
        before = set(threading.enumerate())
        with pytest.raises(Unreachable):
            Bucket(settings, "bucket", seconds=5).put_new("a", b"some bytes", {})
        until(lambda: set(threading.enumerate()) <= before)
        door.shutdown(socket.SHUT_RDWR)


def test_a_call_that_never_answers_is_given_up():
    never = threading.Event()
    with pytest.raises(Unreachable, match=r"waiting gave no answer within 0\.05 s"):
        Pending("waiting", 0.05, never.wait).result()
    never.set()


def test_a_call_in_the_background_gives_its_value_or_its_own_error():
    assert Pending("adding", 5, lambda: 1 + 1).result() == 2
    with pytest.raises(ZeroDivisionError):
        Pending("dividing", 5, lambda: 1 / 0).result()


def test_no_message_of_the_store_holds_a_credential(lab):
    secret = "wrong-" + "s3cr3t-value"
    settings = lab.settings.model_copy(
        update={"aws_access_key_id": Secret("AKIAWRONGWRONG12"), "aws_secret_access_key": Secret(secret)}
    )
    for bucket in ("there-is-no-such-bucket", settings.backup_bucket):
        with pytest.raises(OpsError) as caught:
            Bucket(settings, bucket).read("t-none")
        assert secret not in f"{caught.value} {caught.value.__cause__!r}"


def test_what_the_store_answers_wrong_can_be_told_anew_without_its_secrets(lab):
    with pytest.raises(Missing) as caught:
        lab.target.backups.read("no/such/object")
    again = type(caught.value)(caught.value.message, caught.value.next_step)
    assert (again.message, again.exit_code) == (caught.value.message, caught.value.exit_code)


def test_parts_that_may_be_left_are_told_with_the_error_that_broke_the_upload_off(lab):
    with Toxic(urlsplit(lab.settings.aws_endpoint_url).port) as proxy:
        behind = lab.settings.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{proxy.port}"})
        bucket = Bucket(behind, lab.settings.backup_bucket)
        with pytest.raises(Refused, match=r"Enough\. Parts of broken-off/dump may be left"):  # noqa: PT012, SIM117
            with bucket.upload("broken-off/dump", {}) as upload:
                upload.write(b"x")
                proxy.become("down")
                raise Refused("Enough.")
        bucket.close()
    for item in lab.writing.backup_store.unfinished("broken-off/"):
        lab.writing.backup_store.abort(item)


def test_parts_that_are_gone_already_are_no_trouble(lab):
    bucket = lab.writing.backup_store
    with pytest.raises(Refused) as caught, bucket.upload("gone-already/dump", {}) as upload:  # noqa: PT012
        upload.write(b"x")
        for item in bucket.unfinished("gone-already/"):
            bucket.abort(item)
            bucket.abort(item)
        raise Refused("Enough.")
    assert caught.value.message == "Enough."
    assert bucket.unfinished("gone-already/") == ()
