"""The check of the fence agent: known by its answer, and never well where nobody could ask."""

from datetime import UTC, datetime

import pytest

from opslib.checks import database as checks
from opslib.model import Reading, Verdict
from opslib.probes.database_fencing import fencing
from opslib.systems.target import PlanTarget
from tests.descriptions import description

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
ON = {"meant_as": "primary", "address": "postgresql://p/app", "agent": True, "state": "on", "reason": None}
OFF = ON | {"meant_as": "standby", "address": "postgresql://s/app", "state": "off"}
NONE = {"agent": False, "state": None}
CASES = {
    "both answered": ((ON, OFF), "OK", "postgresql://s/app is off"),
    "no agent": ((ON | NONE, OFF | NONE), "WARNING", "only a person can say"),
    "one not known": ((ON, OFF | {"state": None, "reason": "No answer."}), "UNKNOWN", "No answer."),
    "one server": ((ON,), "UNKNOWN", "No second server"),
}


@pytest.mark.parametrize(("rows", "verdict", "said"), CASES.values(), ids=CASES)
def test_only_an_agent_that_answers_for_both_is_well(rows, verdict, said):
    found = checks.fencing.judge(Reading("fencing", "fencing", "lab", AT, 0.1, rows))
    assert (found.verdict, said in found.summary) == (Verdict(verdict), True), found.summary


def test_an_agent_that_cannot_be_asked_about_one_machine_is_still_asked_about_the_other():
    settings = description(
        OPS_READ_STANDBY_DATABASE_URL="postgresql://reader:reader-password@127.0.0.1:2/valuecanvas",
        OPS_FENCE_AGENT="/bin/true",
        OPS_STANDBY_PLUG="b",
    )
    first, second = fencing.read(PlanTarget(settings, "test"))
    assert (first["state"], "OPS_DATABASE_PLUG" in first["reason"]) == (None, True)
    assert (second["state"], second["reason"]) == ("on", None)
