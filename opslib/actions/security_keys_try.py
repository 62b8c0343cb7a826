"""The new key used once, where a wrong one harms nobody: before anything reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from opslib.actions.base import Progress
from opslib.actions.security_keys import KeyAction
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.model import Effect, Plan, Repeat, Verdict, Verification
from opslib.systems.rotated_keys import trial_of
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.vault import usable


class TryKey(KeyAction):
    """Uses the new key once at who gives it, before anything reads it. A word of a chat costs less than 0.0001 USD."""

    name: ClassVar[str] = "try-key"
    title: ClassVar[str] = "Try the new key at the provider"
    effect: ClassVar[Effect] = Effect.READ
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    most: ClassVar[int] = 1
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-05",)
    guide: ClassVar[str] = 'POST /api/llm/chat {"prompt": "Test"}'
    reason: ClassVar[str] = (
        "The guide's call goes to the application, which refuses it without CSRF token and session (GH-17), may answer "
        "from its cache or by the other provider, and proves nothing of this key. The key itself is tried, while a "
        "wrong one harms nobody."
    )

    def plan(self, target: PlanTarget) -> Plan:
        """Say what will be asked; nothing is asked yet."""
        now = self.standing(target)
        return self.planned(
            before={"key": f"version {now.version}", "tried": "no"},
            after={"key": f"version {now.version}", "tried": trial_of(self.of)},
            touches=0,
            touched="nothing is changed",
            verification="It is answered with the key, and takes it once more afterwards.",
            undo="Nothing was changed.",
            fingerprint={"version": now.version},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Ask; raises Refused for a key that is not taken, or is of another project."""
        now, new = self.staged(target, str(plan.fingerprint["version"]))
        key = usable(now.variable, new)
        try:
            tried = target.key_user.attempt(self.of, key)
        except Unreachable as error:
            if error.kind == "unauthorized":
                raise Refused(
                    f"{self.of.title} does not take the new key (401).", "Undo this run; stage another."
                ) from None
            raise
        project = target.settings.openai_project
        if tried.project and project and tried.project != project:
            raise Refused(f"The new key is of the project {tried.project}, not of {project}.", "Undo this run.")
        return {"version": new.id, "said": tried.said, **tried.figures, "project": tried.project}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Ask once more what costs nothing: whether the key is taken."""
        now = self.standing(target)
        if now.new is None:
            raise StepFailed("The new key is not in the vault any more.", "Look who took its stage off.")
        known = target.rotated_keys.knows(self.of, usable(now.variable, now.new))
        said = f"{self.of.title}: {values['said']}"
        figures = {name: value for name, value in values.items() if name not in ("version", "said", "project")}
        rows = ({**figures, "project": values["project"] or "not told"},)
        return Verification(Verdict.OK if known else Verdict.CRITICAL, said if known else "It is refused now.", rows)
