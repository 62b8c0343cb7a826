"""What the rules say of a provider's key: nothing is green that nobody showed."""

from datetime import UTC, datetime, timedelta

import pytest

from opslib.checks import security as checks
from opslib.model import Reading, Verdict

AT = datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
USE = {
    "key": "OPENAI_API_KEY",
    "version": "v2",
    "application": "healthy",
    "asked": AT.isoformat(),
    "told": True,
    "same": False,
    "new_listed": True,
    "new_used": AT.isoformat(),
    "new_since": True,
    "old_listed": True,
    "old_used": (AT - timedelta(hours=1)).isoformat(),
    "old_since": False,
}
UNTOLD = {"told": False}


def seen(*rows, unknown=None):
    return Reading("key", "Key", "lab", AT, 0.1, rows, unknown=unknown)


def judged(check, *rows):
    return check.judge(seen(*rows)).verdict


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({}, Verdict.OK),
        ({"application": "degraded"}, Verdict.OK),
        ({"new_since": False}, Verdict.UNKNOWN),
        ({"new_since": False, "new_used": None}, Verdict.UNKNOWN),
        ({"old_since": True}, Verdict.CRITICAL),
        ({"old_since": True, "same": True}, Verdict.OK),
        ({"application": "unhealthy"}, Verdict.CRITICAL),
        ({"application": "not_configured"}, Verdict.CRITICAL),
        ({"application": "not told: no address"}, Verdict.UNKNOWN),
        (UNTOLD, Verdict.UNKNOWN),
        ({**UNTOLD, "application": "unhealthy"}, Verdict.CRITICAL),
    ],
)
def test_the_key_in_use_is_the_one_that_the_provider_says(said, verdict):
    assert judged(checks.key_in_use("openai"), USE | said) is verdict


@pytest.mark.parametrize(
    ("taken", "same", "application", "serves", "refused"),
    [
        (False, False, "healthy", Verdict.OK, Verdict.OK),
        (False, False, "unhealthy", Verdict.CRITICAL, Verdict.OK),
        (False, False, "not told: x", Verdict.UNKNOWN, Verdict.OK),
        (True, False, "healthy", Verdict.CRITICAL, Verdict.CRITICAL),
        (None, True, "healthy", Verdict.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_after_the_revocation_what_serves_can_only_be_the_new_one(taken, same, application, serves, refused):
    row = {"key": "TOGETHER_API_KEY", "version": "v1", "same": same, "taken": taken, "application": application}
    assert judged(checks.new_key_serves("together"), row) is serves
    assert judged(checks.old_key_refused("together"), row) is refused


def test_the_checks_after_the_revocation_stand_in_for_those_before():
    for name in ("openai", "together"):
        assert checks.new_key_serves(name).name == checks.key_in_use(name).name
        assert checks.old_key_refused(name).name == checks.old_key_rests(name).name


LATER = (AT + timedelta(seconds=5)).isoformat()


@pytest.mark.parametrize(
    ("samples", "last", "verdict"),
    [
        ([{}], False, None),
        ([{}, {}], True, Verdict.OK),
        ([{}, {"old_used": LATER}], False, Verdict.CRITICAL),
        ([{}, {"old_used": None}], True, Verdict.OK),
        ([{}, {"old_listed": False, "old_used": None}], True, Verdict.UNKNOWN),
        ([{}, {"application": "unhealthy"}], True, Verdict.CRITICAL),
        ([UNTOLD, UNTOLD], True, Verdict.UNKNOWN),
        ([None, None], True, Verdict.UNKNOWN),
        ([None, {}], True, Verdict.OK),
        ([None], False, None),
    ],
)
def test_one_use_of_the_old_key_ends_the_soak(samples, last, verdict):
    readings = [seen(unknown="away") if one is None else seen(USE | one) for one in samples]
    said = checks.old_key_rests("openai").decide(readings, last)
    assert (said.verdict if said else None) is verdict


@pytest.mark.parametrize(
    ("holds", "verdict"),
    [
        (("AWSCURRENT", "AWSCURRENT"), Verdict.OK),
        (("AWSCURRENT", "not told"), Verdict.OK),
        (("AWSCURRENT", "not set"), Verdict.OK),
        (("AWSCURRENT", "AWSPREVIOUS"), Verdict.WARNING),
        (("AWSCURRENT", "neither"), Verdict.WARNING),
        (("not set", "not set"), Verdict.UNKNOWN),
        ((), Verdict.UNKNOWN),
    ],
)
def test_stores_that_have_another_key_are_named(holds, verdict):
    rows = [{"key": "OPENAI_API_KEY", "store": f"store {n}", "holds": one} for n, one in enumerate(holds)]
    other = {"key": "TOGETHER_API_KEY", "store": "store 0", "holds": "neither"}
    assert judged(checks.key_stores("openai"), *rows, other) is verdict
