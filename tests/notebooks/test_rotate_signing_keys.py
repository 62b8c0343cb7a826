"""Signing keys as people rotate and revoke them: planned, applied, taken back, killed, gone on with, revoked last."""

import pytest

from opslib.archive.verify import verify
from opslib.headless import agreement
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.runs.saved_plan import parse
from tests.confirming import person
from tests.killing import killed
from tests.notebooks.recorded import verdicts
from tests.scale import first, nightly
from tests.signing_keys import CURRENT, OLDER, signers

ROTATE, REVOKE = "runbooks/rotate-signing-keys", "runbooks/revoke-signing-key"
SHARES = True
GIVEN = ("publish_minutes=0.01", "look_seconds=0.2")
STEPS = ["prepare-signing-key", "rotate-signing-key", "try-signing-key"]


@pytest.fixture
def there(house):
    with signers(house.settings) as made:
        yield made


def new(there):
    return next((key for key in there.statuses() if key not in (CURRENT, OLDER)), None)


def hold(house):
    """Demand that no byte of the archive holds the trial account's password, or anything that is a token."""
    password = house.settings.trial_password.reveal().encode()
    files = [path.read_bytes() for path in house.archive.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [1 for data in files if password in data or b"eyJhbGciOiJFUzI1NiIsICJraWQi" in data]


def test_a_plan_changes_nothing_and_what_was_planned_is_applied_and_taken_back(run, house, fingerprint, there):
    before = fingerprint()
    planned, folder = run(ROTATE, *GIVEN, mode="plan")
    assert planned["state"] == "finished", planned["reason"]
    saved = parse((folder / "plan.json").read_bytes())
    assert ([step.step for step in saved.steps], fingerprint()) == (STEPS, before)
    result = agreement.apply(planned["run"], "lab", house.archive)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    key = new(there)
    assert there.statuses() == {OLDER: "previously_used", CURRENT: "previously_used", key: "in_use"}
    assert [there.answer(there.token(one)) for one in (CURRENT, key)] == [200, 200]
    taken = undo(result["run"], house.archive)
    assert (taken["state"], taken["exit_code"]) == ("finished", 0), taken["reason"]
    assert there.statuses() == {OLDER: "previously_used", CURRENT: "in_use", key: "revoked"}
    hold(house)
    assert verify(house.archive).ok


def test_the_key_of_before_is_revoked_by_a_run_of_its_own_and_trusted_again_by_its_undo(run, house, there):
    key, old = there.rotated(hours=2), there.token(CURRENT)
    with person(house):
        result, folder = run(REVOKE, "confirm_minutes=1")
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert verdicts(folder)["signing-keys"] == "OK"
    assert (there.statuses()[CURRENT], there.statuses()[key]) == ("revoked", "in_use")
    assert [there.answer(token) for token in (old, there.token(key))] == [401, 200]
    taken = undo(result["run"], house.archive)
    assert (taken["state"], taken["exit_code"]) == ("finished", 0), taken["reason"]
    assert there.answer(old) == 200
    hold(house)


@nightly
def test_while_tokens_count_or_without_a_persons_word_nothing_is_revoked(run, there):
    there.rotated(hours=0.5)
    early, _ = run(REVOKE, mode="plan")
    assert (early["state"], "may count until" in early["reason"]) == ("refused", True)
    there.aged(hours=2)
    result, _ = run(REVOKE, "confirm_minutes=0.05")
    assert (result["state"], "Nobody answered" in result["reason"]) == ("refused", True)
    assert there.statuses()[CURRENT] == "previously_used"


@nightly
def test_a_project_that_signs_with_the_shared_secret_is_rotated_once_a_person_looked_at_who_checks(run, there):
    there.put(CURRENT, status="revoked")
    there.put(OLDER, status="in_use")
    stopped, _ = run(ROTATE, *GIVEN)
    assert (stopped["exit_code"], new(there)) == (4, None)
    result, folder = run(ROTATE, *GIVEN, "verifiers_ready=true")
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert (verdicts(folder)["signing-keys"], there.statuses()[OLDER]) == ("OK", "previously_used")


FAULTS = [
    (ROTATE, "prepare-signing-key", "POST", "/config/auth/signing-keys"),
    (ROTATE, "rotate-signing-key", "PATCH", "/config/auth/signing-keys"),
    (ROTATE, "try-signing-key", "POST", "/auth/v1/token"),
    (REVOKE, "revoke-signing-key", "PATCH", "/config/auth/signing-keys"),
]


@nightly
@pytest.mark.parametrize("fault", ["lost", "500"])
@pytest.mark.parametrize(("name", "step", "method", "path"), FAULTS, ids=lambda one: one.rpartition("/")[2])
def test_a_step_that_fails_once_is_gone_on_with_and_nothing_is_made_twice(
    run, house, there, name, step, method, path, fault
):
    if name == REVOKE:
        there.rotated(hours=2)
    with person(house), there.doors.fault("supabase", fault, method=method, path=path, times=1):
        result, _ = run(name, *(GIVEN if name == ROTATE else ("confirm_minutes=1",)))
        if result["exit_code"] != 0:
            again = resume(result["run"], house.archive)
            assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    statuses = sorted(there.statuses().values())
    assert statuses == ["in_use", "previously_used", "previously_used" if name == ROTATE else "revoked"]


KILLS = {
    "prepare-signing-key": (ROTATE, lambda there: new(there)),
    "rotate-signing-key": (ROTATE, lambda there: there.statuses()[CURRENT] == "previously_used"),
    "try-signing-key": (ROTATE, lambda there: any("/auth/v1/token" in c["path"] for c in there.project.posts())),
    "revoke-signing-key": (REVOKE, lambda there: there.statuses()[CURRENT] == "revoked"),
}


@nightly
@pytest.mark.parametrize("step", first(1, *KILLS))
def test_a_run_that_is_killed_goes_on_and_there_is_one_new_key(house, there, step):
    name, came = KILLS[step]
    if name == REVOKE:
        there.rotated(hours=2)
    given = GIVEN if name == ROTATE else ("confirm_minutes=1",)
    with person(house):
        run, seen = killed(name, given, house.archive, lambda: came(there))
        again = resume(run, house.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    assert len(there.statuses()) == 3
    assert not [line for line in seen if house.settings.trial_password.reveal() in line]
    hold(house)
