"""The bucket's owner's handle: the policy alone, put as it was given, by no other key than the owner's."""

import json

import boto3
import pytest

from opslib.errors import OpsError, Refused
from opslib.systems.bucket_policy import CALLS, BucketOwner

TEXT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": "*"}],
    }
)


@pytest.fixture
def owner(lab):
    handle = BucketOwner(lab.settings)
    yield handle
    handle.put("")
    handle.close()


def test_a_policy_is_put_as_it_was_given_and_taken_away(owner):
    assert owner.text() == ""
    owner.put(TEXT)
    assert owner.text() == TEXT
    owner.put("")
    owner.put("")
    assert owner.text() == ""


def test_every_other_operation_is_refused_before_anything_is_sent(lab, owner):
    model = boto3.session.Session().client("s3", region_name="us-east-1").meta.service_model
    assert set(model.operation_names) >= CALLS
    methods = {name: method for method, name in owner._client.meta.method_to_api_mapping.items()}
    for name in sorted(set(model.operation_names) - CALLS):
        shape = model.operation_model(name).input_shape
        given = {"Bucket": lab.settings.backup_bucket, "Key": "x"}
        wanted = {key: given.get(key, "x") for key in (shape.required_members if shape else ())}
        with pytest.raises(Refused, match="may not call"):
            getattr(owner._client, methods[name])(**wanted)


@pytest.mark.parametrize("own", ["aws", "read_aws"])
def test_by_the_keys_of_who_backs_up_the_policy_is_not_changed(lab, owner, own):
    parts = {
        f"bucket_owner_aws_{part}": getattr(lab.settings, f"{own}_{part}")
        for part in ("access_key_id", "secret_access_key")
    }
    other = BucketOwner(lab.settings.model_copy(update=parts))
    for text in (TEXT, ""):
        with pytest.raises(OpsError, match=r"may not do that|forbids"):
            other.put(text)
    assert owner.text() == ""
    other.close()


@pytest.mark.parametrize("missing", ["access_key_id", "secret_access_key"])
def test_without_both_parts_of_the_credential_there_is_no_handle(lab, missing):
    without = lab.settings.model_copy(update={f"bucket_owner_aws_{missing}": None})
    with pytest.raises(Refused, match="no credentials of the bucket's owner"):
        BucketOwner(without)
