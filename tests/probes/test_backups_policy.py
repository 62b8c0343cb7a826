"""A bucket's policy taken apart: what a statement is called, whom it shuts out of what, and which of them stay."""

import json
import random

import pytest

from opslib.probes.backups_policy import called, normal, parsed, parted, same, statements, without
from opslib.settings import ReadSettings

PLACE = "arn:aws:s3:::valuecanvas-backups"
SETTINGS = ReadSettings.model_construct(
    backup_bucket="valuecanvas-backups", backup_prefix="backups/", continuous_prefix=None
)


def statement(**said):
    return {"Sid": "Shut", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"{PLACE}/*"} | said


def rows(*said):
    return parted({"Version": "2012-10-17", "Statement": list(said)}, SETTINGS)


@pytest.mark.parametrize("sid", ["NobodyUntilReviewed", "a-b_9"])
def test_a_statement_is_called_by_its_sid_where_that_is_a_plain_word(sid):
    assert called(statement(Sid=sid)) == sid


@pytest.mark.parametrize(
    "sid", ["", "none", "found", "found-again", "two words", "sha256-0123456789ab", "x" * 101, "a,b"]
)
def test_another_one_is_called_by_its_digest_whatever_the_order_of_its_words(sid):
    one = statement(Sid=sid, Action=["s3:GetObject", "s3:PutObject"])
    assert called(one).startswith("sha256-")
    turned = dict(reversed(one.items())) | {"Action": ["s3:PutObject", "s3:GetObject"], "Principal": ["*"]}
    assert called(turned) == called(one)
    assert called(one | {"Action": "s3:GetObject"}) != called(one)


def test_texts_that_aws_takes_for_the_same_are_the_same_and_others_are_not():
    one = {"Version": "2012-10-17", "Statement": [statement(Action=["s3:PutObject"])]}
    assert same(one, {"Statement": statement(Action="s3:PutObject"), "Version": "2012-10-17"})
    assert normal(normal(one)) == normal(one)
    assert not same(one, {**one, "Statement": [statement(Action=["s3:PutObject", "s3:GetObject"])]})
    assert not same(one, {})


def test_without_some_statements_all_else_stays_as_it_is():
    shut, tls = statement(), statement(Sid="Tls", Condition={"Bool": {"aws:SecureTransport": "false"}})
    policy = {"Version": "2012-10-17", "Id": "ours", "Statement": [tls, shut]}
    assert without(policy, ["Shut"]) == {"Version": "2012-10-17", "Id": "ours", "Statement": [tls]}
    assert without(policy, ["Shut", "Tls"]) == {}
    assert without({"Statement": shut}, ["other"]) == {"Statement": [shut]}


@pytest.mark.parametrize(
    ("said", "out", "protects"),
    [
        (statement(), "read, write", ""),
        (statement(Resource=[PLACE, f"{PLACE}/*"]), "list, read, write", ""),
        (statement(Action="s3:PutObject"), "write", ""),
        (statement(NotAction="s3:Get*", Action=None), "write", ""),
        (statement(Resource=f"{PLACE}/elsewhere/*"), "", "denies nothing that a backup needs"),
        (statement(Action=["s3:DeleteObject", "s3:DeleteObjectVersion"]), "", "denies nothing that a backup needs"),
        (statement(Action="s3:PutObjectRetention"), "", "denies nothing that a backup needs"),
        (statement(Condition={"Bool": {"aws:SecureTransport": "false"}}), "read, write", "TLS"),
        (statement(Condition={"Bool": {"AWS:securetransport": "false"}}), "read, write", "TLS"),
        (statement(Condition={"NumericLessThan": {"s3:TlsVersion": 1.2}}), "read, write", "TLS"),
        (
            statement(
                Action="s3:PutObject", Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
            ),
            "write",
            "encryption",
        ),
        (
            statement(Condition={"NumericLessThan": {"s3:object-lock-remaining-retention-days": "9"}}),
            "read, write",
            "lock",
        ),
        (statement(Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), "read, write", ""),
    ],
)
def test_a_row_says_what_a_statement_shuts_out_and_why_it_stays(said, out, protects):
    (row,) = rows({key: value for key, value in said.items() if value is not None})
    assert row["shuts_out"] == out
    assert protects in row["protects"]
    assert bool(protects) == bool(row["protects"])


def test_only_denials_are_rows_and_two_of_one_name_say_so():
    found = rows(statement(Effect="Allow"), statement(), statement(Action="s3:PutObject"), statement(Sid="Else"))
    assert [(row["statement"], row["alike"]) for row in found] == [("Shut", 3), ("Shut", 3), ("Else", 1)]


@pytest.mark.parametrize("text", ["[]", '"x"', '{"Statement": ["x"]}', '{"Statement": 1}', "{"])
def test_what_is_no_policy_is_none(text):
    with pytest.raises(ValueError, match=r"."):
        parsed(text)


def test_a_policy_survives_whatever_order_its_lists_come_in():
    turns = random.Random(7)
    for _ in range(50):
        said = [statement(Sid=f"S{n}", Action=[f"s3:{word}" for word in ("Get*", "Put*", "List*")]) for n in range(4)]
        policy = {"Version": "2012-10-17", "Statement": said}
        turned = json.loads(json.dumps(policy))
        turns.shuffle(turned["Statement"])
        for one in turned["Statement"]:
            turns.shuffle(one["Action"])
        assert same(policy, turned)
        assert {called(one) for one in statements(turned)} == {f"S{n}" for n in range(4)}
