"""Somebody is shut out: a clock, the bucket of backups, the standby. Seen, planned, let in, taken back, broken off."""

import json
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.headless import agreement
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.broken import find
from opslib.lab.cloud import client, owner
from opslib.redaction import Redactor
from opslib.runs.saved_plan import parse
from tests.killing import killed
from tests.notebooks.recorded import verdicts
from tests.scale import nightly

NAME = "disaster/recover-access"
SHARES = True
STEPS = ["await-clock", "reopen-bucket", "let-standby-in"]
BUCKET = ("statements=found", "decided_by=ann", "wait_seconds=20")
CLOCK = ("clock_seconds=60",)
SHUT, SKEW = find("bucket-denied"), find("clock-skew")
KEPT = {
    "Sid": "NothingGoes",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:DeleteObject",
    "Resource": "arn:aws:s3:::valuecanvas-backups/*",
}


@pytest.fixture
def backup(house):
    """An object that can be read, and a statement that stays, beside which the fault puts its own."""
    store, where = client(house.settings, "s3"), {"Bucket": house.settings.backup_bucket, "Key": "backups/here"}
    version = store.put_object(**where, Body=b"here")["VersionId"]
    yield
    SKEW.mend(house.settings)  # first: until then nothing that is signed gets through
    SHUT.mend(house.settings)
    store.delete_object(**where, VersionId=version)


def policy(house):
    store = owner(house.settings)
    try:
        return store.get_bucket_policy(Bucket=house.settings.backup_bucket)["Policy"]
    except store.exceptions.ClientError:
        return ""


def shut(house):
    """Let the bucket shut everybody out, and keep what protects."""
    SHUT.make(house.settings)
    said = json.loads(policy(house))
    said["Statement"].append(KEPT)
    owner(house.settings).put_bucket_policy(Bucket=house.settings.backup_bucket, Policy=json.dumps(said))


def sids(house):
    return [one["Sid"] for one in json.loads(policy(house) or '{"Statement": []}')["Statement"]]


def journal(folder):
    path = folder / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def looked(folder):
    return {line["step"]: line["verification"]["verdict"] for line in journal(folder) if line["event"] == "verified"}


@contextmanager
def owner_of(house, what, does):
    """Let somebody do what is theirs as soon as a new run waits in its step ``what``."""
    over, known = threading.Event(), set((house.archive / "runs").glob("*"))

    def work():
        while not over.wait(0.1):
            for folder in set((house.archive / "runs").glob("*")) - known:
                if any(line["event"] == "intent" and line["step"] == what for line in journal(folder)):
                    does()
                    return

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def described(house, **said):
    """Let the lab's description say otherwise."""
    file = house.lab.folder / "target.env"
    kept = file.read_text()
    lines = [line for line in kept.splitlines() if line.partition("=")[0] not in said]
    file.write_text("\n".join([*lines, *(f"{name}={value}" for name, value in said.items())]) + "\n")
    try:
        yield
    finally:
        file.write_text(kept)


def test_a_bucket_that_lets_nobody_in_is_planned_opened_as_planned_verified_and_shut_again_by_the_undo(
    house, run, backup, fingerprint
):
    shut(house)
    before, was = fingerprint(), policy(house)
    result, folder = run(NAME, *BUCKET, mode="plan")
    assert result["state"] == "finished", result["reason"]
    assert (fingerprint(), policy(house)) == (before, was)
    saved = parse((folder / "plan.json").read_bytes())
    assert [(step.step, step.plan.touches) for step in saved.steps] == list(zip(STEPS, (0, 1, 0), strict=True))
    assert [one["Sid"] for one in saved.step("reopen-bucket").after["policy"]["Statement"]] == ["NothingGoes"]
    applied = agreement.apply(result["run"], "lab", house.archive)
    folder = Path(applied["report"]).parent
    assert (applied["state"], applied["exit_code"]) == ("finished", 0), applied["reason"]
    assert (looked(folder), sids(house)) == (dict.fromkeys(STEPS, "OK"), ["NothingGoes"])
    assert {verdicts(folder)[name] for name in ("backup-access", "dependencies-clocks")} == {"OK"}
    # What the policy is not about is as it was: databases, keys, objects, vendors, cluster.
    assert fingerprint() == before
    assert "4 bytes of the newest, backups/here, were read" in (folder / "report.html").read_text()
    redactor = Redactor(house.settings.secrets())
    assert [path.name for path in folder.rglob("*") if path.is_file() and redactor.leaks(path.read_bytes())] == []
    taken = undo(applied["run"], house.archive)
    assert (taken["state"], taken["exit_code"], policy(house)) == ("finished", 0, was), taken["reason"]


@nightly
def test_as_it_stands_it_looks_and_changes_nothing_whoever_is_shut_out(house, run, backup, fingerprint):
    shut(house)
    before, was = fingerprint(), policy(house)
    SKEW.make(house.settings)
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result["reason"]
    assert (looked(folder), verdicts(folder)["dependencies-clocks"]) == (dict.fromkeys(STEPS, "OK"), "CRITICAL")
    SKEW.mend(house.settings)
    assert (fingerprint(), policy(house)) == (before, was)


@nightly
def test_a_wrong_clock_is_named_waited_for_and_what_is_signed_gets_through_afterwards(house, run, backup, fingerprint):
    shut(house)
    before = fingerprint()
    SKEW.make(house.settings)
    with owner_of(house, "await-clock", lambda: SKEW.mend(house.settings)):
        result, folder = run(NAME, *CLOCK, *BUCKET)
    # The plan before it was made while AWS refused what was signed; by now it is let in.
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert looked(folder) == dict.fromkeys(STEPS, "OK")
    first = next(line["result"] for line in journal(folder) if line["event"] == "result")
    assert (first["verdict"], "This machine's clock is 20 min behind" in first["summary"]) == ("CRITICAL", True)
    page = (folder / "report.html").read_text()
    for words in ("the clock of this machine is 20 min behind", "timedatectl set-ntp true", "chronyc makestep"):
        assert words in page
    assert (sids(house), fingerprint()) == (["NothingGoes"], before)


@nightly
def test_a_clock_that_nobody_sets_stops_the_run_and_it_goes_on_once_it_is_right(house, run, backup):
    shut(house)
    SKEW.make(house.settings)
    result, folder = run(NAME, "clock_seconds=1", *BUCKET)
    assert (result["state"], result["exit_code"]) == ("failed", 5), result
    assert "go on once its owner has set it" in result["reason"]
    assert "reopen-bucket" not in looked(folder)
    SKEW.mend(house.settings)
    again = resume(result["run"], house.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    assert sids(house) == ["NothingGoes"]


@nightly
def test_without_the_owners_credentials_the_owner_is_waited_for_and_nothing_is_green_before(house, run, backup):
    shut(house)
    nobody = dict.fromkeys(("OPS_BUCKET_OWNER_AWS_ACCESS_KEY_ID", "OPS_BUCKET_OWNER_AWS_SECRET_ACCESS_KEY"), "")
    given = ("statements=NobodyUntilReviewed", "decided_by=ann")
    with described(house, **nobody):
        result, folder = run(NAME, *given, "wait_seconds=1")
        assert (result["state"], result["exit_code"]) == ("failed", 5), result
        assert looked(folder)["reopen-bucket"] == "UNKNOWN"
        assert "put-bucket-policy" in (folder / "report.html").read_text()
        assert sids(house) == ["NobodyUntilReviewed", "NothingGoes"]

        def does():
            said = json.dumps({"Version": "2012-10-17", "Statement": [KEPT]})
            owner(house.settings).put_bucket_policy(Bucket=house.settings.backup_bucket, Policy=said)

        with owner_of(house, "reopen-bucket", does):
            result, folder = run(NAME, *given, "wait_seconds=60")
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert looked(folder) == dict.fromkeys(STEPS, "OK")


@nightly
@pytest.mark.parametrize(("step", "given"), [("reopen-bucket", BUCKET), ("await-clock", (*CLOCK, *BUCKET))])
@pytest.mark.parametrize("event", ["intent", "applied"])
def test_killed_at_a_step_it_is_resumed_and_does_nothing_twice(house, backup, fingerprint, step, given, event):
    shut(house)
    before = fingerprint()
    if step == "await-clock" and event == "intent":
        SKEW.make(house.settings)
    earlier = set((house.archive / "runs").glob("*"))

    def came():
        new = set((house.archive / "runs").glob("*")) - earlier
        return any(line["event"] == event and line.get("step") == step for folder in new for line in journal(folder))

    name, _ = killed(NAME, given, house.archive, came)
    SKEW.mend(house.settings)
    again = resume(name, house.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    assert (sids(house), fingerprint()) == (["NothingGoes"], before)
    said = [line for folder in (house.archive / "runs").glob(f"{name}*") for line in journal(folder)]
    done = [line for line in said if line.get("step") == "reopen-bucket" and line["event"] in ("applied", "settled")]
    ended = [one for one in done if one["event"] == "applied" or one.get("outcome") == "done"]
    assert len(ended) == 1, done
    assert verify(house.archive).ok
    taken = undo(again["run"], house.archive)
    assert taken["exit_code"] == 0, taken["reason"]
    assert sids(house) == ["NobodyUntilReviewed", "NothingGoes"]


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
