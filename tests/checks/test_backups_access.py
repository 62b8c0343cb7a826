"""A bucket's policy that shuts out who backs up: read as AWS evaluates it, and tried where a try changes nothing."""

import json

import pytest

from opslib.checks import backups as checks
from opslib.lab.broken import find
from opslib.lab.cloud import client, owner
from opslib.model import Reading, Verdict, now
from opslib.probes.backups_policy import called, denials
from opslib.runs.reading import evaluate
from tests.databases import with_settings

KEY = "arn:aws:s3:::valuecanvas-backups/backups/one"
ROW = {"actions": "", "denied_by": "", "to": "", "condition": "", "refused": False, "unread": ""}
WRITE = {"need": "write", "refused": None}
BY = {"denied_by": "Shut", "to": "everybody"}


def statement(**said):
    return {"Sid": "Shut", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"} | said


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (statement(), ("Shut", "everybody", "")),
        (statement(Effect="Allow"), None),
        (statement(Action=["S3:putobject"]), ("Shut", "everybody", "")),
        (statement(Action="s3:Get*"), None),
        (statement(Action="s3:Put?bject"), ("Shut", "everybody", "")),
        (statement(Resource="arn:aws:s3:::valuecanvas-backups/*"), ("Shut", "everybody", "")),
        (statement(Resource="arn:aws:s3:::valuecanvas-backups"), None),
        (statement(Resource="arn:aws:s3:::valuecanvas-backups/BACKUPS/*"), None),
        (statement(Principal={"AWS": "*"}), ("Shut", "everybody", "")),
        (statement(Principal={"AWS": ["arn:aws:iam::1:role/x"]}), ("Shut", "arn:aws:iam::1:role/x", "")),
        (
            statement(Condition={"Bool": {"aws:SecureTransport": "false"}}),
            ("Shut", "everybody", "Bool aws:SecureTransport"),
        ),
    ],
)
def test_a_statement_denies_what_its_words_say(said, found):
    assert list(denials({"Statement": [said]}, "s3:PutObject", KEY)) == ([found] if found else [])
    # A single statement may stand without a list.
    assert list(denials({"Statement": said}, "s3:PutObject", KEY)) == ([found] if found else [])


def test_what_is_said_by_exception_denies_the_rest():
    but_reading = {"Effect": "Deny", "Principal": "*", "NotAction": "s3:Get*", "Resource": "*"}
    assert list(denials({"Statement": [but_reading]}, "s3:PutObject", KEY)) == [(called(but_reading), "everybody", "")]
    assert list(denials({"Statement": [but_reading]}, "s3:GetObject", KEY)) == []
    but_some = {"Effect": "Deny", "NotPrincipal": {"AWS": "x"}, "Action": "s3:*", "NotResource": "arn:other"}
    assert list(denials({"Statement": [but_some]}, "s3:PutObject", KEY)) == [(called(but_some), "all but some", "")]


@pytest.mark.parametrize(
    ("row", "verdict", "words"),
    [
        ({"need": "list"}, Verdict.OK, "let in"),
        ({**WRITE, **BY}, Verdict.CRITICAL, "denies it to everybody (Shut)"),
        ({"need": "read", **BY, "refused": True}, Verdict.CRITICAL, "and it is refused"),
        ({"need": "read", "refused": True}, Verdict.CRITICAL, "the role's own policy"),
        ({"need": "read", **BY, "condition": "Bool x", "refused": True}, Verdict.CRITICAL, "as Shut says (Bool x)"),
        ({**WRITE, "unread": "the bucket's policy may not be read"}, Verdict.UNKNOWN, "may not be read"),
        ({**WRITE, "denied_by": "Shut", "to": "arn:role/x"}, Verdict.WARNING, "is that who backs up?"),
        ({**WRITE, **BY, "condition": "Bool aws:SecureTransport"}, Verdict.OK, "under a condition it denies: Shut"),
    ],
)
def test_a_denial_is_judged_by_whom_it_hits_and_what_a_try_showed(row, verdict, words):
    found = checks.access.judge(Reading("x", "X", "lab", now(), 0.1, ({**ROW, **row},)))
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary


def test_in_the_lab_writing_and_reading_are_really_refused_and_listing_is_not(lab):
    fault, store = find("bucket-denied"), client(lab.settings, "s3")
    fault.make(lab.settings)
    try:
        found = evaluate(checks.access, lab.target)
        bucket = {"Bucket": lab.settings.backup_bucket}
        with pytest.raises(store.exceptions.ClientError, match="AccessDenied"):
            store.put_object(**bucket, Key="backups/one", Body=b"x")
        with pytest.raises(store.exceptions.ClientError, match="AccessDenied"):
            store.create_multipart_upload(**bucket, Key="backups/one")
        with pytest.raises(store.exceptions.ClientError, match="403"):
            store.head_object(**bucket, Key="backups/one")
        assert "Versions" not in store.list_object_versions(**bucket, Prefix="backups/nobody")
        # What guards the bucket is another question, and answered as before.
        assert evaluate(checks.protections, lab.target).verdict is Verdict.OK
    finally:
        fault.mend(lab.settings)
    rows = {row["need"]: row for row in found.reading.rows}
    assert {need: row["refused"] for need, row in rows.items()} == {"list": False, "read": True, "write": None}
    assert {row["denied_by"] for need, row in rows.items() if need != "list"} == {"NobodyUntilReviewed"}
    assert evaluate(checks.access, lab.target).verdict is Verdict.OK


def test_a_denial_of_what_is_sent_without_tls_shuts_nobody_out(lab):
    said = statement(Condition={"Bool": {"aws:SecureTransport": "false"}}, Action="s3:DeleteObject")
    store, bucket = owner(lab.settings), lab.settings.backup_bucket
    store.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [said]}))
    try:
        assert evaluate(checks.access, lab.target).verdict is Verdict.OK
    finally:
        store.delete_bucket_policy(Bucket=bucket)


def test_where_the_store_does_not_answer_it_is_unknown(lab):
    nobody = with_settings(lab, aws_endpoint_url="http://127.0.0.1:9")
    assert evaluate(checks.access, nobody).verdict is Verdict.UNKNOWN
