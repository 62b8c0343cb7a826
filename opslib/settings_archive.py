"""The part of a target's description that says where sealed runs are stored, locked, and how long they are kept here.

The executor's, and said by the description's file alone: who could lead the store elsewhere, or shorten what is kept,
could make the record go.
"""

from typing import Literal

from pydantic import Field

from opslib.redaction import Secret
from opslib.settings_guard import Bucket
from opslib.settings_part import Part

Kind = Literal["diagnostics", "reviews", "changing"]
"""What a run is kept for: it only looked; it told people of what happened; it may have changed something."""


class ArchiveStore(Part):
    """The bucket of sealed runs, the locks on what is put there, and the retention of the archive on this machine."""

    store_bucket: Bucket | None = Field(
        None,
        alias="OPS_STORE_BUCKET",
        description="bucket with versions and object lock, in another account, for sealed runs; unset: the heads'",
    )
    store_mode: Literal["COMPLIANCE", "GOVERNANCE"] = Field(
        "COMPLIANCE",
        alias="OPS_STORE_MODE",
        description="COMPLIANCE: nobody can lift the lock; GOVERNANCE: a right of its own can",
    )
    store_days: int = Field(
        2922, alias="OPS_STORE_DAYS", gt=0, le=36500, description="how long each stored object is locked (8 years)"
    )
    store_aws_access_key_id: Secret | None = Field(
        None,
        alias="OPS_STORE_AWS_ACCESS_KEY_ID",
        description="may put, list, get and hold there, nothing else; unset: that of the heads",
    )
    store_aws_secret_access_key: Secret | None = Field(None, alias="OPS_STORE_AWS_SECRET_ACCESS_KEY")
    keep_diagnostics_years: int = Field(
        1, alias="OPS_KEEP_DIAGNOSTICS_YEARS", ge=1, le=100, description="how long runs that only looked stay here"
    )
    keep_reviews_years: int = Field(
        3, alias="OPS_KEEP_REVIEWS_YEARS", ge=1, le=100, description="how long reviews and routines stay here"
    )
    keep_changing_years: int = Field(
        7, alias="OPS_KEEP_CHANGING_YEARS", ge=1, le=100, description="how long every other run stays here"
    )

    def kept_years(self, kind: Kind) -> int:
        """Return for how many years runs of a kind stay on this machine."""
        years: int = getattr(self, f"keep_{kind}_years")
        return years
