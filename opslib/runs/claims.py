"""A plan is applied once, also where several machines, archives or copies of one know it.

An archive refuses an id that it holds; another archive, or one whose end was cut off, does not know it. So,
where the target's description names a lease bucket, whoever applies a plan makes its claim there first.
"""

from __future__ import annotations

import getpass
import socket

from opslib.canonical import to_json
from opslib.errors import OpsError, Refused
from opslib.model import now
from opslib.runs.locks import target_id
from opslib.settings import Settings
from opslib.systems.claim_store import claim


def claim_plan(settings: Settings, plan: str, run: str) -> None:
    """Claim the plan (the id of its planning run) for ``run``, for good; do nothing without a lease bucket.

    Raises Refused when another run claimed it, or when nobody can know whether one has.
    """
    if settings.lease_bucket is None:
        return
    key = f"claims/{target_id(settings)}/{plan}.json"
    mine = {"run": run, "user": getpass.getuser()[:200], "host": socket.gethostname()[:300], "since": to_json(now())}
    try:
        other = claim(settings, settings.lease_bucket, key, mine)
    except OpsError as error:
        raise Refused(
            f"Whether the plan {plan} was applied elsewhere cannot be known. {error.message}",
            f"{error.next_step} Nothing was changed.".strip(),
        ) from error
    if other is not None:
        who = " ".join(_shown(other.get(name)) for name in ("run", "user", "host", "since"))
        raise Refused(
            f"The plan was applied already, by another archive or one that was cut since: {who}.",
            f"A plan is applied once: plan again. Its claim is s3://{settings.lease_bucket}/{key}.",
        )


def _shown(word: str | None) -> str:
    return "".join(char if char.isprintable() else "?" for char in word or "?")[:120]
