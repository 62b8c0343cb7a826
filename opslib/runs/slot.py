"""The run of a scheduled slot has an id that follows from the slot: a second firing finds the first one's record."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from opslib.errors import UsageError

NOTEBOOK = re.compile(r"[a-z0-9]+(?:[/-][a-z0-9]+)*", re.ASCII)


def slot_id(notebook: str, environment: str, due: datetime) -> str:
    """Return the id of the run that is due at ``due`` (with a time zone, whole seconds) on that environment.

    Raises UsageError for what no slot can be named after.
    """
    if due.tzinfo is None or due.microsecond:
        raise UsageError(f"{due.isoformat()} is no slot.", "Give a time with its zone and whole seconds.")
    if not NOTEBOOK.fullmatch(notebook):
        raise UsageError(f"{notebook!r} is no notebook's name.", "See: ops list")
    return f"{due.astimezone(UTC):%Y%m%dT%H%M%SZ}-{notebook.replace('/', '-')}-slot-{environment}"
