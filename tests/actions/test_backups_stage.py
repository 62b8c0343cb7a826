import json

import pytest

from opslib.actions import backups_folder as staging
from opslib.actions.backups import TakeBackup
from opslib.actions.backups_restore import RestoreIntoNewDatabase
from opslib.actions.backups_stage import StageBackup
from opslib.errors import Refused
from opslib.model import now
from opslib.probes.backups_manifest import PROOF, Proof
from opslib.probes.backups_standing import standing
from opslib.systems.target import WriteTarget
from tests.actions import shop

NAME = "mart"
NEW = "mart_restore_a1b2c3"


@pytest.fixture(scope="module")
def backup(lab):
    """One backup with a manifest of the small database, not proven yet."""
    shop.make(lab, NAME, shop.SCHEMA, shop.ROWS)
    target = shop.writing(lab, name=NAME)
    shop.carry_out(TakeBackup(), target)
    (found,) = standing(target.backups, "mart/").backups
    yield found
    clear(target)
    target.close()
    with lab.admin("postgres") as session:
        shop.drop(session, NAME)


@pytest.fixture
def writing(lab, backup):
    target = shop.writing(lab, name=NAME)
    yield target
    staging.remove(target.run)
    target.close()


@pytest.fixture
def proven(writing, backup):
    """The same backup with the record of its proof; the record goes again."""
    proof = Proof(
        name=backup.name,
        run="proof",
        proven_at=now(),
        manifest_sha256=backup.manifest_sha256,
        dump_sha256=backup.manifest.dump.sha256,
        server_version="18.6",
        read_seconds=1.0,
        restore_seconds=1.0,
        compare_seconds=1.0,
        database_bytes=1,
        restored_bytes=1,
    )
    key = backup.manifest_object.key.removesuffix(".manifest.json") + PROOF
    version = writing.backup_store.put_new(key, proof.encode(), {})
    yield backup
    writing.backup_store.delete_version(key, version)


def clear(target):
    for item in target.backups.list("mart/"):
        target.backup_store.delete_version(item.key, item.version)


def other(writing, **changes):
    """Return the same target with some other settings."""
    return WriteTarget(writing.settings.model_copy(update=changes), writing.run)


def refusal(lab, action, target):
    before = shop.fingerprint(lab, NAME)
    with pytest.raises(Refused) as refused:
        shop.carry_out(action, target)
    assert shop.fingerprint(lab, NAME) == before
    assert not staging.folder(target.run).exists()
    return refused.value.message


def test_the_latest_backup_is_the_newest_proven_one_and_restores_with_equal_digests(lab, writing, proven):
    before = shop.fingerprint(lab, NAME)
    staged, plan = shop.carry_out(StageBackup(), writing)
    assert plan.after["staged"] == proven.manifest.dump.key
    assert plan.after["proven"] is True
    step = RestoreIntoNewDatabase(sha256=staged["sha256"])
    restored, plan = shop.carry_out(step, writing)
    assert shop.contents(lab, NEW) == before[1]
    step.undo(writing, plan, restored, shop.quiet)
    assert shop.fingerprint(lab, NAME) == before


def test_a_backup_that_is_not_proven_is_not_the_latest_but_may_be_named(lab, writing, backup):
    assert "is proven" in refusal(lab, StageBackup(), writing)
    for name in (backup.name, backup.manifest.dump.key):
        staged, plan = shop.carry_out(StageBackup(backup=name), writing)
        assert plan.after["proven"] is False
        assert staged["rows"] == backup.manifest.contents.rows


def test_a_stale_latest_backup_is_refused(lab, writing, proven):
    assert "h old" in refusal(lab, StageBackup(max_age_hours=0.000001), writing)


def test_a_backup_of_another_database_is_refused(lab, writing, proven):
    shop.make(lab, "mart_two", shop.SCHEMA)
    here = shop.settings(lab, "mart_two")
    target = other(writing, database_url=here.database_url, read_database_url=here.read_database_url)
    try:
        assert "was taken of mart, this is mart_two" in refusal(lab, StageBackup(), target)
    finally:
        target.close()


def test_a_backup_without_a_core_table_is_refused(lab, writing, proven):
    target = other(writing, core_tables=("auth.users", "public.cases"))
    try:
        assert "lacks public.cases" in refusal(lab, StageBackup(), target)
    finally:
        target.close()


def test_a_backup_whose_dump_was_exchanged_or_is_gone_is_refused(lab, writing, backup):
    dump = backup.manifest.dump
    exchanged = writing.backup_store.call("put_object", Key=dump.key, Body=b"PGDMP")["VersionId"]
    try:
        assert "its dump is another object now" in refusal(lab, StageBackup(backup=backup.name), writing)
    finally:
        writing.backup_store.delete_version(dump.key, exchanged)


def changed(writing, backup, change):
    """Put the manifest with a change beside the backup under another name, and return that name."""
    said = json.loads(backup.manifest.encode())
    said["name"] = "changed"
    change(said)
    return writing.backup_store.put_new("mart/changed.manifest.json", json.dumps(said).encode(), {})


def fewer_rows(said):
    said["contents"]["tables"]["public.users"]["rows"] -= 1


def no_rows(said):
    for table in said["contents"]["tables"].values():
        table["rows"] = 0


def newer_server(said):
    said["origin"]["server_version"] = "99.1"


def no_contents(said):
    del said["contents"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (fewer_rows, "public.users has 65 rows, its manifest says 64"),
        (no_rows, "has no rows at all"),
        (newer_server, "The backup is of PostgreSQL 99.1"),
        (no_contents, "its manifest cannot be read"),
    ],
)
def test_a_manifest_that_does_not_fit_its_dump_is_refused(lab, writing, backup, change, said):
    version = changed(writing, backup, change)
    try:
        assert said in refusal(lab, StageBackup(backup="changed"), writing)
    finally:
        writing.backup_store.delete_version("mart/changed.manifest.json", version)
