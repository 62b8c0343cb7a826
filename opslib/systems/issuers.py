"""Who makes and deletes keys by an API, in one form: OpenAI's project, and the Supabase project.

What a rotation made is found again by the name that it gave to it. A key's value is in the answer to its making alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from opslib.errors import Refused, Unreachable
from opslib.redaction import Secret
from opslib.systems.openai import Project, ReadOnlyProject
from opslib.systems.supabase_keyring import LEGACY, SECRET, ApiKey, Keyring, ReadOnlyKeyring

Which = dict[str, str]
"""A key that is to be revoked, as a plan shows it."""


@dataclass(frozen=True)
class Entry:
    """A key as its issuer lists it. ``used`` is when it was last (seconds since the epoch), where the list says so.

    ``hash`` is what the issuer's logs call it.
    """

    id: str
    used: int | None = None
    hash: str = ""


@dataclass(frozen=True)
class Issued:
    """A key that was just made: what it is deleted by, its own id, its value."""

    id: str
    key: str
    value: Secret = field(repr=False)


class ReadOnlyIssuer(Protocol):
    """The keys of one project, looked at."""

    thing: str
    """What is made for a rotation, in words."""
    project: str
    setting: str
    """The variable that names the project."""

    def named(self, name: str) -> list[str]:
        """Return the ids of what was made under ``name``."""

    def entry(self, value: Secret) -> Entry | None:
        """Return the entry of a key; None where none, or more than one, can be it."""

    def which(self, value: Secret) -> Which:
        """Return what revoking a key means; raises Refused where that is not certain, or more would go with it."""

    def gone(self, which: Which) -> bool:
        """Tell whether it was revoked."""


class Issuer(ReadOnlyIssuer, Protocol):
    """Also makes keys, and revokes them."""

    def make(self, name: str) -> Issued:
        """Make a key under ``name``; not repeatable. Raises Unreachable."""

    def remove(self, identity: str) -> None:
        """Delete what was made for a rotation; raises Unreachable (missing) where it is gone."""

    def revoke(self, which: Which) -> None:
        """Revoke a key; raises Unreachable."""


class ReadOnlyOpenAi:
    """OpenAI's project: a key is that of a service account, and goes with it."""

    thing, setting = "service account", "OPENAI_PROJECT_ID"

    def __init__(self, project: ReadOnlyProject) -> None:
        self._read, self.project = project, project.id

    def named(self, name: str) -> list[str]:
        """Return the service accounts of that name."""
        return [one.id for one in self._read.accounts() if one.name == name]

    def entry(self, value: Secret) -> Entry | None:
        """Return the entry of a key; None where none, or more than one, can be it."""
        found = [one for one in self._read.listed() if one.may_be(value)]
        return Entry(found[0].id, found[0].used) if len(found) == 1 else None

    def which(self, value: Secret) -> Which:
        """Return the key, with the account that goes with it; raises Refused where that has others."""
        listed = self._read.listed()
        found = [one for one in listed if one.may_be(value)]
        if len(found) != 1:
            raise _uncertain(self)
        account = found[0].owner.account
        if account is None:
            return {"key": found[0].id, "of": "a person"}
        beside = [one.id for one in listed if one.owner.account and one.owner.account.id == account.id]
        if others := [one for one in beside if one != found[0].id]:
            raise Refused(
                f"The service account {account.name} has {len(others)} more keys, which would go with it.",
                "Find out who uses them; give each use an account of its own.",
            )
        return {"key": found[0].id, "of": "a service account", "account": account.id, "named": account.name}

    def gone(self, which: Which) -> bool:
        """Tell whether the list has it no more."""
        return all(one.id != which["key"] for one in self._read.listed())


class OpenAi(ReadOnlyOpenAi):
    """Also makes and deletes service accounts."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._write = project

    def make(self, name: str) -> Issued:
        """Make a service account with a key."""
        made = self._write.make(name)
        return Issued(made.account, made.key, made.value)

    def remove(self, identity: str) -> None:
        """Delete a service account with its key."""
        self._write.remove(identity)

    def revoke(self, which: Which) -> None:
        """Delete the account, or a person's key."""
        if "account" in which:
            self._write.remove(which["account"])
        else:
            self._write.remove_key(which["key"])


class ReadOnlySupabaseKeys:
    """The Supabase project: keys of today's form by themselves; the older two only together."""

    thing, setting = "secret key", "SUPABASE_PROJECT_REF"

    def __init__(self, keyring: ReadOnlyKeyring) -> None:
        self._read, self.project = keyring, keyring.ref

    def named(self, name: str) -> list[str]:
        """Return the secret keys of that name."""
        return [one.id or "" for one in self._read.api_keys() if (one.kind, one.name) == (SECRET, name)]

    def entry(self, value: Secret) -> Entry | None:
        """Return the entry of a key; None where none, or more than one, can be it."""
        found = self._found(value)
        if found is None or found.id is None:
            return None
        return Entry(found.id, None, found.name if found.kind == LEGACY else found.hash or "")

    def which(self, value: Secret) -> Which:
        """Return the key; for an older one both, which are no more taken together."""
        found = self._found(value)
        if found is None or found.id is None or found.kind not in (SECRET, LEGACY):
            raise _uncertain(self)
        if found.kind == LEGACY:
            return {"key": found.id, "of": "the older keys, which go together", "named": "anon and service_role"}
        return {"key": found.id, "of": "the project", "named": found.name}

    def gone(self, which: Which) -> bool:
        """Tell whether the list has it no more; of the older keys, whether none is taken any more."""
        if older(which):
            return not self._read.legacy_keys()
        return all(one.id != which["key"] for one in self._read.api_keys())

    def _found(self, value: Secret) -> ApiKey | None:
        found = [one for one in self._read.api_keys() if one.may_be(value, self.project)]
        return found[0] if len(found) == 1 else None


class SupabaseKeys(ReadOnlySupabaseKeys):
    """Also makes and deletes keys."""

    def __init__(self, keyring: Keyring) -> None:
        super().__init__(keyring)
        self._write = keyring

    def make(self, name: str) -> Issued:
        """Make a secret key."""
        made = self._write.make_key(name, "made by a rotation")
        if made.id is None or made.value is None:
            said = "Supabase made a key and does not show it."
            raise Unreachable(said, "Let the token also read keys (api_gateway_keys_read).", "malformed")
        return Issued(made.id, made.id, made.value)

    def remove(self, identity: str) -> None:
        """Delete a key."""
        self._write.delete_key(identity)

    def revoke(self, which: Which) -> None:
        """Delete the key; the older ones are taken no more."""
        if older(which):
            self._write.take_older_keys(False)
        else:
            self._write.delete_key(which["key"])


def older(which: Which) -> bool:
    """Tell whether it is the Supabase project's older keys that are meant."""
    return which["key"] == "service_role"


def _uncertain(issuer: ReadOnlyIssuer) -> Refused:
    return Refused(
        f"The old key is none of the project {issuer.project}'s, or more than one could be it.",
        f"Correct {issuer.setting}, or revoke it by hand.",
    )
