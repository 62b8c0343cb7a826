from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from opslib.lab import cloud, state
from opslib.lab.cloud import Cloud
from opslib.lab.production import PROJECT
from opslib.redaction import Secret
from opslib.systems.env_variables import VARIABLES, key_of
from opslib.systems.env_variables_production import COMMANDS
from opslib.systems.publishable import ANON_KEY, unpublishable


@pytest.fixture(scope="module")
def aws(lab):
    found = state.read(lab.folder)
    assert found is not None
    server = Cloud(found, state.passwords(lab.folder))

    def client(service: str) -> Any:
        session: Any = boto3.Session("lab-test-key-id", "lab-test-secret-key", region_name=cloud.REGION)
        return session.client(service, endpoint_url=server.url)

    return client


@pytest.mark.parametrize("bucket", cloud.LOCKED)
def test_the_buckets_keep_versions_and_refuse_to_delete_a_locked_one(aws, bucket):
    s3 = aws("s3")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"
    put = s3.put_object(Bucket=bucket, Key="tests/locked", Body=b"x", ObjectLockLegalHoldStatus="ON")
    which = {"Bucket": bucket, "Key": "tests/locked", "VersionId": put["VersionId"]}
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(**which)
    s3.put_object_legal_hold(**which, LegalHold={"Status": "OFF"})
    s3.delete_object(**which)


def test_the_secret_has_every_key_with_a_dummy_value(aws):
    said = json.loads(aws("secretsmanager").get_secret_value(SecretId=cloud.SECRET)["SecretString"])
    assert set(said) == set(cloud.KEYS)
    public = said.pop("SUPABASE_ANON_KEY")
    assert unpublishable(ANON_KEY, Secret(public), PROJECT) is None
    values = {one.name: one for one in (*VARIABLES, *COMMANDS)}
    assert [name for name in said.keys() & values.keys() if values[name].form(said[name])] == []
    assert key_of(said.pop("SUPABASE_SERVICE_KEY"))["role"] == "service_role"
    assert all("labdummy" in value.lower().replace("-", "") for value in said.values())


def test_the_log_groups_have_their_retention_and_recent_events(aws):
    logs = aws("logs")
    groups = {
        g["logGroupName"]: g["retentionInDays"]
        for g in logs.describe_log_groups()["logGroups"]
        if "retentionInDays" in g
    }
    assert groups.items() >= cloud.GROUPS.items()
    events = logs.filter_log_events(logGroupName="/valuecanvas/application")["events"]
    assert len(events) >= 60
    assert {json.loads(e["message"])["level"] for e in events} >= {"INFO", "WARN"}


def test_the_zone_has_the_records_of_api_and_application(aws):
    route53 = aws("route53")
    [zone] = [z for z in route53.list_hosted_zones()["HostedZones"] if z["Name"] == f"{cloud.DOMAIN}."]
    records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    assert {r["Name"] for r in records if r["Type"] == "A"} == {"api.valuecanvas.com.", "app.valuecanvas.com."}
