from datetime import UTC, datetime, timedelta

import pytest

from opslib.actions.backups import ApplyRetention
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Verdict
from tests.backup_place import place as make_place
from tests.backup_place import quiet


@pytest.fixture(scope="module")
def first(lab):
    with make_place(lab, "CREATE TABLE things AS SELECT 1 AS id") as made:
        yield made


@pytest.fixture
def place(first):
    with first.beside() as made:
        yield made


def names(place):
    return sorted({name.split(".", 1)[0] for name in place.objects()})


def apply(place, plan):
    return ApplyRetention().apply(place.writing(), plan, quiet)


def test_old_backups_go_whole_and_the_plan_says_exactly_which_and_why(place):
    place.history(1, 20, 40, 50, proven=(1, 40))
    plan = ApplyRetention().plan(place.reading())
    young, old = "is not older than 30 days", "deleted; is older than 30 days, and age-1 is proven"
    assert plan.before == {"age-40": "there", "age-50": "there"}
    assert plan.after == {"age-40": old, "age-50": old}
    assert plan.observed["stays"] == {"age-1": young, "age-20": young}
    assert (plan.effect, plan.touches) == (Effect.DESTRUCTIVE, 5)
    assert names(place) == ["age-1", "age-20", "age-40", "age-50"]
    values = apply(place, plan)
    assert names(place) == ["age-1", "age-20"]
    said = ApplyRetention().verify(place.writing(), plan, values)
    assert (said.verdict, said.summary) == (Verdict.OK, "2 backup(s) deleted, 2 stay.")


def test_of_each_backup_the_manifest_goes_first_and_the_dump_last(place):
    place.history(1, 40, proven=(1, 40))
    plan = ApplyRetention().plan(place.reading())
    order = [key.rsplit("/", 1)[-1] for key, _ in apply(place, plan)["deleted"]]
    assert order == ["age-40.manifest.json", "age-40.proof.json", "age-40.dump"]


def test_the_newest_proven_backup_stays_however_old_it_is(place):
    place.history(35, 40, 70, proven=(40, 70))
    plan = ApplyRetention().plan(place.reading())
    apply(place, plan)
    assert names(place) == ["age-35", "age-40"]
    assert plan.observed["stays"]["age-40"] == "is the newest proven backup"


def test_nothing_goes_while_nothing_is_proven(place):
    place.history(1, 40, 50)
    plan = ApplyRetention().plan(place.reading())
    assert (plan.touches, plan.after) == (0, plan.before)
    values = apply(place, plan)
    assert ApplyRetention().verify(place.writing(), plan, values).summary == "No backup was due."
    assert len(names(place)) == 3


def test_a_proof_of_another_manifest_proves_nothing(place):
    place.history(1, 40)
    place.vouch("age-1", manifest_sha256="0" * 64)
    assert ApplyRetention().plan(place.reading()).touches == 0


def test_what_is_locked_or_has_no_manifest_stays(place):
    base = place.history(1, proven=(1,))
    old = datetime.now(UTC) - timedelta(days=60)
    until = datetime.now(UTC) + timedelta(days=1)
    place.keep(base, b"x", "locked", taken_at=old, locked_until=until, size=1)
    store = place.writing().backup_store
    store.put_new(f"{place.settings.backup_prefix}stray.dump", b"no manifest", {})
    store.put_new(f"{place.settings.backup_prefix}garbage.manifest.json", b"{}", {})
    store.put_new(f"{place.settings.backup_prefix}notes.txt", b"someone's", {})
    plan = ApplyRetention().plan(place.reading())
    assert plan.touches == 0
    stays = plan.observed["stays"]
    assert stays["locked"] == "is held by an object lock"
    assert "person" in stays["garbage"]
    assert stays[f"{place.settings.backup_prefix}stray.dump"] == "has no manifest"
    apply(place, plan)
    assert names(place) == ["age-1", "garbage", "locked", "notes", "stray"]


def test_a_bucket_that_would_be_decided_otherwise_now_is_left_alone(place):
    place.history(1, 40, proven=(1,))
    plan = ApplyRetention().plan(place.reading())
    store = place.writing().backup_store
    (proof,) = store.list(f"{place.settings.backup_prefix}age-1.proof.json")
    store.delete_version(proof.key, proof.version)
    before = place.objects()
    with pytest.raises(Refused, match="not those that were planned"):
        apply(place, plan)
    assert place.objects() == before


def test_a_backup_that_came_since_the_plan_does_not_matter_and_stays(place):
    base = place.history(1, 40, proven=(1,))
    plan = ApplyRetention().plan(place.reading())
    place.keep(base, b"x", "newcomer", size=1)
    apply(place, plan)
    assert names(place) == ["age-1", "newcomer"]


def test_what_the_same_run_saved_is_not_counted_yet(place):
    base = place.history(40, 50, proven=(40,))
    place.keep(base, b"x", f"{place.reading().run}-backup", size=1)
    place.vouch(f"{place.reading().run}-backup")
    plan = ApplyRetention().plan(place.reading())
    assert sorted(plan.after) == ["age-50"]


def test_a_retention_that_was_broken_off_is_seen_and_completed_by_the_same_plan(place):
    place.history(1, 40, 50, proven=(1,))
    action, plan = ApplyRetention(), ApplyRetention().plan(place.reading())
    assert action.settle(place.writing(), plan, quiet).outcome is Outcome.NOT_DONE
    key, version = plan.fingerprint["goes"][0]
    place.writing().backup_store.delete_version(key, version)
    assert action.settle(place.writing(), plan, quiet).outcome is Outcome.PARTLY
    values = apply(place, plan)
    assert names(place) == ["age-1"]
    said = action.settle(place.writing(), plan, quiet)
    assert (said.outcome, said.values) == (Outcome.DONE, values)


def test_a_plan_is_not_applied_a_second_time(place):
    place.history(1, 40, proven=(1,))
    plan = ApplyRetention().plan(place.reading())
    apply(place, plan)
    with pytest.raises(Refused):
        apply(place, plan)
    assert names(place) == ["age-1"]


def test_two_plans_of_the_same_bucket_are_the_same(place):
    place.history(1, 40, proven=(1,))
    digests = {ApplyRetention().plan(place.reading(run)).digest for run in ("r1", "r2")}
    assert len(digests) == 1


def test_verify_finds_an_object_that_went_without_being_planned(place):
    place.history(1, 2, 40, proven=(1,))
    plan = ApplyRetention().plan(place.reading())
    values = apply(place, plan)
    store = place.writing().backup_store
    (victim,) = store.list(f"{place.settings.backup_prefix}age-2.dump")
    store.delete_version(victim.key, victim.version)
    said = ApplyRetention().verify(place.writing(), plan, values)
    assert said.verdict is Verdict.CRITICAL
    assert "age-2.dump" in said.summary


def test_deleted_backups_are_not_brought_back_and_undo_says_so(place):
    with pytest.raises(Refused, match="cannot be brought back"):
        ApplyRetention().undo(place.writing(), None, {}, quiet)


def test_a_copy_of_the_newest_proven_backups_manifest_does_not_take_its_dump_away(place):
    place.history(40, proven=(40,))
    store, prefix = place.writing().backup_store, place.settings.backup_prefix
    for end in (".manifest.json", ".proof.json"):
        store.put_new(f"{prefix}zz-copy{end}", store.read(f"{prefix}age-40{end}"), {})
    plan = ApplyRetention().plan(place.reading())
    assert plan.touches == 0
    apply(place, plan)
    assert names(place) == ["age-40", "zz-copy"]


def test_a_dump_that_a_backup_which_stays_needs_as_well_is_not_deleted(place):
    base = place.history(1, 40, proven=(1,))
    store, prefix = place.writing().backup_store, place.settings.backup_prefix
    dump = store.head(f"{prefix}age-1.dump")
    where = base.dump.model_copy(update={"key": dump.key, "version": dump.version, "size": dump.size})
    origin = base.origin.model_copy(update={"taken_at": datetime.now(UTC) - timedelta(days=50)})
    other = base.model_copy(update={"name": "other", "dump": where, "origin": origin})
    store.put_new(f"{prefix}other.manifest.json", other.encode(), {})
    plan = ApplyRetention().plan(place.reading())
    assert plan.after["other"].startswith("deleted")
    apply(place, plan)
    assert place.objects() == ["age-1.dump", "age-1.manifest.json", "age-1.proof.json"]
