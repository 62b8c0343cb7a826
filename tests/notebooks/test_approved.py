"""The product's own runbooks on a target that calls itself production: nothing without those who must approve it."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from opslib import settings
from opslib.archive.verify import verify
from opslib.errors import Refused
from opslib.headless import agreement, runner
from opslib.lab.broken import find
from opslib.redaction import Secret
from opslib.runs.approval import required
from opslib.runs.saved_plan import parse
from opslib.settings_guard import shown
from tests.scale import nightly
from tests.signing import APPROVER, Keys

BROKEN = {"runbooks/end-blocking-session": "blocked-sessions"}
"""What must be amiss before a runbook has anything to do."""
ASKED = {
    "runbooks/deploy-supabase": (),
    "runbooks/end-blocking-session": (),
    "runbooks/force-full-deployment": (),
    "runbooks/maintain-cache": ("window_seconds=1", "least_lookups=1"),
    "runbooks/maintain-database": (),
    "runbooks/roll-back-deployment": (),
    "runbooks/scale-for-high-traffic": (),
}


@pytest.fixture
def production(house, tmp_path, monkeypatch):
    """The house described as production, with three people who may approve."""
    keys = Keys(tmp_path)
    signers = tmp_path / "allowed_signers"
    signers.write_text("".join(keys.line(who, APPROVER) for who in ("ann", "ben", "cat")))
    given = {"environment": "production", "allowed_signers": signers, "operators": {}}
    described = house.settings.model_copy(update=given)
    for name, field in settings.Settings.model_fields.items():
        value = getattr(described, name)
        if value not in (None, (), {}):
            text = value.reveal() if isinstance(value, Secret) else shown(value)
            monkeypatch.setenv(str(field.alias), text.replace(", ", ","))
    monkeypatch.setenv("OPS_LOCKS", str(tmp_path / "locks"))
    return SimpleNamespace(keys=keys, archive=tmp_path / "archive", house=house)


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
