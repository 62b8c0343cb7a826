import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from opslib.actions import backups_folder as staging
from opslib.actions.backups_restore import RestoreIntoNewDatabase
from opslib.actions.backups_stage import StageBackup
from opslib.errors import Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL, Verdict
from opslib.systems.target import ReadTarget
from tests.actions import shop

NEW = "shop_restore_a1b2c3"


@pytest.fixture(scope="module")
def made(lab):
    shop.make(lab, shop.LIVE, shop.SCHEMA, shop.ROWS)
    shop.make(lab, "elsewhere", shop.SCHEMA, shop.ROWS)
    shop.make(lab, "hollow", shop.SCHEMA)
    yield lab
    with lab.admin("postgres") as session:
        for name in (shop.LIVE, "elsewhere", "hollow"):
            shop.drop(session, name)


@pytest.fixture(scope="module")
def untouched(made):
    return shop.fingerprint(made)


@pytest.fixture
def writing(made):
    target = shop.writing(made)
    yield target
    staging.remove(target.run)
    target.close()
    with made.admin("postgres") as session:
        session.execute(f"DROP DATABASE IF EXISTS {NEW} WITH (FORCE)")


@cache
def dump(lab, *options, name=shop.LIVE):
    """Return a dump as :func:`shop.dump`; of databases that no test changes one is enough."""
    return shop.dump(lab, *options, name=name)


FORMS = {
    "a.dump": lambda lab: dump(lab, "--format=custom"),
    "b.sql": lambda lab: dump(lab),
    "c.sql.gz": lambda lab: shop.packed(dump(lab)),
    "d.sql": lambda lab: dump(lab, "--rows-per-insert=7"),
    "e.sql": lambda lab: dump(lab, "--column-inserts", "--disable-dollar-quoting"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_good_dump_of_each_format_restores_with_equal_digests_and_can_be_undone(made, writing, name):
    key = shop.store(writing, f"shop/{name}", FORMS[name](made))
    before = shop.fingerprint(made)
    staged, _ = shop.carry_out(StageBackup(backup=key), writing)
    assert shop.fingerprint(made) == before
    step = RestoreIntoNewDatabase(sha256=staged["sha256"])
    restored, plan = shop.carry_out(step, writing)
    assert restored["database"] == NEW
    assert shop.contents(made, NEW) == before[1]
    assert not staging.dump_file(writing.run).exists()
    undone = step.undo(writing, plan, restored, shop.quiet)
    assert undone.verdict is Verdict.OK
    assert shop.fingerprint(made) == before


@pytest.mark.parametrize("form", ["{0}", "{0}\n", "{0}  c.sql", "{0} *./backups/c.sql\n"])
def test_checksum_files_of_both_forms_are_accepted(made, writing, form):
    import hashlib

    data = dump(made)
    key = shop.store(writing, "shop/c.sql", data, form.format(hashlib.sha256(data).hexdigest()))
    staged, _ = shop.carry_out(StageBackup(backup=key), writing)
    assert staged["rows"] == shop.contents(made).rows


def flipped(data):
    at = data.rindex(b"\x78\x9c") + 8 if data.startswith(b"PGDMP") else len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


BAD = {
    "empty": (lambda lab: b"", None, "is empty (0 bytes)"),
    "blank": (lambda lab: b"\n\n", None, "is an empty file"),
    "cut-plain": (lambda lab: dump(lab)[:-300], None, "its end mark is missing"),
    "cut-in-rows": (lambda lab: dump(lab).partition(b"user 30")[0], None, "its end mark is missing"),
    "cut-gzip": (lambda lab: shop.packed(dump(lab))[:-20], None, "cut off or damaged"),
    "cut-text-in-whole-gzip": (lambda lab: shop.packed(dump(lab)[:-300]), None, "its end mark is missing"),
    "cut-custom": (lambda lab: dump(lab, "--format=custom")[:-2000], None, "cut off or damaged"),
    "flipped-custom": (lambda lab: flipped(dump(lab, "--format=custom")), None, "cut off or damaged"),
    "flipped-gzip": (lambda lab: flipped(shop.packed(dump(lab))), None, "cut off or damaged"),
    "schema-only": (lambda lab: dump(lab, "--schema-only"), None, "holds the schema only"),
    "schema-only-custom": (lambda lab: dump(lab, "-Fc", "-s"), None, "holds the schema only"),
    "no-rows": (lambda lab: dump(lab, name="hollow"), None, "all its tables are empty"),
    "data-only": (lambda lab: dump(lab, "--data-only"), None, "tables that it does not create"),
    "other-database": (
        lambda lab: dump(lab, "-Fc", name="elsewhere"),
        None,
        "was taken of elsewhere, this is shop",
    ),
    "other-created": (lambda lab: dump(lab, "--create", name="elsewhere"), None, "was taken of elsewhere"),
    "lacking": (lambda lab: dump(lab, "--exclude-table=auth.users"), None, "lacks auth.users"),
    "tar": (lambda lab: dump(lab, "--format=tar"), None, "tar format"),
    "no-checksum": (lambda lab: dump(lab), "", "neither a manifest nor a checksum file"),
    "other-checksum": (lambda lab: dump(lab), "a" * 64, "does not have its checksum"),
    "checksum-of-another": (lambda lab: dump(lab), f"{'a' * 64}  other.sql", "says nothing of"),
    "no-checksum-at-all": (lambda lab: dump(lab), "<html>", "not a SHA-256"),
    "shell": (
        lambda lab: dump(lab).replace(b"\nCREATE", b"\n\\! touch /tmp/x\nCREATE", 1),
        None,
        "psql command \\!",
    ),
    "newer": (lambda lab: dump(lab).replace(b"base version 18", b"base version 99", 1), None, "PostgreSQL 99"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_backup_is_refused_and_nothing_of_the_live_database_changes(made, untouched, writing, name):
    data, checksum, said = BAD[name]
    key = shop.store(writing, f"shop/bad-{name}", data(made), checksum)
    with pytest.raises(Refused) as refused:
        shop.carry_out(StageBackup(backup=key), writing)
    assert said in refused.value.message
    assert "not touched" in refused.value.next_step
    assert shop.fingerprint(made) == untouched
    assert not staging.folder(writing.run).exists()


def test_a_backup_that_is_not_there_is_refused(made, writing):
    with pytest.raises(Refused, match="There is no backup shop/never"):
        StageBackup(backup="shop/never").plan(writing)


def test_a_stale_backup_is_refused_before_it_is_downloaded(made, writing):
    key = shop.store(writing, "shop/old.sql", dump(made))
    with pytest.raises(Refused, match=r"h old, 1e-06 h are allowed"):
        StageBackup(backup=key, max_age_hours=0.000001).plan(writing)


def test_a_small_file_that_unpacks_without_end_is_refused():
    with pytest.raises(Refused, match="more than 1000 bytes"):
        list(staging.bounded(iter([b"x" * 600] * 2), 1000))


@pytest.mark.parametrize("parameters", [{"backup": "../x"}, {"backup": "-x"}, {"max_age_hours": 0.0}, {"path": "/etc"}])
def test_parameters_that_mean_something_else_are_refused(parameters):
    with pytest.raises(ValueError):
        StageBackup(**parameters)


@pytest.mark.parametrize("value", ["", "x" * 64, "a" * 63, "/tmp/dump", UNKNOWN_UNTIL + "x; y"])
def test_the_restoring_step_takes_a_digest_and_no_path(value):
    with pytest.raises(ValueError):
        RestoreIntoNewDatabase(sha256=value)


def test_a_planning_run_plans_the_restore_before_anything_is_staged(made, writing):
    plan = RestoreIntoNewDatabase(sha256=f"{UNKNOWN_UNTIL}stage-backup").plan(writing)
    assert plan.unknown
    assert plan.after["new"] == NEW


def test_the_restore_takes_only_what_this_run_has_staged(made, writing):
    with pytest.raises(Refused, match="has no staged backup"):
        RestoreIntoNewDatabase(sha256="a" * 64).plan(writing)
    staged = shop.prepare(StageBackup(backup=shop.store(writing, "shop/x.sql", dump(made))), writing)
    with pytest.raises(Refused, match="is another one"):
        RestoreIntoNewDatabase(sha256="a" * 64).plan(writing)
    step = RestoreIntoNewDatabase(sha256=staged["sha256"])
    plan = step.plan(writing)
    staging.dump_file(writing.run).write_bytes(b"changed")
    with pytest.raises(Refused, match="gone or was changed"):
        step.apply(writing, plan, shop.quiet)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"OWNER TO shop_owner", b'OWNER TO "gone with the wind"', "lacks roles .*: gone with the wind"),
        (b"\nCREATE TYPE", b"\nCREATE EXTENSION never_heard_of;\nCREATE TYPE", "lacks extensions .*: never_heard_of"),
    ],
)
def test_what_the_server_lacks_is_named_before_anything_is_made(made, writing, before, after, said):
    data = dump(made).replace(b"OWNER TO postgres", b"OWNER TO shop_owner").replace(before, after, 1)
    staged = shop.prepare(StageBackup(backup=shop.store(writing, "shop/lack.sql", data)), writing)
    seen = shop.fingerprint(made)
    with pytest.raises(Refused, match=said):
        RestoreIntoNewDatabase(sha256=staged["sha256"]).plan(writing)
    assert shop.fingerprint(made) == seen


@pytest.mark.parametrize("pack", [lambda data: data, shop.packed])
def test_a_restore_that_fails_drops_its_database_and_leaves_the_live_one_alone(made, writing, pack):
    data = dump(made).replace(b"\nCREATE TYPE", b"\nSELECT 1/0;\nCREATE TYPE", 1)
    staged = shop.prepare(StageBackup(backup=shop.store(writing, "shop/fails.sql", pack(data))), writing)
    before = shop.fingerprint(made)
    step = RestoreIntoNewDatabase(sha256=staged["sha256"])
    with pytest.raises(StepFailed, match=r"division by zero[\s\S]*was dropped; the live database was not touched"):
        step.apply(writing, step.plan(writing), shop.quiet)
    assert shop.fingerprint(made) == before


def test_a_restored_database_that_differs_from_the_backup_is_dropped(made, writing):
    trigger = (
        b"\nCREATE FUNCTION public.lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        b"\nCREATE TRIGGER lose BEFORE INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.lose();\nCOPY auth"
    )
    data = dump(made).replace(b"\nCOPY auth", trigger, 1)
    staged = shop.prepare(StageBackup(backup=shop.store(writing, "shop/differs.sql", data)), writing)
    before = shop.fingerprint(made)
    step = RestoreIntoNewDatabase(sha256=staged["sha256"])
    with pytest.raises(StepFailed, match=r"rows auth\.users: 40 expected, 0 found"):
        step.apply(writing, step.plan(writing), shop.quiet)
    assert shop.fingerprint(made) == before


def test_a_database_of_the_new_name_is_never_restored_over(made, writing):
    staged = shop.prepare(StageBackup(backup=shop.store(writing, "shop/x.sql", dump(made))), writing)
    step = RestoreIntoNewDatabase(sha256=staged["sha256"])
    plan = step.plan(writing)
    with made.admin("postgres") as session:
        session.execute(f"CREATE DATABASE {NEW}")
    before = shop.fingerprint(made)
    for attempt in (lambda: step.plan(writing), lambda: step.apply(writing, plan, shop.quiet)):
        with pytest.raises(Refused, match="There is a database"):
            attempt()
    with pytest.raises(Refused, match="was not made by run"):
        step.undo(writing, plan, {}, shop.quiet)
    assert shop.fingerprint(made) == before


def test_settings_and_rights_of_the_live_database_are_given_to_the_new_one_and_their_values_are_in_no_message(
    made, writing
):
    staged = shop.prepare(StageBackup(backup=shop.store(writing, "shop/x.sql", dump(made))), writing)
    restored, plan = shop.carry_out(RestoreIntoNewDatabase(sha256=staged["sha256"]), writing)
    with made.admin(NEW) as session:
        assert session.execute("SHOW search_path").fetchone() == {"search_path": '"$user", public, auth'}
        assert session.execute("SELECT current_setting('shop.secret') AS it").fetchone() == {"it": "it's hidden"}
    assert "hidden" not in f"{plan}{restored}{staged}"


def test_the_work_folder_is_private_and_a_planted_one_is_refused(made, writing, tmp_path):
    folder = staging.prepare(writing.run)
    assert folder.stat().st_mode & 0o777 == 0o700
    staging.remove(writing.run)
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(Refused, match="not a private folder"):
            staging.prepare(writing.run)
    finally:
        folder.unlink()


def test_the_plans_need_reading_handles_only(made):
    reading = ReadTarget(shop.settings(made).reading(), "20261123T130614Z-restore-database-a1b2c3")
    try:
        assert RestoreIntoNewDatabase(sha256=f"{UNKNOWN_UNTIL}stage-backup").plan(reading).effect == "change"
    finally:
        reading.close()


def test_the_dump_that_a_killed_executor_left_goes_with_the_next_run_and_that_of_a_living_one_stays(tmp_path):
    script = (
        "import os, signal, sys\n"
        "from opslib.actions import backups_folder as staging\n"
        "(staging.prepare(sys.argv[1]) / 'dump').write_text('rows')\n"
        "print(staging.folder(sys.argv[1]), flush=True)\n"
        "sys.argv[2] == 'killed' and os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.stdin.read()\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    def started(run, fate):
        return subprocess.Popen(
            [sys.executable, "-c", script, run, fate],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    with started("run-dead", "killed") as killed:
        dead = Path(killed.stdout.readline().strip())
    assert (dead / "dump").is_file()
    with started("run-one", "alive") as one, started("run-two", "alive") as two:
        alive = [Path(process.stdout.readline().strip()) for process in (one, two)]
        assert all((path / "dump").is_file() for path in alive)
        assert not dead.exists()
    assert list(tmp_path.iterdir()) == []
