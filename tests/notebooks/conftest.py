import json
import os
import tempfile
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
import redis

from opslib.headless import runner
from opslib.headless.kernel_warm import keep_warm
from opslib.lab.supervisor import Lab
from opslib.systems.postgres import connect
from opslib.systems.target import WriteTarget
from tests.descriptions import as_production
from tests.kubernetes import ClusterDoors
from tests.scale import NIGHTLY
from tests.signing import APPROVER, Keys
from tests.vendors import Doors

ROWS = 3_000


@pytest.fixture(scope="module", autouse=True)
def _warm(zygote):
    with keep_warm(zygote):
        yield


class Shared:
    """The lab of this test process that files share which leave it as it was; made at the first use.

    It is handed on as it was made: where a file leaves it otherwise after all, the next file gets another.
    """

    def __init__(self):
        self._stack = ExitStack()
        self._lab, self._made = None, ""

    def lab(self):
        if self._lab is None:
            self._lab = self._stack.enter_context(started())
            self._made = self._state()
        return self._lab

    def back(self):
        with suppress(Exception):  # one that cannot be asked is not as it was
            if self._state() == self._made:
                return
        self.close()

    def close(self):
        self._lab = None
        self._stack.close()

    def _state(self):
        settings, folder = self._lab.settings(), self._lab.folder
        files = [folder / "target.env", settings.allowed_signers, *sorted(folder.rglob(".git/refs/heads/main"))]
        with redis.Redis.from_url(settings.cache_url.reveal()) as cache:
            bounds = cache.config_get("maxmemory*")
        # Pods that were made anew have neither the logs nor the age of those before.
        pods = sorted(ClusterDoors(settings).cluster()["objects"]["pods"])
        return [state_of(settings), pods, *(path.read_text() for path in files), bounds]


@contextmanager
def described(lab):
    """Let this be the lab that everything here means."""
    kept = os.environ.get("OPS_LAB")
    os.environ["OPS_LAB"] = str(lab.folder)
    try:
        yield
    finally:
        os.environ.pop("OPS_LAB") if kept is None else os.environ.update({"OPS_LAB": kept})


@contextmanager
def started(rows=ROWS):
    """Have a lab of one's own, without background load."""
    with tempfile.TemporaryDirectory(prefix="opslib-house-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        os.environ["LAB_LOAD_PER_SECOND"] = "0"
        lab = Lab(Path(folder) / "lab")
        try:
            with described(lab):
                lab.up(rows)
            yield lab
        finally:
            lab.down()


@pytest.fixture(scope="session")
def shared():
    made = Shared()
    yield made
    made.close()


@pytest.fixture(scope="module")
def house(request, shared, tmp_path_factory):
    """A lab of a file's own and an archive: what another file's runbooks did is not there.

    A file that says ``SHARES`` leaves its lab as it was, and by day shares it with others that do. One that needs more
    to have happened there says how many ``ROWS``.
    """
    shares = getattr(request.module, "SHARES", False) and not NIGHTLY
    rows = getattr(request.module, "ROWS", ROWS)
    with nullcontext(shared.lab()) if shares else started(rows) as lab, described(lab):
        archive = tmp_path_factory.mktemp("house") / "archive"
        yield SimpleNamespace(lab=lab, settings=lab.settings(), archive=archive)
    if shares:
        shared.back()


@pytest.fixture
def run(house):
    """Run a notebook on the house and return its result and its folder."""

    def run(name, *given, mode="run"):
        result = runner.run(name, given, "lab", house.archive, mode=mode)
        return result, Path(result["report"]).parent

    return run


@pytest.fixture
def fingerprint(house):
    """Return what can be changed, as one value: databases, keys, object versions, the vendors' and cluster's state."""
    return lambda: state_of(house.settings)


def state_of(settings):
    with connect(settings.database_url.with_path("postgres"), "fingerprint") as server:
        names = server.execute("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").fetchall()
    databases = {row["datname"]: content(settings.database_url.with_path(row["datname"])) for row in names}
    vendors, cluster = Doors(settings).state(), ClusterDoors(settings).specs()
    held = keys(settings.cache_url.reveal())
    return json.dumps([databases, held, objects(settings), vendors, cluster], default=str)


def content(url):
    with connect(url, "fingerprint") as database:
        tables = database.execute(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        ).fetchall()
        said = {}
        for table in tables:
            query = f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table['name']} t"
            said[table["name"]] = list(database.execute(query).fetchone().values())
        return said


def keys(url):
    with redis.Redis.from_url(url) as cache:
        return sorted(key.decode() for key in cache.scan_iter(count=1000))


def objects(settings):
    client = boto3.client(
        "s3",
        endpoint_url=settings.aws_endpoint_url,
        region_name=settings.aws_region,
        aws_access_key_id=settings.aws_access_key_id.reveal(),
        aws_secret_access_key=settings.aws_secret_access_key.reveal(),
    )
    listed = client.list_object_versions(Bucket=settings.backup_bucket)
    uploads = client.list_multipart_uploads(Bucket=settings.backup_bucket).get("Uploads", [])
    versions = [(v["Key"], v["VersionId"], v["ETag"]) for v in listed.get("Versions", [])]
    return [sorted(versions), [m["Key"] for m in listed.get("DeleteMarkers", [])], [u["Key"] for u in uploads]]


@pytest.fixture
def writing(house):
    """Writing handles on the house, for undo."""
    target = WriteTarget(house.settings, "test")
    yield target
    target.close()


@pytest.fixture
def production(house, tmp_path, monkeypatch):
    """The house described as production, with three people who may approve."""
    keys = Keys(tmp_path)
    signers = tmp_path / "allowed_signers"
    signers.write_text("".join(keys.line(who, APPROVER) for who in ("ann", "ben", "cat")))
    for name, value in as_production(house.settings, signers).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPS_LOCKS", str(tmp_path / "locks"))
    return SimpleNamespace(keys=keys, archive=tmp_path / "archive", house=house)
