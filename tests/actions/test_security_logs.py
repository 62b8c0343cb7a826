"""Logs of pods as evidence: every line of every container, with custody; what is missing is named and never green."""

import json
import uuid
from contextlib import closing

import pytest

from opslib.actions.security import PreserveLogs
from opslib.actions.security_custody import faults
from opslib.actions.security_logs_files import Full, Writing, parse_logs
from opslib.archive import seal
from opslib.checks import security as checks
from opslib.errors import Refused, Unreachable
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Reading, Repeat, Verdict, now
from opslib.redaction import MARK, Redactor
from opslib.systems.filing import Filing
from opslib.systems.target import PlanTarget, WriteTarget
from tests.incidents import PERSON, RUN, carry_out, places, quiet
from tests.kubernetes import NAMESPACE, ClusterDoors
from tests.scale import first, nightly

HOURS = 2.0
EVERY = 15.0
"""Seconds between two lines of the stand-in."""
LINES = int(HOURS * 3600 / EVERY)
ACTION = PreserveLogs(of="api", hours=HOURS)


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        doors.change(log_seconds=EVERY)
        yield doors


@pytest.fixture
def targets(lab, doors, tmp_path):
    made = places(lab.settings, tmp_path)
    yield made
    for target in made:
        target.close()


def folder(tmp_path, run=RUN):
    return tmp_path / run / "evidence" / "preserve-evidence-files"


def manifest(tmp_path):
    return parse_logs((folder(tmp_path) / "manifest.json").read_bytes())


def rows(tmp_path, log):
    return [
        json.loads(line) for part in log.parts for line in (folder(tmp_path) / f"{part}.jsonl").read_text().splitlines()
    ]


def checked(action, values):
    """Return what the notebook's check says of the step's values."""
    check = checks.pod_logs(action.of, values["logs"], action.megabytes)
    return check.judge(Reading("p", "t", "lab", now(), 0.0, tuple(values["logs"])))


def test_a_plan_names_deployments_and_window_and_writes_nothing(doors, targets, tmp_path):
    before = doors.specs()
    plan = PreserveLogs(of="both", hours=HOURS).plan(targets[0])
    assert list(plan.before) == ["api-server", "llm-worker"]
    assert (plan.effect, plan.repeat, plan.touches) == (Effect.LOCAL, Repeat.ONCE, 1)
    assert (len(plan.observed["pods"]), plan.observed["logs"]) == (4, 4)
    assert plan.digest == PreserveLogs(of="both", hours=HOURS).plan(targets[0]).digest
    assert doors.specs() == before
    assert not folder(tmp_path).exists()


def test_every_line_of_every_pod_is_written_with_its_custody_where_the_guide_has_ten(targets, doors, tmp_path):
    before = doors.specs()
    plan, values, said = carry_out(ACTION, targets)
    assert said.verdict is Verdict.OK, said.summary
    kept = manifest(tmp_path)
    assert {log.pod for log in kept.logs} == set(plan.observed["pods"])
    for log in kept.logs:
        found = rows(tmp_path, log)
        assert len(found) == log.lines >= LINES - 1
        numbers = [json.loads(row["line"])["n"] for row in found]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert {json.loads(row["line"])["pod"] for row in found} == {log.pod}
        assert (log.first - kept.since).total_seconds() < 2 * EVERY
        assert (log.gap, log.limit, log.kind, log.node[:5]) == ("", "", "now", "node-")
    assert (kept.collected_by, kept.work, kept.deployments) == (PERSON, RUN, plan.fingerprint["deployments"])
    assert values["lines"] == sum(log.lines for log in kept.logs)
    assert {row["sha256"] for row in said.rows} == {item.sha256 for item in kept.items}
    assert checked(ACTION, values).verdict is Verdict.OK
    assert doors.specs() == before


def test_a_secret_in_a_log_is_hidden_counted_and_passes_the_seal(lab, targets, doors, tmp_path):
    token = lab.settings.slack_token.reveal()
    doors.change(log_says={"api-server": f"authorization: Bearer {token} \x1b]52;c;aGk=\x07 \u202e"})
    carry_out(ACTION, targets)
    (log, _) = manifest(tmp_path).logs
    assert log.redacted_lines == log.lines > 100
    found = b"".join(path.read_bytes() for path in folder(tmp_path).iterdir())
    assert token.encode() not in found
    assert MARK in rows(tmp_path, log)[0]["line"]
    assert found.isascii()
    assert seal.scan(tmp_path / RUN, Redactor(lab.settings.secrets())).leaking == ()


def test_a_container_that_was_restarted_has_two_logs_and_earlier_ends_are_said_to_be_lost(targets, doors, tmp_path):
    doors.restart("api-server", ago=600, times=3)
    _, values, said = carry_out(ACTION, targets)
    assert said.verdict is Verdict.OK
    found = {(log.kind, log.restarts) for log in manifest(tmp_path).logs}
    assert found == {("now", 3), ("before its last restart", 3)}
    for log in manifest(tmp_path).logs:
        assert log.lines > 500 / EVERY
        assert (log.last < log.began) is False
    whole = checked(ACTION, values)
    assert (whole.verdict, "ended 3 times" in whole.summary) == (Verdict.WARNING, True)


def test_a_previous_container_without_a_log_is_named_and_not_green(targets, doors):
    doors.restart("api-server", ago=600)
    doors.change(log_lost=["api-server"])
    _, values, said = carry_out(ACTION, targets)
    assert "NOT WHOLE" in said.summary
    assert "Kubernetes has no such log" in said.summary
    whole = checked(ACTION, values)
    assert (whole.verdict, whole.value) == (Verdict.UNKNOWN, 2)


def test_what_a_node_has_rotated_away_is_said(targets, doors):
    doors.change(log_kept_seconds=1800.0)
    _, values, _ = carry_out(ACTION, targets)
    whole = checked(ACTION, values)
    assert (whole.verdict, "rotated away" in whole.summary) == (Verdict.WARNING, True)
    doors.change(log_kept_seconds=0.0)
    _, values, _ = carry_out(ACTION, targets)
    assert "no line since" in checked(ACTION, values).summary


def test_a_pod_that_vanishes_is_named_and_one_that_comes_is_collected_as_well(targets, doors, tmp_path):
    plan = ACTION.plan(targets[0])
    gone = plan.observed["pods"][0]
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=3)

    def leaves(text, done=None, total=None):
        if done == 0 and gone in str(doors.cluster()["objects"]["pods"].keys()):
            state = doors.cluster()
            del state["objects"]["pods"][f"{NAMESPACE}/{gone}"]
            doors.put(kubernetes=state)
            doors.until(lambda objects: len(doors.pods_of("api-server", objects)) == 3)

    values = ACTION.apply(targets[2], plan, leaves)
    said = ACTION.verify(targets[1], plan, values)
    assert said.verdict is Verdict.OK
    assert f"{gone} api (now): the pod was gone" in said.summary
    assert {log.pod for log in manifest(tmp_path).logs} == {gone, *doors.pods_of("api-server")}
    assert checked(ACTION, values).verdict is Verdict.UNKNOWN


def test_a_pod_that_went_between_plan_and_begin_is_named_as_well(targets, doors):
    plan = ACTION.plan(targets[0])
    gone = plan.observed["pods"][0]
    state = doors.cluster()
    del state["objects"]["pods"][f"{NAMESPACE}/{gone}"]
    doors.put(kubernetes=state)
    values = ACTION.apply(targets[2], plan, quiet)
    assert "was gone" in ACTION.verify(targets[1], plan, values).summary


def test_a_pod_that_came_after_the_logs_is_seen_by_the_check(lab, targets, doors):
    _, values, _ = carry_out(ACTION, targets)
    doors.edit("horizontalpodautoscalers", "api-server", minReplicas=3)
    doors.until(lambda objects: len(doors.pods_of("api-server", objects)) == 3)
    check = checks.pod_logs("api", values["logs"], 32)
    found = check.judge(Reading("p", "t", "lab", now(), 0.0, tuple(check.probe.read(lab.target))))
    assert (found.verdict, "it came after" in found.summary) == (Verdict.WARNING, True)


@pytest.mark.parametrize("fault", first(4, "cut", "500", "404", "slow", "429", "409", "422"))
def test_a_log_that_breaks_off_is_named_and_what_came_of_it_is_kept(lab, targets, doors, fault, tmp_path):
    plan = ACTION.plan(targets[0])
    pod = plan.observed["pods"][0]
    # What is slow answers late, but whole.
    with doors.fault("kubernetes", fault, path=f"{pod}/log", seconds=0.1):
        values = ACTION.apply(targets[2], plan, quiet)
    said = ACTION.verify(targets[1], plan, values)
    assert said.verdict is Verdict.OK
    assert (f"{pod} api (now)" in said.summary) is (fault != "slow")
    assert checked(ACTION, values).verdict is (Verdict.OK if fault == "slow" else Verdict.UNKNOWN)
    assert faults(folder(tmp_path), manifest(tmp_path)) == []


@pytest.mark.parametrize("fault", ["401", "403"])
def test_a_token_that_may_not_read_logs_fails_the_step_and_leaves_no_manifest(targets, doors, fault, tmp_path):
    plan = ACTION.plan(targets[0])
    with doors.fault("kubernetes", fault, path="/log"), pytest.raises(Unreachable) as told:
        ACTION.apply(targets[2], plan, quiet)
    assert "OPS_READ_KUBERNETES_TOKEN" in told.value.next_step
    assert not (folder(tmp_path) / "manifest.json").exists()
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE


def test_where_no_log_can_be_had_the_step_is_not_verified(targets, doors):
    plan = ACTION.plan(targets[0])
    with doors.fault("kubernetes", "404", path="/log"):
        values = ACTION.apply(targets[2], plan, quiet)
    said = ACTION.verify(targets[1], plan, values)
    assert (said.verdict, "log_megabytes=0" in said.summary) == (Verdict.CRITICAL, True)
    doors.edit("deployments", "api-server", replicas=0)
    doors.until(lambda objects: not doors.pods_of("api-server", objects))
    plan, values, said = carry_out(ACTION, targets)
    assert (said.verdict, "there is no pod" in said.summary) == (Verdict.CRITICAL, True)
    assert checked(ACTION, values).verdict is Verdict.UNKNOWN


def test_more_than_the_bound_is_cut_off_with_whole_lines_and_said(targets, doors, tmp_path):
    doors.change(log_seconds=0.5)
    step = PreserveLogs(of="api", hours=HOURS, megabytes=1)
    _, values, said = carry_out(step, targets)
    kept = manifest(tmp_path)
    assert sum(item.bytes for item in kept.items) <= 1024 * 1024
    assert [bool(log.lines) for log in kept.logs] == [True, True]
    assert "more than its share of 1 MB: what is later than" in said.summary
    whole = checked(step, values)
    assert (whole.verdict, whole.value) == (Verdict.UNKNOWN, 2)


def test_without_megabytes_nothing_is_asked_for_and_that_is_said(targets, doors, tmp_path):
    doors.forget()
    step = PreserveLogs(of="api", megabytes=0)
    plan, values, said = carry_out(step, targets)
    assert (plan.touches, said.verdict, doors.calls("kubernetes")) == (0, Verdict.OK, [])
    assert checked(step, values).verdict is Verdict.WARNING
    assert manifest(tmp_path).logs == ()


def test_without_a_cluster_in_the_description_it_says_how_to_go_on(lab, doors, tmp_path):
    described = lab.settings.model_copy(update={"kubernetes_url": None})
    with closing(PlanTarget(described, RUN)) as target, pytest.raises(Refused, match="log_megabytes=0"):
        ACTION.plan(target)
    described = lab.settings.model_copy(update={"kubernetes_url": "https://127.0.0.1:1"})
    with closing(PlanTarget(described, RUN)) as target, pytest.raises(Unreachable, match="log_megabytes=0"):
        ACTION.plan(target)


def test_before_there_is_a_log_the_check_says_so(lab):
    check = checks.pod_logs("api", f"{UNKNOWN_UNTIL}preserve-logs", 32)
    with pytest.raises(Unreachable, match="known once they are preserved"):
        check.probe.read(lab.target)


@pytest.mark.parametrize("change", ["changed", "cut", "gone", "added"])
def test_logs_that_were_touched_are_seen(targets, tmp_path, change):
    plan = ACTION.plan(targets[0])
    values = ACTION.apply(targets[2], plan, quiet)
    file = folder(tmp_path) / "log-001-1.jsonl"
    data = file.read_bytes()
    if change == "gone":
        file.unlink()
    elif change == "added":
        (folder(tmp_path) / "log-009-1.jsonl").write_bytes(data)
    else:
        file.write_bytes(data[:-1] if change == "cut" else data.replace(b"200", b"404", 1))
    assert ACTION.verify(targets[1], plan, values).verdict is Verdict.CRITICAL
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE


def test_one_that_was_broken_off_is_settled_by_its_manifest(targets, tmp_path):
    plan = ACTION.plan(targets[0])
    values = ACTION.apply(targets[2], plan, quiet)
    settled = ACTION.settle(targets[2], plan, quiet)
    assert (settled.outcome, settled.values) == (Outcome.DONE, values)
    (folder(tmp_path) / "manifest.json").unlink()
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE


class Full_(Filing):
    """A place with no room."""

    free = 10 * 1024 * 1024


def test_where_there_is_too_little_room_nothing_is_begun(lab, targets, tmp_path):
    plan = ACTION.plan(targets[0])
    writing = WriteTarget(lab.settings, RUN, Full_(tmp_path / RUN, RUN, "preserve-evidence"))
    with pytest.raises(Refused, match="are free where the archive lies"):
        ACTION.apply(writing, plan, quiet)
    assert not folder(tmp_path).exists()


def writing(tmp_path, most=10_000_000):
    place = Filing(tmp_path / uuid.uuid4().hex, RUN, "logs")
    return Writing(place, Redactor(()), "log-001", most), place.folder


def test_lines_are_the_same_however_they_come_in_pieces(tmp_path):
    lines = [f"2026-11-28T13:06:{n % 60:02d}.{n:09d}Z line {n}".encode() for n in range(1500)]
    text = b"".join(line + b"\n" for line in lines) + b"no moment \xff\x00\n"
    made = []
    for size in (1, 7, 4096, len(text)):
        out, where = writing(tmp_path)
        for start in range(0, len(text), size):
            out.take(text[start : start + size])
        assert out.end() is True
        (item,) = out.items
        made.append((item.sha256, (where / item.file).read_bytes()))
    assert len({sha for sha, _ in made}) == 1
    found = [json.loads(line) for line in made[0][1].splitlines()]
    assert found[7] == {"at": "2026-11-28T13:06:07.000000007Z", "line": "line 7"}
    assert found[-1] == {"at": None, "line": "no moment \\xff\x00"}


def test_a_line_without_end_is_told_and_one_that_is_endless_is_parted(tmp_path):
    out, where = writing(tmp_path)
    out.take(b"2026-11-28T13:06:00Z " + b"x" * 700_000)
    assert out.end() is False
    found = [json.loads(line) for line in (where / out.items[0].file).read_bytes().splitlines()]
    assert "".join(row["line"] for row in found).count("x") == 700_000
    assert len(found) == 3


@nightly
def test_a_log_is_parted_into_files_that_the_seal_can_read_and_ends_at_its_bound(tmp_path):
    out, where = writing(tmp_path, most=40 * 1024 * 1024)
    line = b"2026-11-28T13:06:00Z " + b"y" * 9_979 + b"\n"
    with pytest.raises(Full):
        out.take(line * 5_000)
    out.give_up()
    sizes = [item.bytes for item in out.items]
    assert len(sizes) == 3
    assert max(sizes) <= 16 * 1024 * 1024
    assert sum(sizes) == out.bytes <= 40 * 1024 * 1024
    assert [len((where / item.file).read_bytes()) for item in out.items] == sizes
