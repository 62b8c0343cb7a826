"""AWS Secrets Manager, asked how a secret stands: its versions, their stages and dates. Never for a value.

Source: AWS Secrets Manager API Reference (DescribeSecret, ListSecretVersionIds). The handle refuses inside botocore,
before a request is built, so that neither a new method here nor a direct call of its client can read a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from opslib.settings import ReadSettings
from opslib.systems.object_client import only, opened
from opslib.systems.object_errors import StoreError, told
from opslib.systems.pending import Pending

LOOKS = frozenset({"DescribeSecret", "ListSecretVersionIds"})
"""The operations that tell about a secret and do not show it."""
SECONDS = 30.0
NONE = "ResourceNotFoundException"


@dataclass(frozen=True)
class Version:
    """One version of a secret. ``stages`` are its labels: AWSCURRENT, AWSPENDING, AWSPREVIOUS, others."""

    id: str
    stages: tuple[str, ...]
    created: datetime | None


@dataclass(frozen=True)
class Standing:
    """How a secret stands. ``rotates`` says whether AWS can rotate it: rotation is on, with something that does it."""

    name: str
    rotates: bool
    rotated: datetime | None
    changed: datetime | None
    accessed: datetime | None
    versions: tuple[Version, ...]

    def with_stage(self, stage: str) -> tuple[Version, ...]:
        """Return the versions that carry this stage."""
        return tuple(version for version in self.versions if stage in version.stages)


class ReadOnlySecrets:
    """Secrets Manager by the reading credentials of a target description."""

    def __init__(self, settings: ReadSettings) -> None:
        self._client = opened(
            "secretsmanager", settings, settings.read_aws_access_key_id, settings.read_aws_secret_access_key
        )
        only(self._client, "secrets-manager", LOOKS, "Rotate it by its runbook.")

    def standing(self, name: str) -> Standing | None:
        """Return how the secret stands, or None where there is none; raises Unreachable with the kind of failure."""
        try:
            said = self._ask("describe_secret", SecretId=name)
            listed = self._ask("list_secret_version_ids", SecretId=name, IncludeDeprecated=True, MaxResults=100)
        except StoreError as error:
            if error.code == NONE:
                return None
            raise
        return Standing(
            name=name,
            rotates=bool(said.get("RotationEnabled")) and bool(said.get("RotationLambdaARN")),
            rotated=_moment(said.get("LastRotatedDate")),
            changed=_moment(said.get("LastChangedDate")),
            accessed=_moment(said.get("LastAccessedDate")),
            versions=tuple(
                Version(one["VersionId"], tuple(sorted(one.get("VersionStages", ()))), _moment(one.get("CreatedDate")))
                for one in listed.get("Versions", ())
            ),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, operation: str, **parameters: Any) -> Any:
        what = f"Secrets Manager {operation} of {parameters['SecretId']}"
        work = partial(getattr(self._client, operation), **parameters)
        return Pending(what, SECONDS, lambda: told(work, what)).result()


def _moment(value: datetime | None) -> datetime | None:
    return value.astimezone(UTC) if value is not None else None
