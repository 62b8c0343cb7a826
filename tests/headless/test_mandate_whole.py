"""A nightly backup as people set it up: planned, given a mandate, run at its due times by what cron calls."""

import json
from datetime import timedelta
from hashlib import sha256

import pytest

from opslib.archive.verify import verify
from opslib.model import now
from opslib.runs import mandate, saved_plan
from tests import queue_server, schedules
from tests.scale import nightly
from tests.signing import Keys

NAME = "runbooks/back-up-database"
SCHEDULES = ("first", "second", "third")


@pytest.fixture
def here(tmp_path, lab, tmp_path_factory):
    signers = lab.settings.allowed_signers
    before = signers.read_bytes() if signers.is_file() else None
    with queue_server.server(tmp_path_factory.mktemp("queue") / "server") as server:
        one = queue_server.Here(tmp_path, lab.folder, server)
        del one.environment["OPS_NOTEBOOKS"]
        yield one
        one.close()
    signers.unlink(missing_ok=True)
    if before is not None:
        signers.write_bytes(before)


def given(here, lab, folder):
    """Plan a backup, have another person give a mandate of it for two due times, and name it in three schedules."""
    code, said = here.json("run", NAME, "--plan", timeout=600)
    assert code in (0, 1, 2), said
    plan = said["run"]
    data = (here.archive / "runs" / plan / "plan.json").read_bytes()
    named = [f"--step={one.step}=5" for one in saved_plan.parse(data).steps if mandate.grave(one.plan)]
    keys = Keys(folder)
    lab.settings.allowed_signers.write_text(keys.line("ben", 'namespaces="opslib-mandate"'))
    words = ("--days", "30", "--uses", "2", *named, "--key", str(keys["ben"]))
    code, said = here.json("mandate", plan, *words, "--yes-digest", sha256(data).hexdigest()[:8])
    assert code == 0, said
    # Each was due a few minutes ago, at a minute of its own, and is due again in an hour.
    minutes = [(now() - timedelta(minutes=number)).minute for number in (1, 2, 3)]
    more = {"notebook": f'"{NAME}"', "mandate": f'"{plan}"', "grace_minutes": "50", "catch_up_minutes": "50"}
    rows = zip(SCHEDULES, minutes, strict=True)
    texts = [schedules.row(**more, name=f'"{name}"', cron=f'"{minute} * * * *"') for name, minute in rows]
    schedules.table(folder / "schedules.toml", *texts)
    return plan


@nightly
def test_a_backup_runs_at_its_due_times_under_a_mandate_with_and_without_a_queue_and_no_more_often(here, lab, tmp_path):
    url = here.environment.pop("OPS_QUEUE_URL")
    plan = given(here, lab, tmp_path)
    code, did = here.json("schedule", "run", "first", timeout=900)
    assert (code, did["did"], did["result"]["state"]) == (0, "ran", "finished"), did
    assert [one["kind"] for one in did["result"]["approvals"]] == ["mandate"]
    assert here.json("schedule", "run", "first")[1]["did"] == "nothing"

    # With a queue too it is planned and applied by who calls: a queue does not plan.
    here.environment["OPS_QUEUE_URL"] = url
    assert here.ops("queue", "install")[0] == 0
    code, again = here.json("schedule", "run", "second", timeout=900)
    assert (code, again["did"], again["result"]["state"]) == (0, "ran", "finished"), again
    assert here.rows() == []
    runs = {did["run"], again["run"]}
    said = {run: json.loads((here.archive / "runs" / run / "run.json").read_text()) for run in runs}
    assert {(one["schedule"], one["due"]) for one in said.values()} == {("first", did["due"]), ("second", again["due"])}

    # The mandate says twice. What it does not cover is refused and told, and changes nothing.
    code, refused = here.json("schedule", "run", "third", timeout=900)
    assert (code, refused["error"]) == (4, f"The mandate of {plan} is used up.")
    words = {row["schedule"]: row["word"] for row in here.json("schedule", "due")[1]["due_times"]}
    assert words == {"first": "ran", "second": "ran", "third": "failed"}
    made = {path.name for path in (here.archive / "runs").iterdir()}
    assert made == {plan} | runs | {run.removesuffix("-apply") for run in runs}
    assert verify(here.archive).ok
