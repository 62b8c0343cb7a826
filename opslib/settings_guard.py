"""The part of a target's description that says who may change it, when, how much, and where that is kept.

The executor's: a notebook's process never sees it, so that no cell can widen it.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from opslib.redaction import Secret
from opslib.settings_part import Part


def split(value: object) -> object:
    """Return the names of a text that commas part; anything else as it is."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(split)]
"""Several names in one variable, separated by commas."""

Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
_HOST = r"[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9][A-Za-z0-9-]*)*|\[[0-9a-f:]+\]"
ADDRESS = rf"https?://({_HOST})(:[0-9]{{1,5}})?(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?"
Address = Annotated[str, Field(pattern=f"^{ADDRESS}$", max_length=500)]
"""Of a service, without credentials and query."""


def _whole(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError("is no whole path: it begins with / and has no ..")
    return path


Folder = Annotated[Path, AfterValidator(_whole)]
"""A folder of this machine."""


def pairs(value: object) -> object:
    """Return what a text of the form ``name=value,name=value`` says; anything else as it is."""
    if not isinstance(value, str):
        return value
    said = [part.strip().partition("=") for part in value.split(",") if part.strip()]
    if any(not name or not equals or not word for name, equals, word in said):
        raise ValueError("is not of the form name=value,name=value")
    return {name.strip(): word.strip() for name, _, word in said}


def _windows(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = []
    for part in (part.strip() for part in value.split(",") if part.strip()):
        begin, slash, end = part.partition("/")
        try:
            window = (datetime.fromisoformat(begin), datetime.fromisoformat(end))
        except ValueError:
            raise ValueError(f"{part!r} is not of the form 2026-12-24T00:00Z/2026-12-27T00:00Z") from None
        if not slash or any(moment.tzinfo is None for moment in window) or window[0] >= window[1]:
            raise ValueError(f"{part!r} needs two times with a zone, the earlier first")
        found.append((window[0].astimezone(UTC), window[1].astimezone(UTC)))
    return tuple(found)


class Guard(Part):
    """Who may change a target, when and how much; where its leases and the archive's heads are kept."""

    unattended_actions: Names = Field(
        (),
        alias="OPS_UNATTENDED_ACTIONS",
        description="actions that this target's owner lets run without an approval, e.g. take-backup",
    )
    allowed_signers: Path | None = Field(
        None,
        alias="OPS_ALLOWED_SIGNERS",
        description="file in ssh-keygen's allowed_signers format: whose keys approve (namespace opslib-approve)",
    )
    revoked_keys: Path | None = Field(
        None, alias="OPS_REVOKED_KEYS", description="key revocation list of ssh-keygen, or public keys, one a line"
    )
    operators: Annotated[dict[str, str], BeforeValidator(pairs)] = Field(
        {},
        alias="OPS_OPERATORS",
        description="who is who: operating system user=name in the allowed signers, e.g. ann=ann@valuecanvas",
    )
    plan_minutes: float = Field(
        60.0, alias="OPS_PLAN_MINUTES", gt=0, le=1440, description="how long a plan may be approved and applied"
    )
    freeze: Annotated[tuple[tuple[datetime, datetime], ...], BeforeValidator(_windows)] = Field(
        (),
        alias="OPS_FREEZE",
        description="when nothing may be changed, e.g. 2026-12-24T00:00Z/2026-12-27T00:00Z; several by commas",
    )
    most: Annotated[dict[str, int], BeforeValidator(pairs)] = Field(
        {},
        alias="OPS_MOST",
        description="how many things one step of an action may touch, e.g. apply-retention=40",
    )
    run_minutes: float = Field(
        24 * 60.0, alias="OPS_RUN_MINUTES", gt=0, description="a run that takes longer is stopped"
    )
    runs_at_once: int = Field(
        4, alias="OPS_RUNS_AT_ONCE", gt=0, description="how many runs of a queue's workers go on here at a time"
    )
    lease_bucket: Bucket | None = Field(
        None,
        alias="OPS_LEASE_BUCKET",
        description="bucket in which machines that share this target keep its locks; unset: this machine only",
    )
    anchor_bucket: Bucket | None = Field(
        None,
        alias="OPS_ANCHOR_BUCKET",
        description="bucket with object lock, in another account, to which the archive's heads are published",
    )
    anchor_days: int = Field(400, alias="OPS_ANCHOR_DAYS", gt=0, description="how long a published head is locked")
    anchor_aws_access_key_id: Secret | None = Field(
        None, alias="OPS_ANCHOR_AWS_ACCESS_KEY_ID", description="may put and list there, nothing else"
    )
    anchor_aws_secret_access_key: Secret | None = Field(None, alias="OPS_ANCHOR_AWS_SECRET_ACCESS_KEY")
    timestamp_url: Address | None = Field(None, alias="OPS_TIMESTAMP_URL", description="RFC 3161 time stamp authority")
    timestamp_ca: Path | None = Field(
        None, alias="OPS_TIMESTAMP_CA", description="PEM file of the certificates that the authority must lead to"
    )
    kernel_user: str | None = Field(
        None,
        alias="OPS_KERNEL_USER",
        pattern=r"^[a-z_][a-z0-9_-]{0,31}$",
        description="operating system user that notebooks run as (the executor must be allowed to switch)",
    )

    def frozen_until(self, moment: datetime) -> datetime | None:
        """Return the end of the freeze that ``moment`` lies in, or None."""
        return next((end for begin, end in self.freeze if begin <= moment < end), None)

    @property
    def plan_life(self) -> timedelta:
        """How long a plan may be approved and applied."""
        return timedelta(minutes=self.plan_minutes)


def shown(value: Any) -> str:
    """Return a guard's value as text for reports: pairs and windows as they are written in the description."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={word}" for name, word in sorted(value.items()))
    if value and isinstance(value, tuple) and isinstance(value[0], tuple):
        return ", ".join(f"{begin:%Y-%m-%dT%H:%MZ}/{end:%Y-%m-%dT%H:%MZ}" for begin, end in value)
    return ", ".join(value) if isinstance(value, tuple) else str(value)
