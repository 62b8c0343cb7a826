"""What the rules say of the keys that sign tokens: nothing is green that cannot be checked with."""

from datetime import UTC, datetime, timedelta

import pytest

from opslib.checks import security as checks
from opslib.model import Reading, Verdict

AT = datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
NEW, OLD, SECRET = "key-new", "key-old", "key-secret"


def row(key, status, *, minutes=600.0, algorithm="ES256", published=True, older=False):
    moment = (AT - timedelta(minutes=minutes)).isoformat()
    return {
        "key": key,
        "algorithm": algorithm,
        "status": status,
        "since": moment,
        "made": moment,
        "older": older,
        "published": published,
    }


SHARED = row(SECRET, "previously_used", algorithm="HS256", published=None, older=True)


def seen(*rows, unknown=None):
    return Reading("signing-keys", "Keys", "lab", AT, 0.1, rows, unknown=unknown)


def judged(*rows):
    return checks.signing_keys.judge(seen(*rows))


def test_one_key_that_anybody_can_check_with_is_well_and_the_trusted_ones_are_named():
    said = judged(SHARED, row(OLD, "previously_used"), row(NEW, "in_use"))
    assert said.verdict is Verdict.OK
    assert "key-new (ES256) signs since 2026-11-28 16:00 UTC" in said.summary
    assert "still trusted: key-secret (the older secret), key-old" in said.summary


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        ((), Verdict.WARNING, "older JWT secret alone"),
        ((row(SECRET, "in_use", algorithm="HS256", published=None),), Verdict.WARNING, "whoever checks tokens"),
        ((row(NEW, "in_use", published=False),), Verdict.CRITICAL, "nobody can check"),
        ((row(NEW, "in_use"), row(OLD, "in_use")), Verdict.CRITICAL, "2 keys are in use"),
        ((row(OLD, "revoked"),), Verdict.CRITICAL, "0 keys are in use"),
    ],
)
def test_what_nobody_or_everybody_could_check_with_is_not(rows, verdict, words):
    said = judged(*rows)
    assert (said.verdict, words in said.summary) == (verdict, True)


def verifiers(ready, *who, shared=True):
    rows = [{"who": one, "shared": shared} for one in who or ("",)]
    return checks.token_verifiers(ready).judge(seen(*rows))


def test_who_checks_with_the_shared_secret_stops_a_rotation_until_a_person_says_that_nobody_does():
    stopped = verifiers(False, "the vault: JWT_SECRET")
    assert (stopped.verdict, "the vault: JWT_SECRET" in stopped.summary) == (Verdict.CRITICAL, True)
    assert verifiers(True, "the vault: JWT_SECRET").verdict is Verdict.OK
    assert verifiers(False).verdict is Verdict.OK
    idle = verifiers(False, "the vault: JWT_SECRET", shared=False)
    assert (idle.verdict, "It is idle" in idle.summary) == (Verdict.OK, True)


def watched(last, *samples, minutes=20.0):
    return checks.standby_published(minutes).decide(samples, last)


def test_a_standby_key_is_watched_until_everybody_can_know_it():
    young, old = row(NEW, "standby", minutes=5), row(NEW, "standby", minutes=25)
    assert watched(False, seen(young)) is None
    assert watched(True, seen(young)).verdict is Verdict.CRITICAL
    assert watched(False, seen(young), seen(old)).verdict is Verdict.OK


def test_a_run_that_is_gone_on_with_may_find_that_the_key_signs_already():
    made = (AT - timedelta(minutes=25)).isoformat()
    came = {**row(NEW, "in_use", minutes=2), "made": made}
    assert watched(False, seen(came)).verdict is Verdict.OK
    assert watched(True, seen(came), minutes=24.0).verdict is Verdict.CRITICAL
    # One that never was a standby key.
    assert watched(True, seen(row(NEW, "in_use")), minutes=0.0).verdict is Verdict.CRITICAL


def test_a_standby_key_that_nobody_sees_is_not_known():
    hidden = row(NEW, "standby", minutes=25, published=False)
    assert watched(False, seen(hidden)) is None
    assert watched(True, seen(hidden)).verdict is Verdict.CRITICAL
    assert watched(True, seen(row(OLD, "in_use"))).verdict is Verdict.CRITICAL
    assert watched(True, seen(unknown="no answer")).verdict is Verdict.UNKNOWN
