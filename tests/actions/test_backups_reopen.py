"""A bucket that lets nobody in: what shuts it is taken out by its name, all else stays, and all of it is put back."""

import json
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from opslib.actions.backups import ReopenBucket
from opslib.actions.backups_reopen import chosen
from opslib.errors import OpsError, Refused
from opslib.lab.cloud import client, owner
from opslib.model import Effect, Outcome, Verdict
from opslib.probes.backups_policy import parted
from opslib.runs.saved_plan import moved
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.toxic import Forgetful
from tests.workspaces import quiet

PLACE = "arn:aws:s3:::valuecanvas-backups"
ALL = {"Effect": "Deny", "Principal": "*", "Resource": f"{PLACE}/*"}
SHUT = {"Sid": "NobodyUntilReviewed", **ALL, "Action": ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion"]}
NAMELESS = {**ALL, "Action": "s3:PutObject"}
# The lab's AWS looks at no condition, so what protects there is about deleting.
SAFE = {"Sid": "Safe", **ALL, "Action": "s3:DeleteObject", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
TLS = {"Sid": "Tls", **ALL, "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
KEPT = {"Sid": "Kept", **ALL, "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"]}
SOURCE = {
    "Sid": "Office",
    **ALL,
    "Action": "s3:GetObject",
    "Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
}
ROLE = {"Sid": "Role", **ALL, "Principal": {"AWS": "arn:aws:iam::1:role/x"}, "Action": "s3:PutObject"}
FOUND = ReopenBucket(statements="found", decided_by="ann", wait_seconds=20)


def text(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=1)


@pytest.fixture
def bucket(lab):
    """The bucket's policy behind everybody's back: ``put`` sets it, ``said`` tells it."""
    store, name = owner(lab.settings), lab.settings.backup_bucket

    class Policy:
        def put(self, *statements):
            store.put_bucket_policy(Bucket=name, Policy=text(*statements))

        def said(self):
            try:
                return store.get_bucket_policy(Bucket=name)["Policy"]
            except store.exceptions.ClientError:
                return ""

    yield Policy()
    store.delete_bucket_policy(Bucket=name)


@contextmanager
def handles(settings):
    made = [kind(settings, "test") for kind in (PlanTarget, VerifyTarget, WriteTarget)]
    try:
        yield made
    finally:
        for one in made:
            one.close()


@pytest.fixture
def targets(lab, bucket):
    with handles(lab.settings) as made:
        yield made


def test_what_shuts_everybody_out_is_planned_taken_out_and_put_back_letter_by_letter(lab, bucket, targets):
    looking, verifying, writing = targets
    bucket.put(SAFE, SHUT, KEPT, NAMELESS)
    before = bucket.said()
    plan = FOUND.plan(looking)
    assert bucket.said() == before
    assert (plan.effect, plan.touches) == (Effect.CHANGE, 2)
    assert plan.before["policy"]["Statement"] == [SAFE, SHUT, KEPT, NAMELESS]
    assert plan.after["policy"]["Statement"] == [SAFE, KEPT]
    assert FOUND.verify(verifying, plan, {"waited_seconds": 0.0}).verdict is Verdict.CRITICAL
    values = FOUND.apply(writing, plan, quiet)
    assert FOUND.verify(verifying, plan, values).verdict is Verdict.OK
    assert json.loads(bucket.said())["Statement"] == [SAFE, KEPT]
    assert FOUND.settle(writing, plan, quiet).outcome is Outcome.DONE
    again = FOUND.plan(looking)
    assert (again.touches, bool(moved(plan, again))) == (0, True)
    taken = FOUND.undo(writing, plan, values, quiet)
    assert (taken.verdict, bucket.said()) == (Verdict.OK, before)
    assert "letter by letter" in taken.summary
    assert FOUND.undo(writing, plan, values, quiet).verdict is Verdict.OK


def test_afterwards_objects_are_listed_and_read_and_a_bucket_without_another_statement_has_no_policy(
    lab, bucket, targets
):
    looking, verifying, writing = targets
    store, key = client(lab.settings, "s3"), f"{lab.settings.backup_prefix}reopened"
    version = store.put_object(Bucket=lab.settings.backup_bucket, Key=key, Body=b"seven b")["VersionId"]
    try:
        bucket.put(SHUT)
        plan = FOUND.plan(looking)
        looked = FOUND.verify(verifying, plan, FOUND.apply(writing, plan, quiet))
    finally:
        store.delete_object(Bucket=lab.settings.backup_bucket, Key=key, VersionId=version)
    assert looked.verdict is Verdict.OK, looked
    assert f"7 bytes of the newest, {key}, were read" in looked.summary
    assert bucket.said() == ""
    assert FOUND.undo(writing, plan, {}, quiet).verdict is Verdict.OK
    assert json.loads(bucket.said())["Statement"] == [SHUT]


def rows(*statements):
    class Place:
        backup_bucket, backup_prefix, continuous_prefix = "valuecanvas-backups", "backups/", None

    return parted({"Statement": list(statements)}, Place)


def test_what_is_found_is_what_hits_everybody_under_no_condition_and_nothing_that_protects():
    every = rows(TLS, SHUT, KEPT, SOURCE, ROLE, NAMELESS)
    nameless = every[-1]["statement"]
    assert nameless.startswith("sha256-")
    assert chosen(every, "found") == ["NobodyUntilReviewed", nameless]
    assert chosen(every, f"Office,Role,{nameless}") == ["Office", "Role", nameless]
    assert chosen(rows(TLS, KEPT, SOURCE, ROLE), "found") == []


@pytest.mark.parametrize(
    ("statements", "names", "words"),
    [
        ((TLS,), "Tls", "Tls stays: nothing goes without TLS"),
        ((KEPT,), "Kept", "Kept stays: it denies nothing that a backup needs"),
        ((SHUT,), "Shut", "No statement that denies is named Shut; there are: NobodyUntilReviewed"),
        ((SHUT, TLS), "NobodyUntilReviewed,Tls", "Tls stays"),
        ((SHUT, {**NAMELESS, "Sid": "NobodyUntilReviewed"}), "found", "2 statements are named NobodyUntilReviewed"),
        (({**SHUT, "Effect": "Allow"},), "NobodyUntilReviewed", "No statement that denies"),
    ],
)
def test_what_must_stay_or_is_not_there_is_refused(statements, names, words):
    with pytest.raises(Refused, match=r"stays|named") as told:
        chosen(rows(*statements), names)
    assert words in told.value.message


def test_nobody_opens_what_somebody_shut_without_a_name_for_it(bucket, targets):
    bucket.put(SHUT)
    with pytest.raises(Refused, match="somebody shut the bucket"):
        FOUND.model_copy(update={"decided_by": "none"}).plan(targets[0])
    idle = ReopenBucket().plan(targets[0])
    assert (idle.effect, idle.touches) == (Effect.READ, 0)


@pytest.mark.parametrize("between", ["plan", "undo"])
def test_a_policy_that_somebody_changes_meanwhile_is_left_alone(bucket, targets, between):
    looking, _, writing = targets
    bucket.put(SHUT)
    plan = FOUND.plan(looking)
    if between == "undo":
        FOUND.apply(writing, plan, quiet)
    bucket.put(SHUT, KEPT)
    theirs = bucket.said()
    assert FOUND.settle(writing, plan, quiet).outcome is Outcome.UNKNOWN
    with pytest.raises(Refused, match="was changed since it was looked at"):
        FOUND.apply(writing, plan, quiet) if between == "plan" else FOUND.undo(writing, plan, {}, quiet)
    assert bucket.said() == theirs


@pytest.mark.parametrize(("when", "outcome"), [("after", Outcome.DONE), ("before", Outcome.NOT_DONE)])
def test_what_became_of_a_change_whose_answer_was_lost_the_policy_says(lab, bucket, when, outcome):
    bucket.put(SHUT, KEPT)
    with Forgetful(urlsplit(lab.settings.aws_endpoint_url).port, b"PUT /", when) as line:
        away = lab.settings.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{line.port}"})
        with handles(away) as (looking, _, writing):
            plan = FOUND.plan(looking)
            if outcome is Outcome.DONE:
                FOUND.apply(writing, plan, quiet)
            else:
                with pytest.raises(OpsError, match="put_bucket_policy"):
                    FOUND.apply(writing, plan, quiet)
            assert line.lost == 1
            assert FOUND.settle(writing, plan, quiet).outcome is outcome


def described(lab, **changes):
    return lab.settings.model_copy(update={f"bucket_owner_aws_{name}": value for name, value in changes.items()})


def test_without_the_owners_credentials_it_says_what_the_owner_does_and_believes_it_only_when_it_is_done(lab, bucket):
    bucket.put(SHUT, KEPT)
    step = FOUND.model_copy(update={"wait_seconds": 0.5})
    with handles(described(lab, access_key_id=None, secret_access_key=None)) as (looking, verifying, writing):
        plan = step.plan(looking)
        said = plan.observed["the bucket's owner does, exactly so"]
        assert (plan.touches, "UNKNOWN" in plan.verification) == (0, True)
        assert "take NobodyUntilReviewed out" in said
        assert "put-bucket-policy --bucket valuecanvas-backups" in said
        assert plan.observed["what is left then"]["Statement"] == [KEPT]
        looked = step.verify(verifying, plan, step.apply(writing, plan, quiet))
        assert (looked.verdict, "Nothing was done here" in looked.summary) == (Verdict.UNKNOWN, True)
        assert json.loads(bucket.said())["Statement"] == [SHUT, KEPT]

        def does(*_):
            bucket.put(KEPT)

        # Somebody does it while the step waits.
        values = FOUND.apply(writing, plan, does)
        assert FOUND.verify(verifying, plan, values).verdict is Verdict.OK
        assert FOUND.undo(writing, plan, values, quiet).verdict is Verdict.OK
        assert json.loads(bucket.said())["Statement"] == [KEPT]
    with handles(described(lab, access_key_id=None, secret_access_key=None)) as (looking, _, _):
        bucket.put(SHUT)
        assert "delete-bucket-policy" in str(step.plan(looking).observed)


@pytest.mark.parametrize("own", ["aws_access_key_id", "read_aws_access_key_id"])
def test_a_key_by_which_backups_are_made_is_no_owners_key(lab, bucket, own):
    bucket.put(SHUT)
    settings = described(lab, access_key_id=getattr(lab.settings, own))
    with handles(settings) as made, pytest.raises(Refused, match="is a key by which backups are written or read"):
        FOUND.plan(made[0])


def test_a_policy_of_which_something_was_hidden_in_the_record_is_put_by_nobody(bucket, targets):
    looking, _, writing = targets
    bucket.put(SHUT, KEPT)
    plan = FOUND.plan(looking)
    hidden = replace(
        plan, fingerprint={**plan.fingerprint, "before": plan.fingerprint["before"].replace("Kept", "***")}
    )
    for work in (FOUND.apply, lambda *given: FOUND.undo(given[0], given[1], {}, given[2])):
        with pytest.raises(Refused, match="was not recorded"):
            work(writing, hidden, quiet)
    assert json.loads(bucket.said())["Statement"] == [SHUT, KEPT]
