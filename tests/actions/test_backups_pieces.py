"""Backups whose large tables are pieces of their own; here every table with rows counts as large."""

import hashlib
import threading
from typing import ClassVar

import pytest

from opslib.actions import backups_folder as staging
from opslib.actions.backups import ProveBackup, RestoreIntoNewDatabase, StageBackup, TakeBackup
from opslib.actions.backups_rebuild import contents_of
from opslib.actions.backups_together import Going, Together
from opslib.errors import Refused, StepFailed
from opslib.model import Outcome, Verdict
from opslib.probes.backups_manifest import MANIFEST
from opslib.probes.backups_standing import standing
from opslib.systems import programs
from opslib.systems.zstd import packed, unpacked
from tests.actions import shop
from tests.backup_place import place as make_place
from tests.backup_place import quiet, renewed

NAME = "stall"
NEW = "stall_restore_a1b2c3"


class Split(TakeBackup):
    """Takes a backup with a piece for every table that has a row."""

    large_bytes: ClassVar[int] = 1


@pytest.fixture(scope="module")
def made(lab):
    with make_place(lab) as one:
        yield one


@pytest.fixture
def place(made):
    with renewed(made) as one:
        yield one


@pytest.fixture(scope="module")
def kept(lab):
    """A small database and one backup of it in pieces, which nobody changes."""
    shop.make(lab, NAME, shop.SCHEMA, shop.ROWS)
    target = shop.writing(lab, name=NAME)
    shop.carry_out(Split(), target)
    (found,) = standing(target.backups, f"{NAME}/").backups
    yield found
    target.close()
    with lab.admin("postgres") as session:
        shop.drop(session, NAME)


@pytest.fixture
def writing(lab, kept):
    target = shop.writing(lab, name=NAME)
    yield target
    staging.remove(target.run)
    target.close()


def changed(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def exchange(store, manifest, number, change):
    """Store a backup of another name whose piece of that number is changed, and says of itself that it is right."""
    piece = manifest.pieces[number]
    base = manifest.dump.key.rpartition("/")[0] + "/exchanged"
    data = change(b"".join(store.stream(piece.key, piece.version)))
    key = f"{base}.1.sql.zst"
    size, version = len(data), store.put_new(key, data, {})
    pieces = list(manifest.pieces)
    pieces[number] = piece.model_copy(update={"key": key, "version": version, "size": size})
    copy = manifest.model_copy(update={"name": "exchanged", "pieces": tuple(pieces)})
    manifest_version = store.put_new(base + MANIFEST, copy.encode(), {})
    return "exchanged", [(base + MANIFEST, manifest_version), (key, version)]


def test_a_backup_in_pieces_holds_everything_is_proven_and_goes_with_its_undo(place):
    plan = Split().plan(place.reading())
    taken = Split().apply(place.writing(), plan, quiet)
    manifest = place.manifest(taken)
    assert {piece.table for piece in manifest.pieces} >= {"public.things", "public.secrets", "public.events_old"}
    assert plan.touches == len(place.objects()) == 2 + len(manifest.pieces)
    assert manifest.contents == place.contents()
    verified = Split().verify(place.reading(), plan, taken)
    assert (verified.verdict, len(verified.rows)) == (Verdict.OK, 2 * len(manifest.parts))
    before = place.databases()
    assert place.prove(taken["backup"])["roles_made_for_the_proof"] == []
    assert place.databases() == before
    with pytest.raises(Refused, match="not of run"):
        Split().undo(
            place.writing(), None, {**taken, "pieces": [[taken["manifest"], taken["manifest_version"]]]}, quiet
        )
    with pytest.raises(Refused, match="is a whole backup"):
        Split().undo(place.writing(), None, {}, quiet)
    assert Split().undo(place.writing(), None, taken, quiet).verdict is Verdict.OK
    assert place.objects() == ["r1-backup.proof.json"]


def test_what_a_broken_off_backup_has_sent_is_used_where_its_table_is_the_same(place):
    taken = Split().apply(place.writing(), Split().plan(place.reading()), quiet)
    first = {piece.table: piece for piece in place.manifest(taken).pieces}
    store = place.writing().backup_store
    for kind in ("manifest", "dump"):
        store.delete_version(taken[kind], taken[f"{kind}_version"])
    place.sql("UPDATE things SET name = 'another' WHERE id = 7")
    place.sql("ALTER TABLE twice RENAME COLUMN line TO other")
    settled = Split().settle(place.writing(), Split().plan(place.reading()), quiet)
    assert (settled.outcome, len(first)) == (Outcome.PARTLY, len(place.objects()))
    taken = Split().apply(place.writing(), Split().plan(place.reading()), quiet)
    second = {piece.table: piece for piece in place.manifest(taken).pieces}
    sent = {name for name in second if second[name].version != first[name].version}
    assert sent == {"public.things", "public.twice"}
    assert all(second[name].sha256 == first[name].sha256 for name in {*second} - sent)
    assert len(place.objects()) == 2 + len(second)
    assert place.prove(taken["backup"])["backup"] == taken["backup"]


def test_a_broken_off_backup_that_nobody_goes_on_with_is_taken_away_by_its_undo(place):
    taken = Split().apply(place.writing(), Split().plan(place.reading()), quiet)
    place.writing().backup_store.delete_version(taken["manifest"], taken["manifest_version"])
    (stray, *_) = standing(place.reading().backups, place.settings.backup_prefix).orphans
    assert stray.key.startswith(f"{place.settings.backup_prefix}r1-backup.")
    assert Split().undo(place.writing(), None, {}, quiet).verdict is Verdict.OK
    assert place.objects() == []


def test_a_backup_in_pieces_that_is_stopped_leaves_neither_manifest_nor_upload(place):
    plan = Split().plan(place.reading())

    def stopped(text, done=None, total=None):
        raise StepFailed("The step was stopped.", "Run again.")

    with pytest.raises(StepFailed, match="was stopped"):
        Split().apply(place.writing(), plan, stopped)
    assert not [name for name in place.objects() if name.endswith(MANIFEST)]
    assert place.uploads() == []


def test_a_backup_in_pieces_is_staged_and_restored_with_equal_digests(lab, kept, writing):
    before = shop.fingerprint(lab, NAME)
    staged, plan = shop.carry_out(StageBackup(backup=kept.name), writing)
    assert plan.after["pieces"] == len(kept.manifest.pieces) > 2
    # A name that programs could take for a pattern stays with the rest.
    assert not [piece for piece in kept.manifest.pieces if "Odd" in piece.table]
    assert before[1].tables['public.Odd "name", here'].rows == 2
    assert (staged["rows"], staged["bytes"]) == (before[1].rows, kept.manifest.size)
    step = RestoreIntoNewDatabase(sha256=staged["sha256"])
    restored, plan = shop.carry_out(step, writing)
    assert shop.contents(lab, NEW) == before[1]
    assert [path.name for path in staging.folder(writing.run).iterdir()] == ["staged.json"]
    step.undo(writing, plan, restored, quiet)
    assert shop.fingerprint(lab, NAME) == before


def test_a_staged_piece_that_is_changed_afterwards_is_not_restored(lab, kept, writing):
    before = shop.fingerprint(lab, NAME)
    staged = shop.prepare(StageBackup(backup=kept.name), writing)
    step = RestoreIntoNewDatabase(sha256=staged["sha256"])
    plan = step.plan(writing)
    path = staging.piece_file(writing.run, 1)
    path.write_bytes(changed(path.read_bytes()))
    with pytest.raises(Refused, match="gone or was changed"):
        step.apply(writing, plan, quiet)
    assert shop.fingerprint(lab, NAME) == before


@pytest.mark.parametrize("change", [changed, lambda data: data[:-9], lambda data: data + b"x", lambda data: b"\n"])
def test_a_piece_that_is_not_what_was_saved_is_refused_and_nothing_is_touched(lab, kept, writing, change):
    before = shop.fingerprint(lab, NAME)
    name, made = exchange(writing.backup_store, kept.manifest, 0, change)
    try:
        with pytest.raises(Refused, match="does not have its checksum"):
            shop.carry_out(StageBackup(backup=name), writing)
    finally:
        for key, version in made:
            writing.backup_store.delete_version(key, version)
    assert shop.fingerprint(lab, NAME) == before
    assert not staging.folder(writing.run).exists()


def vouched(store, manifest, number, change):
    """Exchange what that piece unpacks to, and have the manifest vouch for all of it but the rows."""
    piece = manifest.pieces[number]
    data = change(b"".join(unpacked(store.stream(piece.key, piece.version), "it")))
    stored = b"".join(packed([data]))
    said = {"size": len(stored), "sha256": hashlib.sha256(stored).hexdigest(), "unpacked": len(data)}
    pieces = list(manifest.pieces)
    pieces[number] = piece.model_copy(update=said)
    return exchange(store, manifest.model_copy(update={"pieces": tuple(pieces)}), number, lambda _: stored)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[: data.rindex(b"\n", 0, -4) + 1] + b"\\.\n", "rows .*expected"),
        (lambda data: data.replace(b"user 1", b"user x", 1).replace(b"u1@", b"ux@", 1), "content .*expected"),
        (lambda data: data[:-3] + b"x\n\\.\n", "restore the rows of"),
        (lambda data: data[:-3], "are cut off"),
    ],
)
def test_rows_that_are_not_those_of_the_manifest_never_take_the_live_ones_place(lab, kept, writing, change, why):
    before = shop.fingerprint(lab, NAME)
    number = next(n for n, piece in enumerate(kept.manifest.pieces) if piece.table == "public.users")
    name, made = vouched(writing.backup_store, kept.manifest, number, change)
    try:
        staged = shop.prepare(StageBackup(backup=name), writing)
        step = RestoreIntoNewDatabase(sha256=staged["sha256"])
        with pytest.raises(StepFailed, match=f"{why}.*was dropped; the live database was not touched"):
            step.apply(writing, step.plan(writing), quiet)
    finally:
        for key, version in made:
            writing.backup_store.delete_version(key, version)
    assert shop.fingerprint(lab, NAME) == before


def test_a_piece_unpacks_to_as_many_bytes_as_were_saved(lab, kept, writing):
    before = shop.fingerprint(lab, NAME)
    pieces = [piece.model_copy(update={"unpacked": piece.unpacked - 1}) for piece in kept.manifest.pieces]
    name, made = exchange(
        writing.backup_store, kept.manifest.model_copy(update={"pieces": tuple(pieces)}), 0, lambda data: data
    )
    try:
        staged = shop.prepare(StageBackup(backup=name), writing)
        step = RestoreIntoNewDatabase(sha256=staged["sha256"])
        with pytest.raises(StepFailed, match="does not unpack to the"):
            step.apply(writing, step.plan(writing), quiet)
    finally:
        for key, version in made:
            writing.backup_store.delete_version(key, version)
    assert shop.fingerprint(lab, NAME) == before


def test_contents_are_the_same_whether_tables_are_read_side_by_side_or_in_turn(lab, kept):
    url = shop.settings(lab, NAME).database_url
    done = []
    alone = contents_of(url, "opslib:test", quiet)[0]
    assert contents_of(url, "opslib:test", quiet, beside=[lambda: done.append(1)], least=1)[0] == alone
    assert done == [1]
    with lab.admin("postgres") as session:
        session.execute(f"ALTER DATABASE {NAME} CONNECTION LIMIT 3")
    limited = contents_of(url, "opslib:test", quiet, least=1)[0]
    with lab.admin("postgres") as session:
        session.execute(f"ALTER DATABASE {NAME} CONNECTION LIMIT -1")
    assert limited.tables == alone.tables


def test_what_fails_beside_the_reading_is_raised(lab, kept):
    def failing():
        raise StepFailed("ANALYZE was refused.", "Look.")

    with pytest.raises(StepFailed, match="ANALYZE was refused"):
        contents_of(shop.settings(lab, NAME).database_url, "opslib:test", quiet, beside=[failing], least=1)


def test_a_backup_in_pieces_is_restored_by_postgresqls_own_programs_alone(lab, kept, writing):
    """What the decision record says that people do without us, with ``zstd -dc`` for the unpacking."""
    store, said = writing.backup_store, kept.manifest
    version = said.origin.server_version
    own = writing.database_url.with_path(f"{NAME}_by_hand")
    with lab.admin("postgres") as session:
        session.execute(f"CREATE DATABASE {NAME}_by_hand TEMPLATE template0")

    def section(name):
        dump = store.stream(said.dump.key, said.dump.version)
        given = [f"--dbname={own.path}", f"--section={name}"]
        programs.feed("pg_restore", own, given, dump, server_version=version, seconds=60)

    section("pre-data")
    for piece in said.pieces:
        script = unpacked(store.stream(piece.key, piece.version), "it")
        programs.feed("psql", own, ["--file=-"], script, server_version=version, seconds=60)
    section("data")
    section("post-data")
    found = contents_of(own, "opslib:test", quiet)[0]
    with lab.admin("postgres") as session:
        session.execute(f"DROP DATABASE {NAME}_by_hand")
    assert (found.tables, found.objects) == (said.contents.tables, said.contents.objects)


def older(lab, store, manifest):
    """Store the same backup as it was taken before rows were pieces of their own: format 2."""
    pieces = []
    for number, piece in enumerate(manifest.pieces):
        schema, _, table = piece.table.partition(".")
        given = ["--format=custom", "--compress=none", "--data-only", f'--table="{schema}"."{table}"']
        data = b"".join(packed([shop.dump(lab, *given, name=NAME)]))
        key = f"{manifest.dump.key.rpartition('/')[0]}/older.{number}.dump.zst"
        version = store.put_new(key, data, {})
        what = {"key": key, "version": version, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        pieces.append(piece.model_copy(update={**what, "columns": (), "unpacked": 0}))
    found = contents_of(shop.settings(lab, NAME).database_url, "opslib:test", quiet, 1)[0]
    changes = {"format": 2, "name": "older", "pieces": tuple(pieces), "contents": found}
    whole = manifest.model_copy(update=changes)
    key = f"{manifest.dump.key.rpartition('/')[0]}/older{MANIFEST}"
    version = store.put_new(key, whole.encode(), {})
    return whole, [(key, version), *((piece.key, piece.version) for piece in pieces)]


def test_a_backup_whose_pieces_are_dumps_is_restored_and_proven_as_ever(lab, kept, writing):
    before = shop.fingerprint(lab, NAME)
    whole, made = older(lab, writing.backup_store, kept.manifest)
    try:
        staged, _ = shop.carry_out(StageBackup(backup="older"), writing)
        assert staged["rows"] == whole.contents.rows
        step = RestoreIntoNewDatabase(sha256=staged["sha256"])
        restored, plan = shop.carry_out(step, writing)
        assert shop.contents(lab, NEW) == before[1]
        step.undo(writing, plan, restored, quiet)
        proven, _ = shop.carry_out(ProveBackup(backup="older"), writing)
        made.append((proven["proof"], proven["proof_version"]))
    finally:
        for key, version in made:
            writing.backup_store.delete_version(key, version)
    assert shop.fingerprint(lab, NAME) == before


def test_a_dump_in_the_place_of_another_tables_piece_is_refused_before_anything_is_touched(lab, kept, writing):
    before = shop.fingerprint(lab, NAME)
    store = writing.backup_store
    whole, made = older(lab, store, kept.manifest)
    one, two, *rest = whole.pieces
    exchanged = (one.model_copy(update={"table": two.table}), two.model_copy(update={"table": one.table}), *rest)
    store.delete_version(*made[0])
    made[0] = made[0][0], store.put_new(made[0][0], whole.model_copy(update={"pieces": exchanged}).encode(), {})
    try:
        with pytest.raises(Refused, match="rows of tables that it does not create"):
            shop.prepare(StageBackup(backup="older"), writing)
    finally:
        for key, version in made:
            store.delete_version(key, version)
    assert shop.fingerprint(lab, NAME) == before


def test_a_piece_that_is_gone_makes_the_backup_unusable(place):
    taken = Split().apply(place.writing(), Split().plan(place.reading()), quiet)
    key, version = taken["pieces"][0]
    place.writing().backup_store.delete_version(key, version)
    (found,) = standing(place.reading().backups, place.settings.backup_prefix).backups
    table = place.manifest(taken).pieces[0].table
    assert (found.state, found.fault) == ("broken", f"its piece of {table} is missing")
    with pytest.raises(Refused, match="is missing"):
        StageBackup(backup=found.name).plan(place.reading())


def test_pieces_of_two_tables_that_were_exchanged_are_seen(place):
    taken = Split().apply(place.writing(), Split().plan(place.reading()), quiet)
    manifest, store = place.manifest(taken), place.writing().backup_store
    one, two, *rest = manifest.pieces
    pieces = (one.model_copy(update={"table": two.table}), two.model_copy(update={"table": one.table}), *rest)
    copy = manifest.model_copy(update={"pieces": pieces})
    store.delete_version(taken["manifest"], taken["manifest_version"])
    store.put_new(taken["manifest"], copy.encode(), {})
    with pytest.raises(Refused, match=r"rows of public.* begins as something else"):
        StageBackup(backup=taken["backup"]).apply(
            place.writing(), StageBackup(backup=taken["backup"]).plan(place.reading()), quiet
        )


def test_the_first_part_that_fails_ends_the_others_and_is_what_is_told():
    together = Together(quiet, "Doing")
    begun, seen = threading.Event(), []

    def endless():
        begun.set()
        try:
            for _ in together.going.counted(iter(lambda: b"x", b"")):
                pass
        except StepFailed as error:
            seen.append(error.message)

    def failing():
        begun.wait(20)
        raise StepFailed("This one.", "Look.")

    with pytest.raises(StepFailed, match="This one"):
        together.do([endless, failing, lambda: seen.append("never begun")])
    assert seen == ["Another part failed, or the step was stopped."]


def test_parts_return_in_their_order_and_are_counted():
    together = Together(quiet, "Doing")

    def part(number):
        return lambda: len(b"".join(together.going.counted([b"x" * number, b"y"])))

    assert together.do([part(5), part(1), part(3)]) == [6, 2, 4]
    assert (together.going.bytes, Going().bytes) == (12, 0)
