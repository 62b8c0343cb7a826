import json
import os
import tempfile
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
from tests.signing import APPROVER, Keys
from tests.vendors import Doors

ROWS = 20_000


@pytest.fixture(scope="module", autouse=True)
def _warm(zygote):
    with keep_warm(zygote):
        yield


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A lab of a file's own, without background load, and an archive: what another file's runbooks did is not there."""
    with tempfile.TemporaryDirectory(prefix="opslib-house-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        kept = os.environ.get("OPS_LAB")
        os.environ |= {"OPS_LAB": f"{folder}/lab", "LAB_LOAD_PER_SECOND": "0"}
        lab = Lab(Path(folder) / "lab")
        try:
            lab.up(ROWS)
            archive = tmp_path_factory.mktemp("house") / "archive"
            yield SimpleNamespace(lab=lab, settings=lab.settings(), archive=archive)
        finally:
            lab.down()
            os.environ.pop("OPS_LAB") if kept is None else os.environ.update({"OPS_LAB": kept})


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

    def take():
        settings = house.settings
        with connect(settings.database_url.with_path("postgres"), "fingerprint") as server:
            names = server.execute("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").fetchall()
        databases = {row["datname"]: content(settings.database_url.with_path(row["datname"])) for row in names}
        vendors, cluster = Doors(settings).state(), ClusterDoors(settings).specs()
        held = keys(settings.cache_url.reveal())
        return json.dumps([databases, held, objects(settings), vendors, cluster], default=str)

    return take


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
