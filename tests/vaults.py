"""For tests of what the vault holds: the lab's secret, written as a person would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3


def person(settings: Any) -> Any:
    """Return a client of Secrets Manager that may do everything; the same one for the same credentials."""
    credentials = settings.aws_access_key_id.reveal(), settings.aws_secret_access_key.reveal()
    return _client(settings.aws_endpoint_url, settings.aws_region, *credentials)


@cache
def _client(address: str, region: str, key: str, secret: str) -> Any:
    return boto3.client(
        "secretsmanager",
        endpoint_url=address,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


class Shelf:
    """The lab's secret in Secrets Manager."""

    def __init__(self, settings: Any) -> None:
        self.name = settings.vault_secret
        self.client = person(settings)

    def values(self) -> dict[str, Any]:
        """Return all keys with their values, as they are now."""
        found = self.client.get_secret_value(SecretId=self.name, VersionStage="AWSCURRENT")
        return dict(json.loads(found["SecretString"]))

    def put(self, text: str | None = None, **values: Any) -> str:
        """Make a new version, with these keys changed or with ``text`` as a whole; return its id."""
        said = json.dumps(self.values() | values) if text is None else text
        # moto forgets which version is current once a stage was moved: a plain put would leave two of them.
        here = self.client.get_secret_value(SecretId=self.name, VersionStage="AWSCURRENT")["VersionId"]
        made = self.client.put_secret_value(SecretId=self.name, SecretString=said, VersionStages=["BY-HAND"])
        self._move("AWSCURRENT", RemoveFromVersionId=here, MoveToVersionId=made["VersionId"])
        self._move("BY-HAND", RemoveFromVersionId=made["VersionId"])
        return str(made["VersionId"])

    def _move(self, stage: str, **which: str) -> None:
        self.client.update_secret_version_stage(SecretId=self.name, VersionStage=stage, **which)


@contextmanager
def shelf(settings: Any) -> Iterator[Shelf]:
    """Hand out the secret, and put its keys back afterwards."""
    made = Shelf(settings)
    before = json.dumps(made.values())
    try:
        yield made
    finally:
        made.put(before)
