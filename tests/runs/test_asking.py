"""Approvals step by step: what counts is what the executor asked for, not what lies where approvers read it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from opslib.errors import Refused
from opslib.runs import approvals
from opslib.runs.asking import Asking
from opslib.runs.saved_plan import parse
from tests.descriptions import description
from tests.runs import fakes
from tests.runs.test_executor import step as paint
from tests.signing import WORK, Keys, plan, step

OTHER = "20261123T140000Z-runbooks-restore-database-b2c3d4"


@pytest.fixture
def keys(tmp_path):
    keys = Keys(tmp_path)
    (tmp_path / "allowed_signers").write_text("".join(keys.line(who) for who in ("ann", "ben", "cat")))
    return keys


def asking(tmp_path, run=WORK, by="ann"):
    target = description("production", OPS_ALLOWED_SIGNERS=str(tmp_path / "allowed_signers"))

    def make(one):
        now = datetime.now(UTC)
        end = now + timedelta(hours=1)
        who = {"requested_by": f"{by}@bastion", "requester": f"{by}@valuecanvas"}
        return plan(run=run, steps=(one,), created_at=now, expires_at=end, **who)

    return Asking(run, tmp_path / "approvals", target, (by,), make), tmp_path / "approvals" / f"{run}.swap-databases"


def sign(keys, folder, *people):
    for who in people:
        approvals.approve(
            (folder / "plan.json").read_bytes(),
            folder,
            key=keys[who],
            principal=f"{who}@valuecanvas",
            kind="approve",
            reason="",
            expires=None,
            trust=None,
            unattended=(),
            requested_by=frozenset(),
            moment=datetime.now(UTC),
        )


def test_a_step_is_granted_once_two_others_signed_the_file_that_was_asked_for(tmp_path, keys):
    one, folder = asking(tmp_path)
    with pytest.raises(Refused, match="2 other people"):
        one.grant(step())
    sign(keys, folder, "ben", "cat")
    granted = one.grant(step())
    assert granted.plan == parse((folder / "plan.json").read_bytes())
    assert "ben@valuecanvas.approval" in dict(granted.copies)


def test_a_plan_with_another_requester_put_in_its_place_grants_nothing(tmp_path, keys):
    one, folder = asking(tmp_path)
    with pytest.raises(Refused):
        one.grant(step())
    asked = (folder / "plan.json").read_bytes()
    (folder / "plan.json").write_bytes(replace(parse(asked), requested_by="dan@bastion", requester="dan").encode())
    sign(keys, folder, "ben", "cat")
    with pytest.raises(Refused, match="2 other people"):
        one.grant(step())
    assert (folder / "plan.json").read_bytes() == asked


def test_the_approved_plan_of_another_run_put_in_its_place_grants_nothing(tmp_path, keys):
    first, before = asking(tmp_path)
    with pytest.raises(Refused):
        first.grant(step())
    sign(keys, before, "ben", "cat")
    second, folder = asking(tmp_path, OTHER)
    folder.mkdir()
    for path in before.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(Refused, match="2 other people"):
        second.grant(step())


def test_what_moved_since_it_was_signed_is_asked_for_anew(tmp_path, keys):
    one, folder = asking(tmp_path)
    with pytest.raises(Refused):
        one.grant(step())
    sign(keys, folder, "ben", "cat")
    with pytest.raises(Refused, match="another plan"):
        one.grant(step(touches=2))


def test_the_executor_applies_a_step_once_it_is_granted_and_keeps_what_granted_it(tmp_path, keys, executor):
    one, folder = asking(tmp_path)
    folder = folder.with_name(f"{WORK}.paint-it")
    run = executor("production", OPS_ALLOWED_SIGNERS=str(tmp_path / "allowed_signers"), work={"asking": one})
    with pytest.raises(Refused, match="2 other people"):
        paint(run)
    assert fakes.DONE == []
    sign(keys, folder, "ben", "cat")
    assert paint(run)["status"] == "applied"
    assert fakes.DONE == ["red"]
    kept = {path.name for path in (tmp_path / "evidence" / "paint-it-approvals").iterdir()}
    assert kept >= {"plan.json", "ben@valuecanvas.approval", "ben@valuecanvas.approval.sig", "allowed_signers"}
