"""Backups whose large tables are pieces of their own; here every table with rows counts as large."""

import threading
from typing import ClassVar

import pytest

from opslib.actions import backups_folder as staging
from opslib.actions.backups import RestoreIntoNewDatabase, StageBackup, TakeBackup
from opslib.actions.backups_together import Going, Together
from opslib.errors import Refused, StepFailed
from opslib.model import Outcome, Verdict
from opslib.probes.backups_manifest import MANIFEST
from opslib.probes.backups_standing import standing
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
    key = f"{base}.1.dump.zst"
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
    with pytest.raises(Refused, match="rows of tables that it does not create"):
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
