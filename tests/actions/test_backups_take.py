import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from opslib.actions.backups import ProveBackup, TakeBackup
from opslib.canonical import to_json
from opslib.errors import Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL, Effect, Verdict
from opslib.probes.backups_compare import compare
from opslib.probes.backups_manifest import Manifest, Proof
from tests.backup_place import place as make_place
from tests.backup_place import quiet, renewed

SMALL = "CREATE TABLE things AS SELECT n AS id, 'thing ' || n AS name FROM generate_series(1, 50) n"


@pytest.fixture(scope="module")
def whole(lab):
    """The database with one of everything."""
    with make_place(lab) as made:
        yield made


@pytest.fixture(scope="module")
def little(lab):
    """The database with one table."""
    with make_place(lab, SMALL) as made:
        yield made


@pytest.fixture
def place(whole):
    with renewed(whole) as made:
        yield made


@pytest.fixture
def small(little):
    with renewed(little, SMALL) as made:
        yield made


@pytest.fixture(scope="module")
def changing(lab):
    """One place for many changes, each compared with the state just before it."""
    with make_place(lab) as made:
        yield made


@pytest.fixture(scope="module")
def saved(changing):
    """A place with a backup that nobody changes; returns both."""
    return changing, changing.take()


@pytest.fixture(scope="module")
def proven(little):
    """A place with a backup and its proof that nobody changes; returns the three."""
    with renewed(little, SMALL) as made:
        taken = made.take()
        yield made, taken, made.prove(taken["backup"])


def test_a_backup_holds_everything_and_its_proof_finds_no_difference(place):
    place.sql("CREATE TABLE odd AS SELECT 1 AS a UNION ALL SELECT 1")
    with pytest.raises(Exception, match="could not create unique index"):
        place.sql("CREATE UNIQUE INDEX CONCURRENTLY odd_invalid ON odd (a)")
    taken = place.take()
    manifest = place.manifest(taken)
    tables = manifest.contents.tables
    assert tables["public.things"].rows == 501
    assert tables["public.secrets"].rows == 1
    assert {name: tables[f"public.{name}"].kind for name in ("events", "elsewhere", "cache_like", "summary")} == {
        "events": "partitioned",
        "elsewhere": "foreign",
        "cache_like": "unlogged",
        "summary": "materialised",
    }
    assert (tables["public.events_old"].rows, tables["public.parent"].rows, tables["public.child"].rows) == (1, 1, 1)
    assert tables["public.twice"].xor == "0"
    assert tables["public.twice"].sum != "0"
    assert manifest.contents.large_objects.count == 1
    assert manifest.contents.sequences["public.down"].last == 95
    assert taken["rows"] == sum(table.rows or 0 for table in tables.values())
    before = place.databases()
    proven = place.prove(taken["backup"])
    assert place.databases() == before
    assert proven["roles_made_for_the_proof"] == []
    assert ProveBackup(backup=taken["backup"]).verify(place.writing(), None, proven).verdict is Verdict.OK
    assert place.objects() == ["r1-backup.dump", "r1-backup.manifest.json", "r1-backup.proof.json"]


def test_the_manifest_says_where_when_and_with_what_the_backup_was_made(place):
    started = datetime.now(UTC) - timedelta(seconds=1)
    taken = place.take()
    manifest = place.manifest(taken)
    (server,) = place.sql(
        "SELECT system_identifier::text AS id, current_setting('server_version') AS v FROM pg_control_system()"
    )
    assert started < manifest.origin.taken_at < datetime.now(UTC)
    assert (manifest.origin.database, manifest.origin.system_identifier) == (place.name, server["id"])
    assert (manifest.origin.server_version, manifest.tools["pg_dump"]) == (server["v"], server["v"])
    assert (manifest.run, manifest.name, manifest.dump.sha256) == ("r1", taken["backup"], taken["sha256"])
    assert manifest.contents.roles == ("place owner", "place reader", "postgres")
    assert {(s.role, s.name, s.value) for s in manifest.contents.settings} == {
        ("", "search_path", '"$user", public, "odd, name"'),
        ("", "work_mem", "5MB"),
        ("", "app.settings.jwt_secret", "sha256:" + hashlib.sha256(b"hunter2-hunter2").hexdigest()[:16]),
        ("place reader", "statement_timeout", "1234"),
    }


def test_the_manifest_holds_no_content_of_the_database(place):
    data = place.writing().backup_store.read(place.take()["manifest"])
    for text in (b"seen by nobody", b"the same", b"a large object", b"NEW.name", b"hunter2"):
        assert text not in data
    password = place.settings.database_url.parts()[-1].encode()
    assert password not in data
    assert json.loads(data)["format"] == 3


def test_what_is_written_during_a_backup_is_in_neither_dump_nor_manifest(small):
    stop = threading.Event()

    def write() -> None:
        with small.lab.admin(small.name) as session:
            while not stop.is_set():
                session.execute(
                    "INSERT INTO things VALUES (0, 'new'); UPDATE things SET name = name || '.' WHERE id = 7"
                )

    small.sql("CREATE TABLE counted (id bigint GENERATED ALWAYS AS IDENTITY)")
    small.sql("CREATE TABLE filling AS SELECT n, md5(n::text) AS text FROM generate_series(1, 60000) n")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        taken = small.take()
    finally:
        stop.set()
        writer.join()
    assert (
        small.sql("SELECT count(*) AS n FROM things")[0]["n"]
        > small.manifest(taken).contents.tables["public.things"].rows
    )
    assert small.prove(taken["backup"])["backup"] == taken["backup"]


def test_a_sequence_that_went_on_during_the_dump_is_no_difference_but_one_that_fell_back_is(place):
    contents = place.manifest(place.take()).contents
    place.sql("SELECT nextval('down'), nextval('unused')")
    later = place.manifest(place.take("r2")).contents
    assert compare(contents, later) == ()
    assert [(row["kind"], row["name"]) for row in compare(later, contents)] == [
        ("sequence", "public.down"),
        ("sequence", "public.unused"),
    ]


@pytest.mark.parametrize(
    ("change", "kind", "name"),
    [
        ("UPDATE things SET name = 'thing!' WHERE id = 250", "content", "public.things"),
        ("DELETE FROM things WHERE id = 250", "rows", "public.things"),
        ("INSERT INTO twice VALUES ('the same')", "rows", "public.twice"),
        ("UPDATE twice SET line = 'changed' WHERE ctid IN (SELECT ctid FROM twice LIMIT 2)", "content", "public.twice"),
        ("UPDATE events_old SET what = 'forged'", "content", "public.events_old"),
        ("DROP TABLE nothing", "table", "public.nothing"),
        ("ALTER TABLE things ALTER COLUMN name DROP DEFAULT", "columns", "public.things"),
        ("ALTER TABLE things DROP CONSTRAINT things_status_check", "constraints", "public.things things_status_check"),
        ("DROP INDEX things_open", "indexes", "public.things_open"),
        ("ALTER TABLE things DISABLE TRIGGER bump", "triggers", "public.things bump"),
        ("ALTER POLICY own ON secrets USING (true)", "policies", "public.secrets own"),
        ("DROP POLICY own ON secrets", "policies", "public.secrets own"),
        ("ALTER TABLE secrets DISABLE ROW LEVEL SECURITY", "relations", "public.secrets"),
        ("ALTER FUNCTION bump() SECURITY DEFINER", "functions", "public.bump()"),
        ("CREATE OR REPLACE VIEW open_things AS SELECT * FROM things", "views", "public.open_things"),
        ("ALTER TYPE mood ADD VALUE 'grim'", "types", "public.mood"),
        ('REVOKE SELECT ON things FROM "place reader"', "grants", "public.things"),
        ('REVOKE UPDATE (name) ON things FROM "place reader"', "grants", "public.things column name"),
        ("DROP EXTENSION pg_trgm", "extension", "pg_trgm"),
        ("REFRESH MATERIALIZED VIEW unread", "table", "public.unread"),
        ("SELECT lo_put(oid, 0, 'A') FROM pg_largeobject_metadata", "large objects", "content"),
        ("SELECT lo_unlink(oid) FROM pg_largeobject_metadata", "large objects", "count"),
        ("ALTER DATABASE {} SET work_mem = '6MB'", "setting", "work_mem"),
        ('REVOKE CREATE ON DATABASE {} FROM "place reader"', "privilege", "CREATE place reader"),
    ],
)
def test_every_kind_of_change_is_named(changing, change, kind, name):
    before = changing.contents()
    changing.sql(change.format(changing.name))
    after = changing.contents()
    assert (kind, name) in [(row["kind"], row["name"]) for row in compare(before, after)]
    assert compare(after, after) == ()


def test_a_dump_of_other_rows_than_the_manifest_says_is_found_by_the_proof(place):
    honest = place.manifest(place.take("r1"))
    place.sql("UPDATE things SET name = 'thing!' WHERE id = 250")
    other = place.manifest(place.take("r2"))
    dump = b"".join(place.writing().backup_store.stream(other.dump.key))
    place.keep(honest, dump, "exchanged", sha256=other.dump.sha256)
    before = place.databases()
    with pytest.raises(StepFailed, match=r"differs from its manifest in 1 place\(s\): content public\.things"):
        place.prove("exchanged")
    assert place.databases() == before
    assert "exchanged.proof.json" not in place.objects()


def test_a_dump_without_the_rows_is_found_by_the_proof(small):
    manifest = small.manifest(small.take())
    small.sql("TRUNCATE things")
    empty = small.manifest(small.take("r2"))
    dump = b"".join(small.writing().backup_store.stream(empty.dump.key))
    small.keep(manifest, dump, "empty", sha256=empty.dump.sha256)
    with pytest.raises(StepFailed, match=r"rows public\.things: 50 saved, 0 restored"):
        small.prove("empty")


@pytest.mark.parametrize("where", [0.02, 0.5, 0.98])
def test_a_changed_byte_in_the_stored_dump_is_found_by_verify_and_by_the_proof(saved, where):
    place, taken = saved
    manifest = place.manifest(taken)
    dump = bytearray(b"".join(place.writing().backup_store.stream(manifest.dump.key)))
    dump[int(len(dump) * where)] ^= 1
    name = f"changed-{where:g}".replace(".", "-")
    place.keep(manifest, bytes(dump), name)
    target = place.writing()
    head = target.backup_store.head(f"{place.settings.backup_prefix}{name}.manifest.json")
    values = taken | {"manifest": head.key, "manifest_version": head.version}
    said = TakeBackup().verify(target, None, values)
    assert (said.verdict, "unusable" in said.summary) == (Verdict.CRITICAL, True)
    with pytest.raises(StepFailed, match="is not what was saved"):
        place.prove(name)
    assert f"{name}.proof.json" not in place.objects()


def test_a_dump_that_was_cut_off_is_found_by_the_proof_even_if_the_manifest_agrees(small):
    import hashlib

    manifest = small.manifest(small.take())
    dump = b"".join(small.writing().backup_store.stream(manifest.dump.key))[:-200]
    small.keep(manifest, dump, "cut", sha256=hashlib.sha256(dump).hexdigest())
    with pytest.raises(StepFailed):
        small.prove("cut")
    assert "cut.proof.json" not in small.objects()


def test_a_dump_that_fails_half_way_leaves_neither_object_nor_upload(small, tmp_path, monkeypatch):
    file = tmp_path / "pg_dump"
    file.write_text(
        '#!/bin/sh\nif [ "$1" = --version ] || [ "$2" = --version ]; then echo "pg_dump (PostgreSQL) 18.6"; exit; fi\n'
        "head -c 20000000 /dev/zero; echo 'server closed the connection' >&2; exit 1\n"
    )
    file.chmod(0o755)
    monkeypatch.setenv("OPS_PG_BIN", str(tmp_path))
    with pytest.raises(StepFailed, match="server closed the connection"):
        small.take()
    assert (small.objects(), small.uploads()) == ([], [])


def test_a_backup_interrupted_before_its_manifest_is_none_and_the_second_apply_starts_anew(small):
    target = small.writing()
    stray = target.backup_store.put_new(f"{small.settings.backup_prefix}r1-backup.dump", b"half of something", {})
    assert ProveBackup(backup="newest").name
    with pytest.raises(Refused, match="no backup newest"):
        ProveBackup().plan(small.reading())
    taken = small.take()
    assert taken["dump_version"] != stray
    assert small.objects() == ["r1-backup.dump", "r1-backup.manifest.json"]
    assert small.prove(taken["backup"])["backup"] == "r1-backup"


KILLED = """
import sys
from opslib.actions.backups import TakeBackup
from opslib.settings import load
from opslib.systems.target import ReadTarget, WriteTarget

name, prefix, lab = sys.argv[1:]
from pathlib import Path
settings = load("lab", lab=Path(lab))
settings = settings.model_copy(update={
    "database_url": settings.database_url.with_path(name),
    "read_database_url": settings.read_database_url.with_path(name),
    "backup_prefix": prefix, "core_tables": ("public.things",),
})
action = TakeBackup()
action.apply(WriteTarget(settings, "r1"), action.plan(ReadTarget(settings.reading(), "r1")), print)
"""


def test_an_executor_killed_during_the_dump_leaves_no_backup_and_the_second_apply_clears_up(small, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    file = folder / "pg_dump"
    file.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 18.6"; exit; fi\n'
        f"head -c 20000000 /dev/zero; echo $$ > {tmp_path}/sent; while :; do sleep 0.1; echo; done\n"
    )
    file.chmod(0o755)
    environment = {**os.environ, "OPS_PG_BIN": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    prefix, description = small.settings.backup_prefix, str(small.lab.folder / "target.env")
    command = [sys.executable, "-c", KILLED, small.name, prefix, description]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while not (tmp_path / "sent").exists() and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        child.kill()
        child.wait()
    assert small.objects() == []
    assert small.uploads() == [f"{small.settings.backup_prefix}r1-backup.dump"]
    taken = small.take()
    assert small.uploads() == []
    assert small.prove(taken["backup"])["backup"] == "r1-backup"


def test_a_stray_dump_that_is_locked_stays_and_the_second_apply_takes_another_name(small):
    target = small.writing()
    until = datetime.now(UTC) + timedelta(days=1)
    target.backup_store.put_new(f"{small.settings.backup_prefix}r1-backup.dump", b"half", {}, locked_until=until)
    taken = small.take()
    assert taken["dump"].endswith("r1-backup.2.dump")
    assert small.prove(taken["backup"])["backup"] == "r1-backup"


def test_the_same_run_applied_twice_makes_one_backup_and_one_proof(small):
    action = TakeBackup()
    plan = action.plan(small.reading())
    first = action.apply(small.writing(), plan, quiet)
    assert action.apply(small.writing(), plan, quiet) == first
    again = action.plan(small.reading())
    assert (again.touches, again.before["dump"]) == (0, "there, of this run")
    prove = ProveBackup(backup=first["backup"])
    plan = prove.plan(small.reading())
    proven = prove.apply(small.writing(), plan, quiet)
    assert prove.apply(small.writing(), plan, quiet) == proven
    assert len(small.objects()) == 3


def test_two_backups_of_one_run_are_told_apart_by_their_labels_and_each_is_uploaded_under_its_own_name(small):
    small.take()
    action = TakeBackup(label="before-migration")
    assert small.do(action)["backup"] == "r1-before-migration"
    names = [f"r1-{label}.{part}" for label in ("backup", "before-migration") for part in ("dump", "manifest.json")]
    assert sorted(small.objects()) == names
    assert "upload fails as soon as two files match" in action.reason


def test_a_proof_is_written_once(proven):
    small, taken, _ = proven
    with pytest.raises(Refused, match="has a proof already"):
        ProveBackup(backup=taken["backup"]).plan(small.reading("another-run"))


def test_undo_takes_the_proof_and_then_the_backup_away(small):
    taken = small.take()
    proven = small.prove(taken["backup"])
    assert ProveBackup().undo(small.writing(), None, proven, quiet).verdict is Verdict.OK
    assert small.objects() == ["r1-backup.dump", "r1-backup.manifest.json"]
    assert TakeBackup().undo(small.writing(), None, taken, quiet).verdict is Verdict.OK
    assert small.objects() == []


def test_a_locked_backup_is_not_undone(small):
    taken = small.take(backup_lock_days=1)
    with pytest.raises(Refused, match="forbids"):
        TakeBackup().undo(small.writing(), None, taken, quiet)
    assert len(small.objects()) == 2


def test_the_wrong_database_is_not_backed_up(small):
    with pytest.raises(Refused, match=r"no table public\.elsewhere"):
        TakeBackup().plan(small.reading(core_tables=("public.things", "public.elsewhere")))


def test_a_plan_that_looked_at_another_database_than_would_be_saved_is_refused(small, lab):
    plan = TakeBackup().plan(small.reading(read_database_url=lab.settings.read_database_url, core_tables=()))
    with pytest.raises(Refused, match="not the database that was planned"):
        TakeBackup().apply(small.writing(), plan, quiet)
    assert small.objects() == []


def test_a_role_from_which_row_security_hides_rows_gets_an_error_not_a_short_backup(place):
    with place.lab.admin() as session:
        session.execute("DROP ROLE IF EXISTS limited")
        session.execute("CREATE ROLE limited LOGIN PASSWORD 'limited-password' IN ROLE pg_read_all_data")
    url = place.settings.database_url
    limited = type(url)(f"postgresql://limited:limited-password@{url.host}:{url.port}/{url.path}")
    with pytest.raises(StepFailed, match="row-level security"):
        place.take(database_url=limited)
    assert (place.objects(), place.uploads()) == ([], [])


def test_a_plan_changes_nothing_and_is_the_same_each_time_for_its_run(small):
    before = small.databases()
    plans = [TakeBackup().plan(small.reading("r1")) for _ in range(2)]
    assert plans[0].digest == plans[1].digest
    assert (plans[0].effect, plans[0].touches) == (Effect.CHANGE, 2)
    assert (small.objects(), small.databases()) == ([], before)
    assert "schema" in plans[0].reason


def test_a_proof_of_a_backup_that_is_not_taken_yet_is_planned_as_unknown(small):
    plan = ProveBackup(backup=f"{UNKNOWN_UNTIL}take-backup").plan(small.reading())
    assert (plan.touches, plan.unknown) == (None, ("backup",))


def test_an_existing_database_is_never_taken_for_the_proof(small):
    taken = small.take()
    prove = ProveBackup(backup=taken["backup"])
    plan = prove.plan(small.reading())
    values = prove.apply(small.writing(), plan, quiet)
    prove.undo(small.writing(), plan, values, quiet)
    small.sql(f"CREATE DATABASE {values['scratch']}")
    try:
        with pytest.raises(Refused, match="not this proof's"):
            prove.apply(small.writing(), plan, quiet)
        assert values["scratch"] in small.databases()
        small.sql(f"COMMENT ON DATABASE {values['scratch']} IS 'opslib proof of r1-backup by run r1'")
        prove.apply(small.writing(), plan, quiet)
        assert values["scratch"] not in small.databases()
    finally:
        small.sql(f"DROP DATABASE IF EXISTS {values['scratch']}")


def test_missing_roles_are_made_for_the_proof_and_go_with_it(small):
    small.sql("CREATE ROLE passing NOLOGIN")
    small.sql("GRANT SELECT ON things TO passing")
    taken = small.take()
    small.sql("REVOKE ALL ON things FROM passing")
    small.sql("DROP ROLE passing")
    proven = small.prove(taken["backup"])
    assert proven["roles_made_for_the_proof"] == ["passing"]
    assert small.sql("SELECT 1 FROM pg_roles WHERE rolname = 'passing'") == []


def test_in_production_a_scratch_address_that_leads_to_the_production_server_is_refused(small):
    taken = small.take()
    with pytest.raises(Refused, match="leads to the production server"):
        small.do(ProveBackup(backup=taken["backup"]), environment="production")
    assert len(small.objects()) == 2


class Impatient(TakeBackup):
    """Takes a backup, but waits for no lock longer than a second."""

    lock_seconds: ClassVar[int] = 1


def test_a_schema_change_that_waits_ends_the_backup_instead_of_hanging_it(small):
    # The change waits for the snapshot's lock, and pg_dump would wait behind the change for ever.
    threads: list[threading.Thread] = []

    def change() -> None:
        with small.lab.admin(small.name) as session:
            session.execute("ALTER TABLE things ADD COLUMN late int")

    def progress(text, done=None, total=None):
        if text.startswith("Saved"):
            return
        if not threads and small.sql("SELECT 1 FROM pg_locks WHERE relation = 'things'::regclass AND granted"):
            threads.append(threading.Thread(target=change))
            threads[0].start()
            while not small.sql("SELECT 1 FROM pg_locks WHERE relation = 'things'::regclass AND NOT granted"):
                pass

    small.sql("CREATE TABLE zoo (a int)")
    action = Impatient()
    with pytest.raises(StepFailed, match="LOCK TABLE") as caught:
        action.apply(small.writing(), action.plan(small.reading()), progress)
    assert "schema change" in caught.value.next_step
    threads[0].join(20)
    assert not threads[0].is_alive()
    assert (small.objects(), small.uploads()) == ([], [])


def test_what_the_actions_return_goes_into_a_journal(proven):
    _, taken, proof = proven
    values = to_json({"take": taken, "prove": proof})
    assert json.loads(json.dumps(values)) == values


def test_manifest_and_proof_read_back_as_they_were_written(proven):
    small, taken, proof = proven
    store = small.writing().backup_store
    manifest, proof = store.read(taken["manifest"]), store.read(proof["proof"])
    assert Manifest.model_validate_json(manifest).encode() == manifest
    assert Proof.model_validate_json(proof).encode() == proof


def test_an_undo_deletes_nothing_that_its_own_run_did_not_make_whatever_its_record_says(proven):
    small, taken, proof = proven
    other = small.writing("another-run")
    before = small.objects()
    for step, values in (
        (TakeBackup(), taken),
        (TakeBackup(label="before-migration"), taken),
        (ProveBackup(), proof),
        (ProveBackup(), {**proof, "proof": taken["manifest"], "proof_version": taken["manifest_version"]}),
        (ProveBackup(), {**proof, "proof": taken["dump"], "proof_version": taken["dump_version"]}),
    ):
        with pytest.raises(Refused, match="run another-run"):
            step.undo(other, None, values, quiet)
    assert small.objects() == before
