"""Infrastructure code by a saved plan: the real Terraform, its state in the lab's object store."""

import json
from dataclasses import replace

import pytest

from opslib.actions.delivery import ApplyInfrastructure
from opslib.errors import Refused, StepFailed, UsageError
from opslib.lab.vendors import product
from opslib.model import Effect, Outcome, Verdict
from opslib.redaction import Redactor
from opslib.runs.saved_plan import moved
from opslib.systems import terraform as program
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.scale import nightly
from tests.terraform import States, needs_terraform, terraform

__all__ = ["terraform"]
RUN = "20261128T130614Z-disaster-recover-everything-a1b2c3"
SECRET = "of-the-cluster-5f1c"
MARKED = b"""
variable "password" {
  default   = "%s"
  sensitive = true
}

resource "terraform_data" "vault" {
  input = var.password
}
""" % SECRET.encode()

pytestmark = needs_terraform


def quiet(text, done=None, total=None):
    pass


def action(**more):
    return ApplyInfrastructure(**{"services": "infrastructure", "new_state": True, **more})


class Place:
    """A repository of a test's own, the handles on it, and the bucket of states, empty."""

    def __init__(self, settings, folder):
        self.folder, self.states = folder / "checkout", States(settings)
        product.write(self.folder)
        self.states.forget()
        said = settings.model_copy(update={"checkout": self.folder})
        self.plan, self.look, self.write = PlanTarget(said, RUN), VerifyTarget(said, RUN), WriteTarget(said, RUN)

    def commit(self, text, name="more.tf"):
        return product.commit(self.folder, {f"{product.INFRASTRUCTURE}/{name}": text})

    def carry_out(self, step):
        plan = step.plan(self.plan)
        values = step.apply(self.write, plan, quiet)
        return plan, values, step.verify(self.look, plan, values)


@pytest.fixture
def place(lab, tmp_path, terraform):
    made = Place(lab.settings, tmp_path)
    yield made
    made.states.forget()
    for target in (made.plan, made.look, made.write):
        target.close()


def test_a_plan_writes_nothing_and_exactly_that_plan_is_applied_and_leaves_nothing_to_do(place):
    before = place.states.objects()
    step = action()
    plan = step.plan(place.plan)
    assert place.states.objects() == before == []
    assert (plan.effect, plan.touches, plan.after["resources"]) == (Effect.DESTRUCTIVE, 3, {"create": 3})
    assert "create terraform_data.cluster" in plan.after["changes"]
    # A second plan decides the same, and is bound to the same file.
    assert not moved(plan, step.plan(place.plan))
    kept = program.kept(plan.fingerprint["content"])
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert step.settle(place.write, plan, quiet).outcome is Outcome.NOT_DONE
    values = step.apply(place.write, plan, quiet)
    said = step.verify(place.look, plan, values)
    assert (said.verdict, values["serial"], kept.exists()) == (Verdict.OK, 1, False)
    assert step.settle(place.write, plan, quiet).outcome is Outcome.DONE
    again, _, fine = place.carry_out(step)
    assert (again.touches, again.before["state"].startswith("serial 1 of"), fine.verdict) == (0, True, Verdict.OK)
    with pytest.raises(Refused, match="cannot be undone"):
        step.undo(place.write, plan, values, quiet)


def test_what_destroys_is_refused_above_the_bound_and_a_state_that_is_lost_is_not_made_anew(place):
    with pytest.raises(Refused, match="There is no state"):
        action(new_state=False).plan(place.plan)
    place.carry_out(action())
    text = product.DELIVERED[f"{product.INFRASTRUCTURE}/main.tf"]
    place.commit(text.replace(b"valkey-9", b"valkey-10"), "main.tf")
    with pytest.raises(Refused, match=r"destroy or replace 1 resources, more than 0: terraform_data.cache \(replace\)"):
        action(new_state=False).plan(place.plan)
    plan, _, said = place.carry_out(action(new_state=False, destroys_at_most=1))
    assert (plan.after["changes"][0].split(":")[0], said.verdict) == ("replace terraform_data.cache", Verdict.OK)


@nightly
def test_a_state_that_moved_since_and_a_file_that_is_another_are_refused_and_nothing_is_applied(place):
    step = action()
    plan = step.plan(place.plan)
    place.carry_out(action())
    with pytest.raises(Refused, match="plan file is not the one that was approved, or is gone"):
        step.apply(place.write, plan, quiet)
    place.commit(b'resource "terraform_data" "new" {}\n')
    plan = step.plan(place.plan)
    before = json.loads(place.states.read())
    place.states.write(json.dumps({**before, "serial": 7}).encode())
    with pytest.raises(Refused, match="The state moved since it was planned: it is serial 7"):
        step.apply(place.write, plan, quiet)
    assert json.loads(place.states.read())["serial"] == 7
    assert "serial" in str(moved(plan, step.plan(place.plan)))
    kept = program.kept(plan.fingerprint["content"])
    kept.write_bytes(kept.read_bytes() + b"x")
    with pytest.raises(Refused, match="not the one that was approved"):
        step.apply(place.write, plan, quiet)
    kept.unlink()


@nightly
def test_who_holds_the_lock_is_not_overrun_and_settling_says_that_nobody_can_tell(place):
    step = action()
    plan = step.plan(place.plan)
    who = {"ID": "5f1c3d2e-0000-4000-8000-000000000000", "Operation": "OperationTypeApply", "Who": "somebody@elsewhere"}
    place.states.write(json.dumps(who).encode(), f"{product.STATE_KEY}.tflock")
    with pytest.raises(StepFailed, match="state lock"):
        hurried(place.write, plan)
    assert [key for key, _ in place.states.objects()] == [f"{product.STATE_KEY}.tflock"]


def hurried(target, plan):
    """Apply without waiting a minute for the lock."""
    with target.terraform_writer.working(target.checkout, plan.fingerprint["commit"]) as code:
        code._run(["plan", "-input=false", "-no-color", "-lock-timeout=1s"])


@nightly
def test_no_secret_of_the_plan_stands_in_it_nor_in_an_error(place):
    place.commit(MARKED)
    plan = action().plan(place.plan)
    assert plan.touches == 4
    assert SECRET not in str(plan)
    data = program.kept(plan.fingerprint["content"]).read_bytes()
    assert data[:2] == b"PK"
    program.kept(plan.fingerprint["content"]).unlink()
    place.commit(b'resource "nothing_known" "x" {}\n')
    with pytest.raises(StepFailed, match="ended with exit code 1") as told:
        action().plan(place.plan)
    assert not Redactor(place.look.settings.secrets()).leaks(str(told.value).encode())


@nightly
def test_a_state_beside_the_code_an_absent_folder_and_a_handle_that_reads_are_refused(place):
    plan = action().plan(place.plan)
    with place.plan.terraform.working(place.plan.checkout, plan.fingerprint["commit"]) as code:
        with pytest.raises(Refused, match="applies nothing"):
            code.apply(program.kept(plan.fingerprint["content"]))
        for word in ("-auto-approve", "-target=x", "destroy", "-destroy", "force-unlock"):
            with pytest.raises(Refused, match="is not started with"):
                code._run([word])
    text = product.DELIVERED[f"{product.INFRASTRUCTURE}/main.tf"]
    place.commit(text.replace(b'backend "s3" {}', b'backend "local" {}'), "main.tf")
    with pytest.raises((Refused, StepFailed)):
        action().plan(place.plan)
    elsewhere = place.plan.settings.model_copy(update={"infrastructure": "infrastructure/none"})
    target = PlanTarget(place.write.settings.model_copy(update={"infrastructure": elsewhere.infrastructure}), RUN)
    with pytest.raises(Refused, match="has no folder infrastructure/none"):
        action().plan(target)
    target.close()


def test_what_was_not_asked_for_starts_no_program(lab, place):
    target = PlanTarget(place.write.settings.model_copy(update={"terraform": "tofu"}), RUN)
    plan = action(services="api").plan(target)
    assert (plan.touches, action(services="api").verify(place.look, plan, {}).verdict) == (0, Verdict.OK)
    with pytest.raises(UsageError, match="tofu is not installed"):
        action().plan(target)
    assert not replace(plan, touches=0).fingerprint
    target.close()
