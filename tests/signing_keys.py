"""For tests of signing keys: the project's keys as a person sees and moves them, and tokens that they sign."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opslib.lab import signing
from opslib.lab.vendors.supabase_keys import CURRENT, OLDER
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.supabase import Project
from tests.vendors import Doors

__all__ = ["CURRENT", "OLDER", "Signers", "signers"]


def quiet(text: str, done: float | None = None, total: float | None = None) -> None:
    """Tell nobody."""


class Signers:
    """The lab's project, and the handles of a work of its own."""

    def __init__(self, settings: Any) -> None:
        self.settings, self.project = settings, Project(Doors(settings))
        self.doors = self.project.doors
        run = "20261129T020000Z-runbooks-rotate-signing-keys-0a1b2c"
        self.reading, self.looking = PlanTarget(settings, run), VerifyTarget(settings, run)
        self.writing = WriteTarget(settings, run)

    def close(self) -> None:
        for target in (self.reading, self.looking, self.writing):
            target.close()

    def do(self, action: Any) -> Any:
        """Carry a step out; returns its plan, values and verification."""
        plan = action.plan(self.reading)
        values = action.apply(self.writing, plan, quiet)
        return plan, values, action.verify(self.looking, plan, values)

    def statuses(self) -> dict[str, str]:
        """Return each key's status."""
        return {key: one["status"] for key, one in self.project.state["signing_keys"].items()}

    def put(self, key: str, **said: Any) -> None:
        """Let somebody else change a key; None removes it."""
        keys = self.project.state["signing_keys"]
        self.project.change(signing_keys={**keys, key: {**keys[key], **said}})

    def rotated(self, hours: float) -> str:
        """Let the project have been rotated so many hours ago; returns the key that signs since."""
        keys, key, moment = self.project.state["signing_keys"], str(uuid.uuid4()), time.time() - hours * 3600
        before = {**keys[CURRENT], "status": "previously_used", "updated": moment}
        signs = {"algorithm": "ES256", "status": "in_use", "created": moment, "updated": moment}
        self.project.change(signing_keys={**keys, CURRENT: before, key: signs})
        return key

    def aged(self, hours: float) -> None:
        """Let every change of a key be so many hours longer ago."""
        keys = self.project.state["signing_keys"]
        moved = {k: one | {n: one[n] - hours * 3600 for n in ("created", "updated")} for k, one in keys.items()}
        self.project.change(signing_keys=moved)

    def token(self, key: str, seconds: float = 600.0) -> str:
        """Return a token of a member that ``key`` signed, and that counts for ``seconds``."""
        claims = {"role": "authenticated", "sub": "00000000-0000-4000-8000-000000000001"}
        secret = self.settings.jwt_secret.reveal()
        return signing.signed({**claims, "exp": int(time.time() + seconds)}, secret, key)

    def answer(self, token: str) -> int:
        """Return the status with which the REST interface answers a token."""
        headers = {"apikey": self.settings.supabase_anon_key, "authorization": f"Bearer {token}"}
        url = f"{self.settings.supabase_site}/rest/v1/billing_plans?limit=1"
        return int(self.reading.web.get(url, headers=headers).status)


@contextmanager
def signers(settings: Any) -> Iterator[Signers]:
    """Hand out the project, and put all of it back afterwards."""
    made = Signers(settings)
    with made.doors.restored():
        made.doors.forget()
        try:
            yield made
        finally:
            made.close()
