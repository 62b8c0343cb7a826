"""Claims against S3's interface: moto's server behind a front that can fail."""

import json
import secrets
import socket

import pytest

from opslib.errors import OpsError, Refused, Unreachable
from opslib.runs.claims import claim_plan
from opslib.runs.locks import target_id
from opslib.systems.claim_store import claim
from opslib.systems.object_client import connect
from tests.descriptions import description
from tests.systems.lease_front import Front

BUCKET = "claims-of-a-test"
PLAN = "20261123T130614Z-runbooks-try-things-a1b2c3"
SAID = {"run": "run-a", "user": "ann"}


@pytest.fixture
def front(lab):
    one = Front(lab.settings.aws_endpoint_url)
    yield one
    one.close()


@pytest.fixture(scope="module")
def client(lab):
    one = connect(lab.settings, lab.settings.aws_access_key_id, lab.settings.aws_secret_access_key)
    one.create_bucket(Bucket=BUCKET)
    yield one
    one.close()


@pytest.fixture
def target(lab, front, client):
    """The lab's description with a bucket for claims, reached through the front; each test has its own plans."""
    changes = {
        "lease_bucket": BUCKET,
        "aws_endpoint_url": front.url,
        "backup_bucket": f"of-test-{secrets.token_hex(8)}",
    }
    return lab.settings.model_copy(update=changes)


@pytest.fixture
def key(target):
    return f"claims/{target_id(target)}/{PLAN}.json"


def test_the_first_has_the_claim_and_every_later_one_is_told_whose_it_is(target, client, key):
    assert claim(target, BUCKET, key, SAID) is None
    for _ in range(2):
        there = claim(target, BUCKET, key, SAID)
        assert there.items() >= SAID.items()
    written = client.get_object(Bucket=BUCKET, Key=key)
    assert json.loads(written["Body"].read()) == there
    assert written["ContentType"] == "application/json"
    assert len(there["nonce"]) == 32


def test_a_claim_whose_reply_was_lost_is_had_all_the_same(target, front, key):
    front.faults = ["unanswered"]
    assert claim(target, BUCKET, key, SAID) is None
    assert front.writes == 1


def test_a_claim_that_never_arrived_is_unknown_and_the_next_one_gets_it(target, front, key):
    front.faults = ["lost"]
    with pytest.raises(Unreachable):
        claim(target, BUCKET, key, SAID)
    assert claim(target, BUCKET, key, SAID) is None


@pytest.mark.parametrize("data", [b"", b"not json", b"[1]", b"[" * 9000, b'{"run": 7}', b'{"run": "x"}' + b" " * 9000])
def test_whatever_stands_there_is_another_ones_claim(target, client, key, data):
    client.put_object(Bucket=BUCKET, Key=key, Body=data)
    there = claim(target, BUCKET, key, SAID)
    assert there == ({"run": "x"} if b"x" in data else {})


def test_no_more_than_the_largest_claim_is_read(target, client, key):
    said = b'{"run": "x"}'
    client.put_object(Bucket=BUCKET, Key=key, Body=b" " * (8192 - len(said)) + said)
    assert claim(target, BUCKET, key, SAID) == {"run": "x"}
    client.put_object(Bucket=BUCKET, Key=key, Body=b" " * (8193 - len(said)) + said)
    assert claim(target, BUCKET, key, SAID) == {}


def test_a_plan_is_claimed_once_and_the_next_is_told_by_whom(target, key):
    claim_plan(target, PLAN, f"{PLAN}-apply")
    with pytest.raises(Refused, match="applied already") as refused:
        claim_plan(target, PLAN, "another")
    assert f"{PLAN}-apply" in refused.value.message
    assert refused.value.next_step.endswith(f"Its claim is s3://{BUCKET}/{key}.")


def test_a_claim_says_by_whom_and_where_it_was_made_in_so_many_letters(target, client, key, monkeypatch):
    monkeypatch.setenv("LOGNAME", "u" * 300)
    claim_plan(target, PLAN, "mine")
    there = json.loads(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert (there["run"], there["user"], there["host"]) == ("mine", "u" * 200, socket.gethostname())


def test_what_a_stranger_wrote_into_a_claim_steers_no_terminal(target, client, key):
    client.put_object(Bucket=BUCKET, Key=key, Body=json.dumps({"run": "x\x1b[2J" + "y" * 200, "user": ""}).encode())
    with pytest.raises(Refused) as refused:
        claim_plan(target, PLAN, "mine")
    assert refused.value.message.endswith(f": x?[2J{'y' * 115} ? ? ?.")


def test_a_plan_is_not_applied_while_nobody_can_know_whether_it_was(target, front):
    front.faults = ["lost"]
    with pytest.raises(Refused, match="cannot be known") as refused:
        claim_plan(target, PLAN, "mine")
    assert refused.value.next_step.endswith("Nothing was changed.")
    missing = target.model_copy(update={"lease_bucket": "no-such-bucket-of-a-test"})
    with pytest.raises(Refused, match="cannot be known"):
        claim_plan(missing, PLAN, "mine")
    with pytest.raises(OpsError):
        claim(missing, "no-such-bucket-of-a-test", "k", SAID)


def test_without_a_bucket_for_leases_nobody_is_asked():
    claim_plan(description(), PLAN, "mine")
