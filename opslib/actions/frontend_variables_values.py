"""Where a variable's value comes from, what stood there before, and which names are refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from opslib.errors import Refused, StepFailed
from opslib.redaction import Secret
from opslib.systems.hosting import Variable
from opslib.systems.publishable import PUBLIC, URL, client_prefix, secret_by_name, unpublishable
from opslib.systems.target import PlanTarget
from opslib.systems.vault import CURRENT, PREVIOUS, usable

NOT_SET, UNTOLD, OWN = "not set", "not told", "description"
"""What stood there before, and where a value comes from, where that is no version of the vault."""
MARK_SECONDS = 120.0
"""How far a mark's time and the hoster's may be apart: what is set by hand later moves the first alone."""


@dataclass(frozen=True)
class Wanted:
    """A value to be set: ``id`` is a version of the vault, or :data:`OWN`."""

    id: str
    value: Secret = field(repr=False)

    @property
    def says(self) -> str:
        """The value in words that do not repeat it."""
        return told(self.id)


def allowed(name: str) -> None:
    """Raise Refused for a name that would make a secret public."""
    prefix = client_prefix(name)
    if not prefix or name in PUBLIC:
        return
    if secret_by_name(name):
        raise Refused(
            f"{name} would be public: a build puts what begins with {prefix} into every browser, and the name says "
            "that it is a secret (GH-04).",
            f"Name it without {prefix} and use it on the server. If it was ever built, rotate it.",
        )
    raise Refused(f"{name} is none of the public names that are set here.", f"Those are: {', '.join(PUBLIC)}.")


def wanted(target: PlanTarget, name: str, key: str | None) -> Wanted:
    """Return what shall be set; raises Refused where it must not be, StepFailed where the vault has nothing."""
    if key is None:
        if name != URL or target.settings.supabase_site is None:
            raise Refused(f"Nobody says where {name} comes from.", f"Name the vault's key, or set {URL}.")
        return _fit(target, name, Wanted(OWN, Secret(target.settings.supabase_site)))
    version = target.vault.stage(CURRENT)
    if version is None:
        raise StepFailed(f"{target.vault.name} has no current version.", "Look at it in Secrets Manager.")
    return _fit(target, name, Wanted(version.id, usable(key, version)))


def earlier(target: PlanTarget, name: str, key: str | None, id: str) -> Wanted | None:
    """Return the value of an id that was recorded; None where nobody has it any more."""
    if key is None:
        return wanted(target, name, None) if id == OWN else None
    version = target.vault.version(id)
    value = version.value(key) if version else None
    return Wanted(id, value) if value is not None else None


def standing(
    target: PlanTarget, name: str, key: str | None, known: Variable | None, shown: Secret | None, new: Wanted
) -> str:
    """Return what stands there: :data:`NOT_SET`, a version of the vault, or :data:`UNTOLD`."""
    if known is None:
        return NOT_SET
    if shown is not None and shown == new.value:
        return new.id
    if shown is not None and key is not None:
        old = target.vault.stage(PREVIOUS)
        return old.id if old and old.value(key) == shown else UNTOLD
    mark = known.mark
    if mark is None or (known.updated and abs((known.updated - mark.at).total_seconds()) > MARK_SECONDS):
        return UNTOLD
    return mark.version if earlier(target, name, key, mark.version) else UNTOLD


def told(id: str) -> str:
    """Return an id of a value in words."""
    if id == OWN:
        return "what the target description says"
    return id if id in (NOT_SET, UNTOLD) else f"version {id} of the vault"


def way_back(before: str, hoster: str) -> str:
    """Return what a plan says of its undo."""
    if before == NOT_SET:
        return "It is removed again, and that is verified as well."
    if before == UNTOLD:
        return f"None: what is set now is not told by {hoster}, or in no version of the vault that is kept."
    return f"It is set to {told(before)} again, and that is verified as well."


def _fit(target: PlanTarget, name: str, found: Wanted) -> Wanted:
    why = unpublishable(name, found.value, target.settings.supabase_project) if name in PUBLIC else None
    if why:
        raise Refused(f"{name} must not be set: {found.says} {why}.", "Put the right one there first.")
    return found
