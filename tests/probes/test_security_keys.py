"""Where the providers' keys stand, as the executor sees it: by GET alone, and no row holds a value or a digest."""

import json

import pytest

from opslib.actions.security import PromoteKey, SetClusterKey, StageKey
from opslib.errors import OpsError, Unreachable
from opslib.probes import asked
from opslib.probes import security as probes
from tests.actions.keys import NEW, place
from tests.supabase import digest


@pytest.fixture
def openai(lab):
    with place(lab.settings, "openai") as made:
        yield made


@pytest.fixture
def together(lab):
    with place(lab.settings, "together") as made:
        yield made


def holds(there, variable):
    rows = probes.stores.read(there.reading)
    return {row["store"].partition(":")[0]: row["holds"] for row in rows if row["key"] == variable}


def test_the_stores_are_told_by_the_stage_of_what_they_hold(openai):
    vault = openai.kept.name
    # As the lab begins: a key that the vault renewed since, and one that all have.
    together = holds(openai, "TOGETHER_API_KEY")
    assert (together[vault], together["supabase"] in ("AWSPREVIOUS", "neither")) == ("AWSCURRENT", True)
    assert holds(openai, "OPENAI_API_KEY") == {vault: "AWSCURRENT", "supabase": "AWSCURRENT", "cluster": "AWSCURRENT"}
    openai.until(StageKey, PromoteKey)
    assert holds(openai, "OPENAI_API_KEY")["cluster"] == "AWSPREVIOUS"
    openai.until(SetClusterKey)
    assert holds(openai, "OPENAI_API_KEY")["cluster"] == "AWSCURRENT"
    openai.pods.hold(OPENAI_API_KEY="of-nobody-9f3Kq7Zr2Lm8")
    assert holds(openai, "OPENAI_API_KEY")["cluster"] == "neither"


def test_which_key_is_used_is_the_providers_word_on_the_applications_own_call(openai):
    openai.until(StageKey, PromoteKey)
    (row,) = probes.use["openai"].read(openai.reading)
    assert (row["application"], row["told"], row["same"]) == ("healthy", True, False)
    assert (row["old_since"], row["new_since"], row["new_used"]) == (True, False, None)
    openai.until(SetClusterKey)
    (row,) = probes.use["openai"].read(openai.reading)
    assert row["new_since"]


def test_a_provider_that_tells_nothing_is_told_as_such(together):
    (row,) = probes.use["together"].read(together.reading)
    assert (row["application"], row["told"], "new_since" in row) == ("healthy", False, False)


def test_todays_key_is_not_tried_as_if_it_were_an_old_one(openai, together):
    openai.kept.put(JWT_SECRET="another-9f3Kq7Zr2Lm8")
    openai.doors.forget()
    (row,) = probes.previous["openai"].read(openai.reading)
    assert (row["same"], row["taken"]) == (True, None)
    together.kept.put(TOGETHER_API_KEY=NEW)
    (row,) = probes.previous["together"].read(together.reading)
    assert (row["same"], row["taken"], row["application"]) == (False, True, "healthy")


def test_all_of_them_are_taken_by_the_executor_by_get_and_show_no_value(openai):
    every = (probes.stores, *probes.use.values(), *probes.previous.values())
    assert all(probe.by_executor and asked.BY_NAME[probe.name] is probe for probe in every)
    openai.until(StageKey, PromoteKey)
    openai.doors.forget()
    openai.pods.doors.forget()
    text = json.dumps([probe.read(openai.reading) for probe in every], default=str)
    keys = (openai.new(), openai.old, openai.kept.values()["TOGETHER_API_KEY"])
    assert not [part for key in keys for part in (key, digest(key)) if part in text]
    calls = [call for name in ("openai", "together", "supabase") for call in openai.doors.calls(name)]
    assert {call["method"] for call in [*calls, *openai.pods.doors.calls("kubernetes")]} == {"GET"}


@pytest.mark.parametrize(
    ("vendor", "probe"), [("supabase", probes.stores), ("openai", probes.use["openai"]), ("kubernetes", probes.stores)]
)
@pytest.mark.parametrize("fault", ["401", "403", "404", "500", "malformed"])
def test_what_cannot_be_looked_at_is_an_error_and_no_row(openai, vendor, probe, fault):
    doors = openai.pods.doors if vendor == "kubernetes" else openai.doors
    path = "/organization/" if vendor == "openai" else ""
    with doors.fault(vendor, fault, path=path), pytest.raises(OpsError) as told:
        probe.read(openai.reading)
    assert told.value.next_step


def test_an_application_that_cannot_be_asked_is_told_in_the_row(openai, lab):
    nowhere = lab.settings.model_copy(update={"application_url": "http://127.0.0.1:9"})
    target = type(openai.reading)(nowhere, openai.run)
    (row,) = probes.use["together"].read(target)
    assert row["application"].startswith("not told: ")
    target.close()


def test_a_vault_without_a_previous_version_is_unknown(openai, lab):
    target = type(openai.reading)(lab.settings.model_copy(update={"vault_secret": "elsewhere"}), openai.run)
    with pytest.raises(Unreachable):
        probes.previous["openai"].read(target)
    target.close()


def test_what_users_were_answered_is_counted_by_provider_without_a_call(openai, lab):
    openai.doors.forget()
    rows = probes.answers(3 * 24 * 60).read(lab.target)
    assert {row["provider"] for row in rows} <= {"together_ai", "openai"}
    assert rows
    assert all(row["answers"] > 0 and row["p95_ms"] > 0 for row in rows)
    assert probes.answers(0.0001).read(lab.target) == []
    assert openai.board.calls() == []
