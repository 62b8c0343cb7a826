import time
from datetime import UTC, datetime, timedelta

import pytest

from opslib.errors import Unreachable
from opslib.probes import backups
from tests.backup_place import place as make_place


@pytest.fixture
def place(lab):
    with make_place(lab, "CREATE TABLE things AS SELECT 1 AS id; CREATE TABLE other AS SELECT 2 AS id") as made:
        yield made


def rows(probe, place, **changes):
    return probe.read(place.reading(**changes))


def test_an_empty_bucket_gives_no_backups_and_no_recovery(place):
    assert rows(backups.backups, place) == []
    (row,) = rows(backups.recovery, place)
    assert (row["backups"], row["newest_proven"], row["age_hours"]) == (0, None, None)
    assert {row["state"] for row in rows(backups.days, place)} == {"before the first backup"}
    assert rows(backups.changes, place) == []


def test_backups_are_ordered_by_the_moment_they_hold_not_by_name_or_upload(place):
    place.history(3, 1, 2, proven=(2,))
    found = rows(backups.backups, place)
    assert [row["backup"] for row in found] == ["age-1", "age-2", "age-3"]
    assert [row["state"] for row in found] == ["present", "proven", "present"]
    assert found[0]["rows"] == 2
    assert found[1]["recovery_seconds"] == 4.0


def test_a_real_backup_and_its_real_proof_are_seen_as_they_are(place):
    taken = place.take()
    assert [row["state"] for row in rows(backups.backups, place)] == ["present"]
    place.prove(taken["backup"])
    (row,) = rows(backups.backups, place)
    assert (row["state"], row["size"], row["rows"]) == ("proven", taken["size"], 2)
    (row,) = rows(backups.recovery, place)
    assert 0 <= row["age_hours"] < 0.1
    assert 0 < row["predicted_minutes"] < 1


def test_a_manifest_without_its_dump_is_broken(place):
    taken = place.take()
    place.writing().backup_store.delete_version(taken["dump"], taken["dump_version"])
    (row,) = rows(backups.backups, place)
    assert (row["state"], row["fault"]) == ("broken", "its dump is missing")
    (row,) = rows(backups.recovery, place)
    assert (row["backups"], row["broken"], row["fault"]) == (0, 1, "its dump is missing")


def test_a_dump_that_was_overwritten_is_broken(place):
    taken = place.take()
    place.writing().backup_store.call("put_object", Key=taken["dump"], Body=b"ransom note")
    (row,) = rows(backups.backups, place)
    assert row["state"] == "broken"
    assert "another object now (11 bytes" in row["fault"]


def test_a_manifest_that_cannot_be_read_is_broken_and_hides_no_other(place):
    place.history(1)
    place.writing().backup_store.put_new(f"{place.name}/bad.manifest.json", b"not json", {})
    assert sorted(row["state"] for row in rows(backups.backups, place)) == ["broken", "present"]


def test_a_manifest_that_was_replaced_after_the_proof_is_not_proven(place):
    taken = place.take()
    place.prove(taken["backup"])
    store = place.writing().backup_store
    data = store.read(taken["manifest"]).replace(b'"rows":1', b'"rows":2')
    store.call("put_object", Key=taken["manifest"], Body=data)
    assert [row["state"] for row in rows(backups.backups, place)] == ["present"]


def test_the_loss_is_counted_from_the_newest_proven_backup_and_the_rhythm_from_all(place):
    place.history(0.5, 1, 1.5, 2, proven=(1, 2))
    (row,) = rows(backups.recovery, place)
    assert row["age_hours"] == pytest.approx(24, abs=0.1)
    assert row["interval_hours"] == pytest.approx(12, abs=0.1)
    assert row["predicted_minutes"] == pytest.approx(4 / 60, abs=0.001)
    assert (row["rpo_hours"], row["rto_minutes"]) == (1.0, 5.0)


def test_missing_days_are_seen(place):
    place.history(0, 1, 3, proven=(3,))
    states = {row["day"]: row["state"] for row in rows(backups.days, place)}
    today = datetime.now(UTC).date()
    ages = [states[today - timedelta(days=back)] for back in range(5)]
    assert ages == ["present", "present", "missing", "proven", "before the first backup"]
    assert len(states) == 30


def test_changes_compare_the_two_newest_usable_backups(place):
    place.take("first")
    place.sql("TRUNCATE other; CREATE TABLE fresh AS SELECT 1 AS a UNION ALL SELECT 2")
    time.sleep(0.01)
    place.take("second")
    found = {row["what"]: (row["before"], row["now"]) for row in rows(backups.changes, place)}
    assert found["rows"] == (2, 3)
    assert found["public.other"] == (1, 0)
    assert found["public.fresh"] == (None, 2)
    assert found["public.things"] == (1, 1)


def test_the_protections_of_the_lab_bucket_are_read(place):
    found = {row["protection"]: row for row in rows(backups.protections, place)}
    assert len(found) == 5
    assert found["versioning"]["on"] is True
    assert found["object lock"]["on"] is True
    assert found["no public access"]["on"] is True


def test_a_lifecycle_rule_that_deletes_within_the_retention_is_named(place):
    found = {row["protection"]: row for row in rows(backups.protections, place, backup_prefix="backups/")}
    assert found["lifecycle keeps backups"]["on"] is True
    longer = rows(backups.protections, place, backup_prefix="backups/", backup_retention_days=100)
    said = {row["protection"]: row for row in longer}["lifecycle keeps backups"]
    assert said["on"] is False
    assert "deletes after 90 days" in said["says"]


def test_a_protection_that_cannot_be_read_is_neither_on_nor_off(place):
    for row in rows(backups.protections, place, backup_bucket="there-is-no-such-bucket"):
        assert row["on"] is None
        assert "no such bucket" in row["says"]


def test_a_bucket_that_cannot_be_listed_is_no_empty_list(place):
    with pytest.raises(Unreachable):
        rows(backups.backups, place, backup_bucket="there-is-no-such-bucket")


def test_what_is_due_is_told_with_its_reason(place):
    place.history(1, 40, proven=(1,))
    found = {row["what"]: (row["due"], row["why"]) for row in rows(backups.retention, place)}
    assert found["age-40"][0] is True
    assert found["age-1"] == (False, "is not older than 30 days")


def test_the_source_says_which_core_tables_are_missing(place):
    (row,) = rows(backups.source, place)
    assert (row["database"], row["tables"], row["missing_tables"]) == (place.name, 2, "")
    (row,) = rows(backups.source, place, core_tables=("public.things", "auth.users"))
    assert row["missing_tables"] == "auth.users"


def test_a_backup_that_says_it_is_of_tomorrow_is_no_younger_than_its_upload(place):
    place.history(-1, proven=(-1,))
    (row,) = rows(backups.recovery, place)
    assert row["age_hours"] >= 0
    (uploaded,) = [item.modified for item in place.reading().backups.list(place.settings.backup_prefix + "age--1.m")]
    assert row["newest_proven"] == uploaded


def test_a_proven_backup_of_another_database_makes_this_one_no_safer(place):
    base = place.history(2, proven=(2,))
    elsewhere = base.model_copy(update={"origin": base.origin.model_copy(update={"database": "elsewhere"})})
    place.keep(elsewhere, b"x", "elsewhere", size=1, proven=True)
    (row,) = rows(backups.recovery, place)
    assert (row["backups"], row["age_hours"] > 47) == (1, True)
    assert {row["before"] for row in rows(backups.changes, place)} == {None}


def test_a_manifest_that_was_copied_under_another_name_is_broken(place):
    place.history(1, proven=(1,))
    store, prefix = place.writing().backup_store, place.settings.backup_prefix
    for end in (".manifest.json", ".proof.json"):
        store.put_new(f"{prefix}copy{end}", store.read(f"{prefix}age-1{end}"), {})
    found = {row["backup"]: (row["state"], row["fault"]) for row in rows(backups.backups, place)}
    assert found == {"age-1": ("proven", None), "copy": ("broken", "its manifest is a copy of that of age-1")}


def test_backups_in_a_folder_below_the_prefix_are_another_targets(place):
    place.history(1, proven=(1,))
    store, prefix = place.writing().backup_store, place.settings.backup_prefix
    store.put_new(f"{prefix}staging/age-1.manifest.json", store.read(f"{prefix}age-1.manifest.json"), {})
    store.put_new(f"{prefix}staging/stray.dump", b"x", {})
    assert [row["backup"] for row in rows(backups.backups, place)] == ["age-1"]
    assert [row["what"] for row in rows(backups.retention, place)] == ["age-1"]
