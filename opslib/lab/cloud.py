"""The lab's AWS interface: moto's server, with the buckets, secrets, log groups and zone of the operated system.

It keeps everything in memory and does not enforce all that AWS enforces (docs/lab.md says what not).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from opslib.lab import development
from opslib.lab.aws_owner import OWNER
from opslib.lab.production import DOMAIN, RENEWED, SITE, dummy
from opslib.lab.service import Service
from opslib.lab.vendors.product import STATE_BUCKET
from opslib.settings import Settings

REGION = "us-east-1"
BACKUPS = "valuecanvas-backups"
ARCHIVE = "valuecanvas-archive"
AUDIT = "valuecanvas-audit"
LEASES = "valuecanvas-leases"
LOCKED = (BACKUPS, ARCHIVE, AUDIT)
"""Buckets that keep versions and can lock them; Terraform's state has versions alone, leases neither."""

SECRET = "valuecanvas/production/secrets"  # noqa: S105 - the secret's name, not the secret
PRIVATE = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
GROUPS = {
    "/valuecanvas/application": 90,
    "/aws/eks/valuecanvas-production": 30,
    "/aws/eks/valuecanvas/api": 30,
    "/aws/ec2/valuecanvas-dev/app": 14,
}
"""Log groups with their retention in days."""

API_SECONDS = 5
"""How long answers about the API may be kept: a minute by day, in a lab nobody waits for that."""

KEYS = (
    "TOGETHER_API_KEY",
    "OPENAI_API_KEY",
    "SUPABASE_ANON_KEY",
    "SUPABASE_SERVICE_KEY",
    "JWT_SECRET",
    "DATABASE_URL",
    "REDIS_URL",
    "SLACK_WEBHOOK_URL",
    "ADMIN_TOKEN",
    "HOSTED_ZONE_ID",
)


class Cloud(Service):
    """moto's server with the operated system's AWS objects."""

    name = "aws"
    what = "AWS, moto"

    def command(self) -> list[str]:
        """Return the server's command line."""
        return [sys.executable, "-m", "opslib.lab.aws", "-H", "127.0.0.1", "-p", str(self.port)]

    def variables(self) -> Mapping[str, str]:
        """Return by whose key the policy of the bucket of backups is changed."""
        return {OWNER: f"{BACKUPS}:{self.passwords['owner_aws_id']}"}

    def up(self) -> None:
        """Start and fill the server; what a dead one held is lost, so it is filled again."""
        if not self.running:
            self.entry.filled = False
        super().up()

    @property
    def url(self) -> str:
        """The address of every service's API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def zone(self) -> str:
        """The id of the zone, which moto chooses; "" where there is none."""
        found = self.client("route53").list_hosted_zones_by_name(DNSName=DOMAIN)["HostedZones"]
        return found[0]["Id"].rpartition("/")[2] if found else ""

    def fill(self) -> None:
        """Create buckets, the secret, log groups with a few events, and the zone."""
        self._buckets(self.client("s3"))
        values = {name: dummy(name) for name in KEYS}
        vault = self.client("secretsmanager")
        vault.create_secret(Name=SECRET, SecretString=json.dumps(values | RENEWED))
        vault.put_secret_value(SecretId=SECRET, SecretString=json.dumps(values))
        vault.create_secret(Name=development.SECRET, SecretString=json.dumps(development.values()))
        self._logs(self.client("logs"))
        self._zone(self.client("route53"))

    def client(self, service: str) -> Any:
        """Return a client of one of its services that may do anything there."""
        return _client(service, self.url, self.passwords["aws_id"], self.passwords["aws_key"])

    def _buckets(self, s3: Any) -> None:
        for bucket in (*LOCKED, LEASES, STATE_BUCKET):
            s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=bucket in LOCKED)
            if bucket != LEASES:
                s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            s3.put_bucket_encryption(
                Bucket=bucket,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
                },
            )
            s3.put_public_access_block(
                Bucket=bucket,
                PublicAccessBlockConfiguration=dict.fromkeys(PRIVATE, True),
            )
        s3.put_bucket_lifecycle_configuration(Bucket=BACKUPS, LifecycleConfiguration=lifecycle())

    def _logs(self, logs: Any) -> None:
        stream = f"api-{self.state.clock:%Y-%m-%d}"
        for group, days in GROUPS.items():
            logs.create_log_group(logGroupName=group)
            logs.put_retention_policy(logGroupName=group, retentionInDays=days)
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=self._events())

    def _events(self) -> list[dict[str, Any]]:
        start = self.state.clock - timedelta(minutes=60)
        return [
            {
                "timestamp": int((start + timedelta(minutes=minute)).timestamp() * 1000),
                "message": json.dumps(
                    {
                        "level": "WARN" if minute % 20 == 0 else "INFO",
                        "service": "api",
                        "path": ("/health", "/api/llm/chat", "/api/billing")[minute % 3],
                        "status": 200,
                        "ip": f"198.51.100.{minute % 5 + 1}",
                        "userId": f"user-{minute % 7}",
                        "sessionId": f"session-{minute % 4}",
                        "requestId": f"request-{minute}",
                    }
                ),
            }
            for minute in range(60)
        ]

    def _zone(self, route53: Any) -> None:
        zone = route53.create_hosted_zone(Name=DOMAIN, CallerReference=f"lab-{self.state.seed}")["HostedZone"]["Id"]
        records = [
            {"Name": f"{host}.{DOMAIN}", "Type": "A", "TTL": seconds, "ResourceRecords": [{"Value": address}]}
            for host, seconds, address in (("api", API_SECONDS, SITE), ("app", 60, "192.0.2.20"))
        ]
        route53.change_resource_record_sets(
            HostedZoneId=zone,
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record} for record in records]},
        )


def lifecycle(days: int = 90) -> dict[str, Any]:
    """Return the rule of the bucket of backups, which deletes after so many days."""
    kept = {"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]} if days > 30 else {}
    rule = {"ID": "backups", "Status": "Enabled", "Filter": {"Prefix": "backups/"}, "Expiration": {"Days": days}}
    return {"Rules": [{**rule, **kept, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}]}


def client(settings: Settings, service: str) -> Any:
    """Return a client of one of the lab's AWS services that may do anything there."""
    key = settings.aws_access_key_id, settings.aws_secret_access_key
    return _client(service, str(settings.aws_endpoint_url), *(part.reveal() for part in key if part is not None))


def owner(settings: Settings) -> Any:
    """Return a client of the lab's S3 by the keys of whoever owns the bucket of backups."""
    key = settings.bucket_owner_aws_access_key_id, settings.bucket_owner_aws_secret_access_key
    return _client("s3", str(settings.aws_endpoint_url), *(part.reveal() for part in key if part is not None))


def _client(service: str, url: str, *key: str) -> Any:
    return _session().client(
        service, region_name=REGION, endpoint_url=url, aws_access_key_id=key[0], aws_secret_access_key=key[1]
    )


@cache
def _session() -> Any:
    # One for the process: each new one reads and parses the descriptions of its services anew.
    import boto3

    return boto3.Session()
