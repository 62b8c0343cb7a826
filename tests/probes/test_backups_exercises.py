"""What can be exercised: by the drill in the lab, by a person elsewhere, and never without a way back."""

from types import SimpleNamespace

import pytest

from opslib.guide.exercises import LINES
from opslib.guide.promises import PROMISES
from opslib.headless.drill_scenarios import SCENARIOS
from opslib.probes import backups


@pytest.mark.parametrize("environment", ["lab", "staging", "production"])
def test_each_service_has_a_method_a_way_back_and_its_promises(environment):
    rows = backups.exercises.read(SimpleNamespace(environment=environment))
    assert [row["service"] for row in rows] == list(PROMISES)
    assert all(row["method"] and row["rollback"] for row in rows)
    assert [("ops " in row["method"]) for row in rows] == [environment == "lab"] * 5
    assert (rows[0]["rto_minutes"], rows[0]["rpo_minutes"], rows[3]["rpo_minutes"]) == (5, 60, None)


def test_a_drill_and_a_game_day_break_the_same_and_expect_the_same_runbook():
    assert {one.service: (one.fault, one.notebook) for one in SCENARIOS} == {
        service: (line.fault, line.notebook) for service, line in LINES.items()
    }
