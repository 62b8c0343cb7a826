"""A deployment brought back on the lab's cluster: from 0, from a template that starts no pod, from a wedged pod."""

import pytest

from opslib.actions.cluster import RecoverDeployment
from opslib.actions.cluster_recover_parts import differences
from opslib.errors import Refused, SettingsError, StepFailed, Unreachable
from opslib.lab.broken import find
from opslib.lab.broken.revision import BAD, GOOD
from opslib.model import Outcome, Verdict
from opslib.runs.saved_plan import moved
from opslib.systems.kubernetes_history import HASH, ReplicaSet
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.kubernetes import ClusterDoors, replicas

RUN = "20261128T130614Z-disaster-recover-everything-a1b2c3"


def quiet(text, done=None, total=None):
    pass


def action(**more):
    return RecoverDeployment(**{"which": "api", "services": "api", "wedged_seconds": 0.0, "wait_seconds": 20.0, **more})


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        yield doors


@pytest.fixture
def targets(lab, doors):
    made = PlanTarget(lab.settings, RUN), VerifyTarget(lab.settings, RUN), WriteTarget(lab.settings, RUN)
    yield made
    for target in made:
        target.close()


def broken(lab, doors, name):
    find(name).make(lab.settings)
    bad = {
        "replica-hangs": lambda objects: replicas(objects, "api-server") == 1,
        "rollout-stuck": lambda objects: len(doors.pods_of("api-server", objects)) == 3,
        "api-at-zero": lambda objects: replicas(objects, "api-server") == 0,
    }
    doors.until(bad[name])


def image(doors):
    return doors.spec("deployments", "api-server")["template"]["spec"]["containers"][0]["image"]


def test_what_is_well_and_what_was_not_asked_for_is_left_alone(doors, targets):
    before = doors.specs()
    for step in (action(), action(services="redis"), action(services="none")):
        plan = step.plan(targets[0])
        values = step.apply(targets[2], plan, quiet)
        assert (plan.touches, step.verify(targets[1], plan, values).verdict) == (0, Verdict.OK)
    assert doors.specs() == before


def test_a_wedged_replica_alone_is_replaced_and_the_others_stay(lab, doors, targets):
    broken(lab, doors, "replica-hangs")
    old = doors.pods_of("api-server")
    step = action()
    plan = step.plan(targets[0])
    assert (plan.touches, list(plan.fingerprint["pods"]), plan.after["replicas"]) == (
        1,
        [old[0]],
        plan.before["replicas"],
    )
    assert doors.pods_of("api-server") == old
    assert not moved(plan, step.plan(targets[0]))
    values = step.apply(targets[2], plan, quiet)
    said = step.verify(targets[1], plan, values)
    assert (said.verdict, "'ready'" in said.summary) == (Verdict.OK, True)
    assert set(old) - set(doors.pods_of("api-server")) == {old[0]}
    assert "cannot be brought back" in plan.undo
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.DONE


def test_a_successor_that_is_not_ready_ends_it_and_no_second_pod_is_touched(doors, targets):
    pods = doors.pods_of("api-server")
    hang = dict.fromkeys(pods, "hangs")
    # With less to do, so that the autoscaler leaves the number alone.
    doors.change(ailing=hang, load={})
    doors.until(lambda objects: replicas(objects, "api-server") == 0)
    step = action(wait_seconds=1.0)
    plan = step.plan(targets[0])
    assert plan.touches == 2
    # Whoever comes now crashes, by its image; those that are there go on hanging, by their names.
    doors.change(ailing={**hang, GOOD: "CrashLoopBackOff"})
    with pytest.raises(StepFailed, match="its successor is not ready"):
        step.apply(targets[2], plan, quiet)
    assert pods[1] in doors.pods_of("api-server")
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.PARTLY
    doors.change(ailing={pods[1]: "hangs"})
    step.apply(targets[2], plan, quiet)
    assert not set(pods) & set(doors.pods_of("api-server"))


def test_a_template_that_lets_no_pod_start_gives_way_to_the_one_before_and_the_undo_sets_it_again(lab, doors, targets):
    broken(lab, doors, "rollout-stuck")
    old = doors.pods_of("api-server")
    step = action()
    plan = step.plan(targets[0])
    assert (plan.touches, plan.fingerprint["pods"]) == (1, {})
    assert plan.after["differs"] == [f"api: image {BAD} → {GOOD}"]
    assert "does not record whether that revision was ever well" in plan.after["known of it"]
    assert image(doors) == BAD
    said = step.verify(targets[1], plan, step.apply(targets[2], plan, quiet))
    assert (said.verdict, image(doors)) == (Verdict.OK, GOOD)
    assert len(set(old) & set(doors.pods_of("api-server"))) == 2
    assert step.undo(targets[2], plan, {}, quiet).verdict is Verdict.OK
    assert image(doors) == BAD
    doors.edit("deployments", "api-server", replicas=3, template=other(doors))
    with pytest.raises(Refused, match="somebody deployed since"):
        step.undo(targets[2], plan, {}, quiet)


def other(doors):
    """Return a template that nobody has had."""
    template = doors.spec("deployments", "api-server")["template"]
    template["spec"]["containers"][0]["image"] = "valuecanvas/api-server:1.4.4"
    return template


def test_as_it_is_keeps_a_broken_template_and_a_spec_that_moved_is_not_overwritten(lab, doors, targets):
    broken(lab, doors, "rollout-stuck")
    kept = action(back="as-it-is").plan(targets[0])
    assert (kept.fingerprint["template"]["to"], len(kept.fingerprint["pods"])) == (None, 1)
    step = action()
    plan = step.plan(targets[0])
    doors.edit("deployments", "api-server", template=other(doors))
    doors.until(lambda objects: len(doors.pods_of("api-server", objects)) == 2)
    with pytest.raises(Refused, match="somebody deployed since it was planned"):
        step.apply(targets[2], plan, quiet)
    with pytest.raises(Unreachable) as told:
        targets[2].workloads_writer.set_template("api-server", plan.fingerprint["deployment"], 1, other(doors))
    assert told.value.kind == "rejected"


def test_from_nobody_it_goes_back_to_its_autoscalers_least_and_the_undo_to_nobody(lab, doors, targets):
    broken(lab, doors, "api-at-zero")
    step = action(least=1)
    plan = step.plan(targets[0])
    assert (plan.before["replicas"], plan.after["replicas"], plan.touches) == (0, 2, 1)
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE
    values = step.apply(targets[2], plan, quiet)
    assert (values["in_time"], step.verify(targets[1], plan, values).verdict) == (True, Verdict.OK)
    step.undo(targets[2], plan, values, quiet)
    doors.until(lambda objects: not doors.pods_of("api-server", objects))


def test_what_it_would_not_mend_is_refused(doors, targets):
    doors.edit("deployments", "api-server", paused=True)
    with pytest.raises(Refused, match="is paused"):
        action().plan(targets[0])
    doors.edit("deployments", "api-server", paused=False)
    with pytest.raises(Refused, match="no earlier revision"):
        action(back="previous").plan(targets[0])
    doors.change(ailing={doors.pods_of("api-server")[0]: "hangs"})
    doors.until(lambda objects: replicas(objects, "api-server") == 1)
    doors.made("api-server", 0)
    with pytest.raises(Refused, match="starting for"):
        action(wedged_seconds=3600.0).plan(targets[0])


def revision(number, *containers):
    """Return a ReplicaSet of that number."""
    meta = {"name": f"api-{number}", "uid": str(number), "resourceVersion": "1", "labels": {HASH: str(number)}}
    template = {"metadata": {"labels": {HASH: str(number), "app": "api"}}, "spec": {"containers": list(containers)}}
    said = {"metadata": {**meta, "creationTimestamp": "2026-11-28T00:00:00Z"}, "spec": {"template": template}}
    return ReplicaSet.model_validate(said)


def test_what_differs_is_told_by_names_and_never_by_a_variables_value():
    now = revision(
        2, {"name": "api", "image": "a:2", "env": [{"name": "KEY", "value": "s3cr3t"}], "args": ["x"]}, {"name": "new"}
    )
    then = revision(1, {"name": "api", "image": "a:1", "env": [{"name": "KEY", "value": "0ld"}, {"name": "B"}]})
    said = differences(now, then)
    assert said == [
        "container new goes",
        "api: image a:2 → a:1",
        "api: variables B, KEY as they were",
        "api: args as they were",
    ]
    assert then.template == {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": then.containers}}
    assert differences(then, then) == ["nothing in its containers"]


def watching(doors, name):
    return doors.cluster()["objects"]["deployments"][f"observability/{name}"]["spec"]


def test_prometheus_comes_back_from_zero_as_one_and_answers_through_its_address(lab, doors, targets):
    find("prometheus-at-zero").make(lab.settings)
    before, step = doors.specs(), action(which="prometheus", services="prometheus")
    plan = step.plan(targets[0])
    # One: a second would want the volume of the first.
    assert (plan.touches, plan.after["replicas"], doors.specs()) == (1, 1, before)
    values = step.apply(targets[2], plan, quiet)
    said = step.verify(targets[1], plan, values)
    assert (said.verdict, "Ready" in said.summary) == (Verdict.OK, True)
    assert "targets are up" in said.summary
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.DONE
    after = doors.specs()
    assert [name for name in after["deployments"] if after["deployments"][name] != before["deployments"][name]] == [
        "observability/prometheus"
    ]
    step.undo(targets[2], plan, values, quiet)
    assert watching(doors, "prometheus")["replicas"] == 0


def test_grafana_goes_back_to_the_image_before_the_one_that_crashes(lab, doors, targets):
    good = watching(doors, "grafana")["template"]["spec"]["containers"][0]["image"]
    find("grafana-crashes").make(lab.settings)
    doors.until(lambda objects: doors.pods_of("grafana", objects))
    step = action(which="grafana", services="grafana")
    plan = step.plan(targets[0])
    values = step.apply(targets[2], plan, quiet)
    said = step.verify(targets[1], plan, values)
    assert (said.verdict, "its database is ok" in said.summary) == (Verdict.OK, True)
    assert watching(doors, "grafana")["template"]["spec"]["containers"][0]["image"] == good


def test_who_watches_elsewhere_is_refused_by_name_and_nothing_of_the_products_is_taken_for_it(lab, doors):
    elsewhere = lab.settings.model_copy(update={"observability_namespace": None, "grafana_deployment": "api-server"})
    find("api-at-zero").make(lab.settings)
    before, target = doors.specs(), PlanTarget(elsewhere, RUN)
    with pytest.raises(SettingsError, match="no deployments of this description"):
        action(which="grafana", services="grafana").plan(target)
    target.close()
    writing = WriteTarget(elsewhere, RUN)
    with pytest.raises(SettingsError, match="no deployments of this description"):
        _ = writing.watchers_writer
    writing.close()
    assert doors.specs() == before
