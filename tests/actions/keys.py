"""For tests of a key's rotation: the lab's whole place of keys, as it was before, and the steps one by one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opslib.actions.security import (
    PromoteKey,
    SetClusterKey,
    SetFunctionKey,
    StageKey,
)
from opslib.lab.production import dummy
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.llm_keys import Dashboard, Pods, ProjectKeys
from tests.supabase import Project
from tests.vaults import shelf

VARIABLES = {"openai": "OPENAI_API_KEY", "together": "TOGETHER_API_KEY", "supabase": "SUPABASE_SERVICE_KEY"}
NEW = "tg-v1-new-5Hd8Wq1Xv6Np"


def quiet(text: str, done: float | None = None, total: float | None = None) -> None:
    """Tell nobody."""


class Place:
    """One provider's key in the lab: its stores, its provider, and the handles of a work of its own."""

    def __init__(self, settings: Any, provider: str, kept: Any) -> None:
        self.settings, self.provider, self.kept = settings, provider, kept
        self.run = f"20261129T020000Z-runbooks-rotate-api-keys-{uuid.uuid4().hex[:6]}"
        self.variable = VARIABLES[provider]
        self.board = ProjectKeys(settings) if provider == "supabase" else Dashboard(settings, provider)
        self.pods = Pods(settings)
        self.doors = self.board.doors
        self.project = Project(self.doors)
        self.reading, self.looking = PlanTarget(settings, self.run), VerifyTarget(settings, self.run)
        self.writing = WriteTarget(settings, self.run)

    def close(self) -> None:
        for target in (self.reading, self.looking, self.writing):
            target.close()

    def step(self, kind: Any, **given: Any) -> Any:
        """Return a step of this provider."""
        return kind(provider=self.provider, **given)

    def do(self, kind: Any, **given: Any) -> Any:
        """Carry a step out; returns the step, its plan, values and verification."""
        action = self.step(kind, **given)
        plan = action.plan(self.reading)
        values = action.apply(self.writing, plan, quiet)
        return action, plan, values, action.verify(self.looking, plan, values)

    def stage(self) -> None:
        """Let a person stage a key where the provider has no API for keys."""
        self.board.add("key_new", NEW)
        self.put_pending(**{self.variable: NEW})

    def put_pending(self, **values: Any) -> str:
        """Put a version with the stage AWSPENDING, with these keys changed."""
        said = json.dumps(self.kept.values() | values)
        put = self.kept.client.put_secret_value(
            SecretId=self.kept.name, SecretString=said, VersionStages=["AWSPENDING"]
        )
        return str(put["VersionId"])

    def until(self, *kinds: Any) -> None:
        """Carry out several steps, and demand that each is verified."""
        for kind in kinds:
            *_, looked = self.do(kind, **({"wait_seconds": 30} if kind is SetClusterKey else {}))
            assert looked.verdict == "OK", looked

    def deployed(self) -> None:
        """Carry out everything before the revocation."""
        if self.provider == "together":
            self.stage()
        self.until(StageKey, PromoteKey, SetFunctionKey, SetClusterKey)

    def new(self) -> str:
        """Return the key that the vault has as its current one."""
        return str(self.kept.values()[self.variable])

    @property
    def old(self) -> str:
        """The key of before."""
        return dummy(self.variable)


@contextmanager
def place(settings: Any, provider: str) -> Iterator[Place]:
    """Hand out the place, and put all of it back afterwards."""
    with shelf(settings) as kept:
        made = Place(settings, provider, kept)
        with made.doors.restored(), made.pods.doors.restored():
            made.doors.forget()
            made.pods.doors.forget()
            try:
                yield made
            finally:
                made.close()
                listed = kept.client.list_secret_version_ids(SecretId=kept.name)["Versions"]
                for one in listed:
                    if "AWSPENDING" in one["VersionStages"]:
                        kept.client.update_secret_version_stage(
                            SecretId=kept.name, VersionStage="AWSPENDING", RemoveFromVersionId=one["VersionId"]
                        )
