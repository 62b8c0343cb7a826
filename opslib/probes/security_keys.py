"""Where a rotated key stands: in the vault, in each store, at who gives it, in use.

Values are compared by the executor and shown nowhere: a store "holds" a version of the vault, named by its id, or
something else. No digest of a value is shown: who has one can try out guesses.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opslib.errors import Refused, Unreachable
from opslib.model import Probe, now
from opslib.probes.application_traffic import address
from opslib.probes.database_asking import source_of
from opslib.probes.questions import question
from opslib.probes.security_keys_used import listed
from opslib.redaction import Secret
from opslib.systems.hosting import Variable
from opslib.systems.rotated_keys import BY_API, ROTATED, Rotated
from opslib.systems.supabase import Held
from opslib.systems.target import PlanTarget, ReadTarget
from opslib.systems.vault import CURRENT, PENDING, PREVIOUS, Version

NOT_SET, FOREIGN = "not set", "neither"
"""What a store holds where it is no version of the vault's that counts here."""
UNTOLD = "not told"
"""What a hoster holds that shows no value, and says of no version that it set it."""
ROUTE = "/health/dependencies"
SECONDS = 20.0
_TOLD_BY = {
    "openai": " · GET organization/projects/ID/api_keys",
    "supabase": " · GET projects/REF/api-keys · keys/api_keys_used.sql",
}
_ASKED = {"supabase": "rest/v1/, auth/v1/admin/users"}
_SPACE = uuid.UUID("6c0f2a5e-53a1-5c8e-9f0d-5b0e7a1c4d21")


@dataclass(frozen=True)
class Rotation:
    """A rotation as it stands: the version with the old key, and the one that has the new key or will have it."""

    provider: Rotated
    old: Version
    new: Version | None
    version: str
    """The new one's id."""
    promoted: bool

    @property
    def variable(self) -> str:
        """The variable that holds the key."""
        return self.provider.variable

    def old_key(self) -> Secret:
        """Return the old key; raises Refused where the vault has none."""
        value = self.old.value(self.variable)
        if value is None:
            raise Refused(f"The vault's version {self.old.id} has no {self.variable}.", "Put today's key there first.")
        return value

    def holds(self, found: Held | Secret | None) -> str:
        """Return the id of the version whose key a store holds: the new one's or the old one's."""
        if found is None:
            return NOT_SET
        for version in (self.new, self.old):
            value = version.value(self.variable) if version else None
            if version is not None and value is not None and same(found, value):
                return version.id
        return FOREIGN


def version_of(run: str, provider: Rotated) -> str:
    """Return the id that the version of a work has: the same call again makes no second one."""
    return str(uuid.uuid5(_SPACE, f"{run}:{provider.variable}"))


def rotation(target: PlanTarget, provider: Rotated) -> Rotation:
    """Return how the work's rotation stands. A provider without an API for keys takes what a person staged.

    Raises Refused where nothing is staged, or the version of before is not there any more.
    """
    vault = target.vault
    current, pending = vault.stage(CURRENT), vault.stage(PENDING)
    if current is None:
        raise Refused(f"{vault.name} has no current version.", "Look at it in Secrets Manager.")
    if provider.name in BY_API:
        version = version_of(target.run, provider)
    elif pending is not None:
        version = pending.id
    else:
        raise Refused(f"{vault.name} has no version with the stage {PENDING}.", staging(provider))
    if current.id != version:
        new = pending if pending is not None and pending.id == version else None
        return Rotation(provider, current, new, version, promoted=False)
    old = vault.stage(PREVIOUS)
    if old is None:
        raise Refused(f"{vault.name} has no previous version: what the old key was is not known.", "Revoke it by hand.")
    return Rotation(provider, old, current, version, promoted=True)


def staging(provider: Rotated) -> str:
    """Return what a person does first where the provider has no API for keys."""
    return (
        f"{provider.title} has no API for keys: make one at {provider.keys_page}. Put today's keys, with this one "
        f"changed, as a version with the stage {PENDING}: aws secretsmanager put-secret-value "
        f"--version-stages {PENDING} --secret-string file://FILE, from a file that nobody else can read, never on the "
        "command line."
    )


def hosted(target: PlanTarget, name: str) -> Variable | None:
    """Return the variable that production's builds get, or None where the hoster has none, or nobody is one."""
    if target.settings.hoster is None:
        return None
    return next((one for one in target.hosting.variables() if one.name == name), None)


def same(found: Held | Secret, value: Secret) -> bool:
    """Tell whether a store holds ``value``, by what it shows of it."""
    return found.holds(value) if isinstance(found, Held) else found == value


def _alike(one: Version | None, other: Version | None, provider: Rotated) -> bool:
    values = [version.value(provider.variable) if version else None for version in (one, other)]
    return values[0] is not None and values[0] == values[1]


def moment(seconds: int | None) -> str | None:
    """Return what a provider counts in seconds since 1970 as a time; None where it tells nothing."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _stores(target: PlanTarget) -> list[dict[str, Any]]:
    vault, settings = target.vault, target.settings
    versions = {stage: vault.stage(stage) for stage in (CURRENT, PREVIOUS)}
    rows: list[dict[str, Any]] = []
    for provider in ROTATED.values():
        name = provider.variable

        def word(found: Held | Secret | None, name: str = name) -> str:
            values = {stage: one.value(name) if one else None for stage, one in versions.items()}
            held = (stage for stage, value in values.items() if found and value and same(found, value))
            return next(held, FOREIGN) if found else NOT_SET

        current = versions[CURRENT]
        rows.append({"key": name, "store": vault.name, "holds": word(current.value(name) if current else None)})
        if settings.supabase_project is not None:
            held = target.supabase.secrets().get(name)
            rows.append({"key": name, "store": "supabase", "holds": word(held), "updated": held and held.updated})
        if settings.kubernetes_url is not None:
            secret = target.cluster_secrets.secret(settings.kubernetes_secret)
            key = secret.key_of(name)
            rows.append({"key": name, "store": f"cluster: {secret.name}", "holds": word(secret.value(key or name))})
        if (variable := hosted(target, name)) is not None:
            of = variable.mark.version if variable.mark else None
            stage = next((stage for stage, one in versions.items() if one and one.id == of), UNTOLD)
            rows.append({"key": name, "store": target.hosting.hoster, "holds": stage})
    return rows


def application(target: PlanTarget, provider: Rotated) -> str:
    """Return what the application says of the provider, which it asks with its own key; else why nobody can say."""
    try:
        answer = target.web.get(address(target, ROUTE), deadline=SECONDS)
        said = json.loads(answer.text)["dependencies"][provider.dependency]["status"]
    except Unreachable as error:
        return f"not told: {error.message}"
    except (ValueError, KeyError, TypeError):
        return f"not told: GET {ROUTE} is answered otherwise"
    return said if isinstance(said, str) else "not told: no word"


def _use(provider: Rotated) -> Probe:
    def read(target: PlanTarget) -> list[dict[str, Any]]:
        current, previous = target.vault.stage(CURRENT), target.vault.stage(PREVIOUS)
        asked = int(now().timestamp())
        row: dict[str, Any] = {
            "key": provider.variable,
            "version": current.id if current else None,
            "application": application(target, provider),
            "asked": moment(asked),
            "told": provider.name in BY_API,
        }
        row["same"] = _alike(current, previous, provider)
        if row["told"]:
            for word, version in (("new", current), ("old", previous)):
                value = version.value(provider.variable) if version else None
                found = listed(target, provider, value) if value else None
                used = found.used if found else None
                row |= {f"{word}_listed": found is not None, f"{word}_used": moment(used)}
                row[f"{word}_since"] = used is not None and used >= asked
        return [row]

    return Probe(
        name=f"key-use-{provider.name}",
        title=f"Which key of {provider.title} is used",
        read=read,
        source=f"GET {ROUTE}{_TOLD_BY.get(provider.name, '')}",
        by_executor=True,
    )


def _previous(provider: Rotated) -> Probe:
    def read(target: PlanTarget) -> list[dict[str, Any]]:
        found = target.vault.stage(PREVIOUS)
        value = found.value(provider.variable) if found else None
        if found is None or value is None:
            raise Unreachable(f"The vault has no previous {provider.variable}.", "Nobody can try it.", "missing")
        # Today's key is not tried as if it were an old one.
        same = _alike(target.vault.stage(CURRENT), found, provider)
        taken = None if same else target.rotated_keys.knows(provider, value)
        said = application(target, provider)
        return [{"key": provider.variable, "version": found.id, "same": same, "taken": taken, "application": said}]

    return Probe(
        name=f"previous-key-{provider.name}",
        title=f"Whether {provider.title} still takes the key of before",
        read=read,
        source=f"GET {_ASKED.get(provider.name, 'models')}, with the previous key · GET {ROUTE}",
        by_executor=True,
    )


def answers(minutes: float) -> Probe:
    """Return the probe of what users were answered in the last ``minutes``, by provider.

    No call is made for it. No row says nothing: nobody asked, or the product kept no record.
    """
    asked = question("keys/answers")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return target.database.ask(asked, {"minutes": minutes})

    units = {"p95_ms": "ms", "cost_usd": "USD"}
    return Probe("llm-answers", asked.title, read, source=source_of(asked), units=units)


stores = Probe(
    name="key-stores",
    title="What each store holds of the providers' keys",
    read=_stores,
    source="Secrets Manager GetSecretValue · GET projects/REF/secrets · GET namespaces/NS/secrets/NAME",
    by_executor=True,
)
"""A row per key and store: the stage of the vault's version that it holds, or what else."""

use = {name: _use(provider) for name, provider in ROTATED.items()}
"""By provider. One row: the application's own look, and when each key was used last, where the provider tells."""

previous = {name: _previous(provider) for name, provider in ROTATED.items()}
"""By provider. One row: whether the previous key is taken. It is tried for that: for after its revocation only."""
