"""The vault's versions, put and staged: what the executor's account may do while a step is applied, and nothing else.

Source: AWS Secrets Manager API Reference (PutSecretValue, UpdateSecretVersionStage). A version's id is the token of
the call that put it, so that the same call again makes no second version.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from opslib.errors import Refused, Unreachable
from opslib.redaction import Secret
from opslib.settings import Settings
from opslib.systems.object_client import opened
from opslib.systems.object_errors import told
from opslib.systems.pending import Pending
from opslib.systems.vault import CURRENT, PENDING, SECONDS

CALLS = frozenset({"GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"})

T = TypeVar("T")


class VaultWriter:
    """The secret that the description names, by the credentials that may stage (else the executor's own)."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.vault_secret
        key, secret = settings.vault_aws_access_key_id, settings.vault_aws_secret_access_key
        if key is None:
            key, secret = settings.aws_access_key_id, settings.aws_secret_access_key
        # One try each: whether a call whose answer was lost did anything is looked up by its version.
        self._client = opened("secretsmanager", settings, key, secret, seconds=10, attempts=1)
        self._client.meta.events.register_first("provide-client-params.secrets-manager", _only_these)

    def put_pending(self, key: str, value: Secret, *, base: str, version: str) -> None:
        """Put what version ``base`` holds, with ``key`` changed, as ``version``, with the stage AWSPENDING."""
        found = self._asked("GetSecretValue", lambda: self._client.get_secret_value(SecretId=self.name, VersionId=base))
        try:
            said = json.loads(found["SecretString"])
        except (KeyError, ValueError):
            said = None
        if not isinstance(said, dict):
            raise Unreachable(f"{self.name} holds no JSON object.", "Put it there as key and value pairs.", "malformed")
        text = json.dumps(said | {key: value.reveal()})
        self._asked(
            "PutSecretValue",
            lambda: self._client.put_secret_value(
                SecretId=self.name, ClientRequestToken=version, SecretString=text, VersionStages=[PENDING]
            ),
        )

    def move(self, stage: str, to: str | None, *, off: str | None = None) -> None:
        """Move ``stage`` to the version ``to``, off the version ``off``; to None it is taken off."""
        which = {"MoveToVersionId": to, "RemoveFromVersionId": off}
        given = {name: value for name, value in which.items() if value is not None}
        self._asked(
            "UpdateSecretVersionStage",
            lambda: self._client.update_secret_version_stage(SecretId=self.name, VersionStage=stage, **given),
        )

    def promote(self, to: str, *, off: str) -> None:
        """Make ``to`` the current version in place of ``off``, which becomes the previous one."""
        self.move(CURRENT, to, off=off)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _asked(self, operation: str, call: Callable[[], T]) -> T:
        what = f"Secrets Manager {operation} of {self.name}"
        return Pending(what, SECONDS, lambda: told(call, what)).result()


def _only_these(event_name: str, **_: Any) -> None:
    operation = event_name.rsplit(".", 1)[-1]
    if operation not in CALLS:
        raise Refused(f"This handle does not call Secrets Manager {operation}.", "It stages versions only.")
