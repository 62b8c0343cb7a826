"""The product's keys in AWS Secrets Manager, read for the executor: one secret that holds a JSON object of texts.

Only GetSecretValue is called, always of a named stage or version. Source: AWS Secrets Manager API Reference
(GetSecretValue), User Guide ("Secret versions"): AWSCURRENT, AWSPREVIOUS, and older versions by their id for a while.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opslib.errors import Refused, Unreachable
from opslib.redaction import Secret
from opslib.redaction_known import weakness
from opslib.settings import Settings
from opslib.systems.object_client import only, opened
from opslib.systems.object_errors import StoreError, told
from opslib.systems.pending import Pending

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
SECONDS = 25.0
LONGEST = 24_576
"""Characters of a value; Supabase takes no more."""

_PLACEHOLDER = re.compile(
    r"(?i)<.*>|\{\{.*\}\}|\$\{?\w+\}?|x{4,}|.*(your|insert|enter)[-_ ].*(key|token|secret|here).*|.*placeholder.*"
    r"|(.*[^a-z0-9])?your[-_].*|.*example\.(com|org|net)\b.*"
    r"|(todo|tbd|fixme|none|null|undefined)[-_ ]?.*|.*(change|replace)[-_ ]?(me|this).*"
)


@dataclass(frozen=True)
class Version:
    """One version of the secret: its id, and the keys that it holds."""

    id: str
    _values: dict[str, Secret] = field(repr=False)
    _rest: dict[str, Any] = field(default_factory=dict, repr=False)
    """What is no text, by its key."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of what it holds."""
        return tuple(sorted({*self._values, *self._rest}))

    def differs(self, other: Version) -> tuple[str, ...]:
        """Return the names of what is not the same in both."""
        mine, theirs = {**self._values, **self._rest}, {**other._values, **other._rest}
        nothing = object()
        names = sorted({*mine, *theirs})
        return tuple(name for name in names if mine.get(name, nothing) != theirs.get(name, nothing))

    def shared(self, other: Version, keys: Iterable[str]) -> list[tuple[str, bool]]:
        """Return which of ``keys`` both versions have, each with whether the value is the same."""
        pairs = ((key, self.value(key), other.value(key)) for key in keys)
        return [(key, mine.reveal() == theirs.reveal()) for key, mine, theirs in pairs if mine and theirs]

    def shared_with(self, values: Mapping[str, str], keys: Iterable[str]) -> list[tuple[str, bool]]:
        """Return which of ``keys`` this version and an env file have, each with whether the value is the same."""
        pairs = ((key, self.value(key), values.get(key)) for key in keys)
        return [(key, mine.reveal() == theirs) for key, mine, theirs in pairs if mine and theirs]

    def value(self, key: str) -> Secret | None:
        """Return what stands under ``key``, or None."""
        return self._values.get(key)

    def others(self, *public: str) -> list[Secret]:
        """Return all values but those of the keys ``public``, to look for where none may stand."""
        return [value for key, value in self._values.items() if key not in public]


class Vault:
    """The secret that the description names (OPS_VAULT_SECRET), as the executor's account may read it."""

    def __init__(self, settings: Settings, name: str | None = None) -> None:
        """Read the secret ``name`` of the developers, or the product's own."""
        self.name = name or settings.vault_secret
        self._named_by = "OPS_DEVELOPMENT_SECRET" if name else "OPS_VAULT_SECRET"
        self._client = opened(
            "secretsmanager", settings, settings.aws_access_key_id, settings.aws_secret_access_key, seconds=10
        )
        only(self._client, "secrets-manager", frozenset({"GetSecretValue"}), "It reads values only.")

    def stage(self, stage: str) -> Version | None:
        """Return the version that has ``stage`` now; None where no version has it.

        Raises Unreachable when the vault cannot be looked at, or holds no JSON object of texts.
        """
        return self._version(VersionStage=stage)

    def version(self, identity: str) -> Version | None:
        """Return the version of that id; None where it is gone. Raises as :meth:`stage`."""
        return self._version(VersionId=identity)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _version(self, **which: str) -> Version | None:
        what = f"Secrets Manager GetSecretValue of {self.name}"
        name, client = self.name, self._client
        try:
            answer = Pending(
                what, SECONDS, lambda: told(lambda: client.get_secret_value(SecretId=name, **which), what)
            ).result()
        except StoreError as error:
            if error.code != "ResourceNotFoundException":
                raise
            if which == {"VersionStage": CURRENT}:
                raise Unreachable(
                    f"There is no secret {self.name} in Secrets Manager, or it has no value.",
                    f"Correct {self._named_by}, or put it there.",
                    "missing",
                ) from None
            return None
        said = self._parsed(answer.get("SecretString"))
        texts = {key: Secret(value) for key, value in said.items() if isinstance(value, str)}
        rest = {key: value for key, value in said.items() if not isinstance(value, str)}
        return Version(str(answer["VersionId"]), texts, rest)

    def _parsed(self, text: str | None) -> dict[str, Any]:
        try:
            said = json.loads(text or "")
        except ValueError:
            said = None
        if not isinstance(said, dict):
            # Its text is in no message: it is what must not be shown.
            raise Unreachable(f"{self.name} holds no JSON object.", "Put it there as key and value pairs.", "malformed")
        return said


def usable(key: str, version: Version) -> Secret:
    """Return the value of ``key``; raises Refused, in words that do not repeat it, where it cannot be one."""
    value = version.value(key)
    if value is None:
        raise Refused(f"The vault has no {key} (as a text).", "Put it there first.")
    if fault := _fault(value.reveal()):
        raise Refused(f"{key} in the vault {fault}.", "Put the right value there first.")
    return value


def placeholder(value: str) -> bool:
    """Tell whether a value only stands in the place of one, as in a template."""
    return _PLACEHOLDER.fullmatch(value) is not None


def _fault(value: str) -> str | None:
    if not value:
        return "is empty"
    if value != value.strip():
        return "begins or ends with a blank or a line end"
    if not value.isprintable():
        return "holds characters that cannot be printed"
    if len(value) > LONGEST:
        return f"has more than {LONGEST} characters"
    if placeholder(value):
        return "is a placeholder"
    return weakness(value)
