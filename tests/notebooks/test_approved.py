"""The product's own runbooks on a target that calls itself production: nothing without those who must approve it."""

import json
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.errors import Refused
from opslib.headless import agreement, runner
from opslib.lab.broken import find
from opslib.runs.approval import required
from opslib.runs.saved_plan import parse
from tests.scale import nightly

BROKEN = {
    "disaster/recover-access": "bucket-denied",
    "runbooks/end-blocking-session": "blocked-sessions",
    "runbooks/free-database-disk": "disk-full",
}
"""What must be amiss before a runbook has anything to do."""
ASKED = {
    "disaster/recover-access": ("statements=found", "decided_by=ann"),
    "runbooks/deploy-supabase": (),
    "runbooks/end-blocking-session": (),
    "runbooks/force-full-deployment": (),
    "runbooks/free-database-disk": ("slot=reporting_copy", "minutes=1"),
    "runbooks/maintain-cache": ("window_seconds=1", "least_lookups=1"),
    "runbooks/maintain-database": (),
    "runbooks/roll-back-deployment": (),
    "runbooks/scale-for-high-traffic": (),
}


@nightly
@pytest.mark.parametrize("name", ASKED)
def test_a_runbook_changes_production_only_with_the_approvals_that_its_plan_needs(production, name):
    fault = find(BROKEN[name]) if name in BROKEN else None
    if fault:
        fault.make(production.house.settings)
    planned = runner.run(name, ASKED[name], "production", production.archive, mode="plan")
    assert planned["state"] == "finished", planned["reason"]
    folder = production.archive / "runs" / planned["run"]
    saved = parse((folder / "plan.json").read_bytes())
    people = required(saved.steps, "production", ())
    assert people >= 1
    for number in range(people):
        with pytest.raises(Refused):
            agreement.apply(planned["run"], "production", production.archive)
        signing = production.archive / "approvals" / planned["run"]
        production.keys.sign((folder / "plan.json").read_bytes(), signing, ("ann", "ben")[number])
    result = agreement.apply(planned["run"], "production", production.archive)
    if fault:
        fault.mend(production.house.settings)
    assert result["state"] == "finished", result["reason"]
    done = [json.loads(path.read_text()) for path in (Path(result["report"]).parent / "evidence").glob("*.json")]
    assert [one["status"] for one in done] != []
    assert {one["verification"]["verdict"] for one in done} <= {"OK", "WARNING"}
    with pytest.raises(Refused, match="applied already"):
        agreement.apply(planned["run"], "production", production.archive)
    assert verify(production.archive).ok
