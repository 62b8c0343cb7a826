"""A variable of the front end's builds set at its hoster to what the vault has, without anybody seeing it.

Shown and recorded are names, the ids of the vault's versions, marks and times. Where the hoster shows a public value it
is compared; a secret's is never asked for. What is live keeps what it was built with: only the next build gets it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.frontend_following import LATE_SECONDS, PAUSE_SECONDS
from opslib.actions.frontend_variables_values import (
    NOT_SET,
    UNTOLD,
    Wanted,
    allowed,
    earlier,
    standing,
    told,
    wanted,
    way_back,
)
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification, now
from opslib.systems.hosting import Hosting, Mark, ReadOnlyHosting, Variable
from opslib.systems.publishable import PUBLIC
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget


class SetHostingVariable(Action):
    """Sets ``variable`` for the builds of production to what the vault has under ``key``.

    Without ``key``: to the target description's own value, for VITE_SUPABASE_URL alone. Whatever begins with VITE_ is
    public, and only the two names of :data:`opslib.systems.publishable.PUBLIC` are set. Every other one is a secret.
    With ``leave`` nothing is set, and nobody has to approve it.
    """

    name: ClassVar[str] = "set-hosting-variable"
    title: ClassVar[str] = "Set a variable of the front end's builds"
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "delivery"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 600.0
    items: ClassVar[tuple[str, ...]] = ("DEP-VCL-03", "DEP-VCL-04", "DEP-CFP-06", "RUN-KEY-03")
    guide: ClassVar[str] = "vercel env add VITE_SUPABASE_URL production"
    reason: ClassVar[str] = (
        "The guide's command asks for the value at a prompt, fails where the name exists, and tells nobody afterwards "
        "whether it was the right one (GH-03); with another name it puts a provider's key into everybody's browser "
        "(GH-04). Here the value comes from where it is kept, goes out once, and is compared as far as the hoster lets."
    )

    @property
    def effect(self) -> Effect:  # type: ignore[override]
        """Of none only a look: nobody has to approve that nothing is set."""
        return Effect.READ if self.act == "leave" else Effect.CHANGE

    variable: str = Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")
    key: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]{0,99}$")
    act: Literal["set", "leave"] = "set"

    def plan(self, target: PlanTarget) -> Plan:
        """Look what stands there; raises Refused for a name or a value that must not be set."""
        allowed(self.variable)
        if self.act == "leave":
            return self.planned(
                before={}, after={}, touches=0, touched="variables set", verification="None.", undo="None is needed."
            )
        new = wanted(target, self.variable, self.key)
        hosting = target.hosting
        known = _listed(hosting, self.variable)
        shown = hosting.shown(self.variable) if known and self._public else None
        equal = shown is not None and shown == new.value
        before = standing(target, self.variable, self.key, known, shown, new)
        if known and not known.secret and not self._public and not hosting.marks:
            raise Refused(
                f"{hosting.hoster} keeps {self.variable} readable, and would keep the new value so.",
                "Make it a secret there, or remove it; then plan again.",
            )
        after = known.contexts if known else ("production",)
        return self.planned(
            before={"value": told(before), "kept as": known.kind if known else None, "set at": _moment(known)},
            after={
                "value": new.says,
                "kept as": "public" if self._public else "secret",
                "for": ", ".join(after),
                "what is live": "as it was built: a variable serves from the next deployment on",
            },
            touches=0 if equal else 1,
            touched="variables set",
            verification=_verification(hosting, self.variable, self._public),
            undo=way_back(before, hosting.hoster),
            fingerprint={
                "hoster": hosting.hoster,
                "project": hosting.project,
                "version": new.id,
                "before": before,
                "kind": known.kind if known else None,
                "contexts": list(known.contexts) if known else None,
                "updated": _moment(known),
                "mark": known.mark.text() if known and known.mark else None,
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Set it, once; raises Refused before that where the vault or the variable moved since the plan."""
        if self.act == "leave":
            return {"version": None}
        said, hosting = plan.fingerprint, target.hosting_writer
        new = wanted(target, self.variable, self.key)
        if new.id != said["version"]:
            raise Refused(f"{self.variable} would not be {said['version']} any more.", "Plan again.")
        if not plan.touches:
            return {"version": new.id, "updated": said["updated"]}
        if not _as_planned(_listed(hosting, self.variable), plan):
            raise Refused(f"Somebody set {self.variable} meanwhile.", "Look who did; then plan again.")
        return self._set(hosting, new, target.run, progress)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the listing, and at the value of a public one."""
        if self.act == "leave":
            return Verification(Verdict.OK, "Nothing was to be set.")
        new = earlier(target, self.variable, self.key, str(values["version"]))
        if new is None:
            return Verification(Verdict.UNKNOWN, f"The vault has no version {values['version']} any more.")
        return self._compared(target.hosting, new, target.run if plan.touches else None, plan.fingerprint["updated"])

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for our mark or, of a public one, our value; else whether it is as it was planned from."""
        if self.act == "leave":
            return Settled(Outcome.DONE, "Nothing was to be set.", {"version": None})
        hosting, version = target.hosting_writer, str(plan.fingerprint["version"])
        new = earlier(target, self.variable, self.key, version)
        until = time.monotonic() + LATE_SECONDS
        while _as_planned(known := _listed(hosting, self.variable), plan) and time.monotonic() < until:
            progress(f"looking at {self.variable}")
            time.sleep(PAUSE_SECONDS)
        done = Settled(
            Outcome.DONE, f"{self.variable} was set by this run.", {"version": version, "updated": _moment(known)}
        )
        if known and known.mark and (known.mark.run, known.mark.version) == (target.run, version):
            return done
        if known and new and self._public and hosting.shown(self.variable) == new.value:
            return done
        if _as_planned(known, plan):
            return Settled(Outcome.NOT_DONE, f"{self.variable} is as it was before.")
        return Settled(Outcome.UNKNOWN, f"{self.variable} was set since, and {hosting.hoster} does not tell to what.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set the value of before again, or remove it where there was none; raises Refused where nobody has it."""
        if self.act == "leave":
            return Verification(Verdict.OK, "Nothing had been set.")
        hosting, before = target.hosting_writer, str(plan.fingerprint["before"])
        if not self._as_left(hosting, target, values):
            raise Refused(
                f"{self.variable} is not as this step left it: somebody set it since.",
                "Look who did; set what is right with a new run.",
            )
        if before == values["version"]:
            return self.verify(target, plan, values)
        if before == NOT_SET:
            hosting.remove_variable(self.variable)
            gone = _listed(hosting, self.variable) is None
            return Verification(Verdict.OK if gone else Verdict.CRITICAL, f"{self.variable} is {'not ' * gone}set.")
        old = earlier(target, self.variable, self.key, before) if before != UNTOLD else None
        if old is None:
            why = f"What {self.variable} was before is {told(before)}" if before == UNTOLD else "The vault forgot it"
            raise Refused(f"{why}.", "Put the right value into the vault, and run again.")
        left = _listed(hosting, self.variable)
        self._set(hosting, old, target.run, progress)
        return self._compared(hosting, old, target.run, _moment(left))

    @property
    def _public(self) -> bool:
        return self.variable in PUBLIC

    def _set(self, hosting: Hosting, new: Wanted, run: str, progress: Progress) -> dict[str, Any]:
        hosting.set_variable(self.variable, new.value, not self._public, Mark(run, new.id, now()))
        progress(f"{self.variable} was set")
        return {"version": new.id, "updated": _moment(_listed(hosting, self.variable))}

    def _as_left(self, hosting: ReadOnlyHosting, target: WriteTarget, values: Mapping[str, Any]) -> bool:
        known = _listed(hosting, self.variable)
        new = earlier(target, self.variable, self.key, str(values["version"]))
        if known is None or new is None:
            return False
        if self._public and (shown := hosting.shown(self.variable)) is not None:
            return shown == new.value
        mine = not hosting.marks or (known.mark is not None and known.mark.version == values["version"])
        return mine and _moment(known) == values["updated"]

    def _compared(self, hosting: ReadOnlyHosting, new: Wanted, run: str | None, since: Any) -> Verification:
        """Return whether it is ``new``; ``run`` set it after ``since``, or nobody had to (None)."""
        known, name = _listed(hosting, self.variable), self.variable
        if known is None:
            return Verification(Verdict.CRITICAL, f"{hosting.hoster} does not list {name}.")
        rows: Rows = ({"variable": name, "kept as": known.kind, "set": _moment(known), "planned from": since},)
        if not self._public and not known.secret:
            return Verification(Verdict.CRITICAL, f"{name} is kept so that it can be read ({known.kind}).", rows)
        if self._public and (shown := hosting.shown(name)) is not None:
            if shown == new.value:
                return Verification(Verdict.OK, f"{name} is {new.says}; the next build gets it.", rows)
            return Verification(Verdict.CRITICAL, f"{name} is not {new.says}.", rows)
        if run is not None and hosting.marks:
            if known.mark is None or (known.mark.run, known.mark.version) != (run, new.id):
                return Verification(Verdict.CRITICAL, f"{name} does not say that this run set it.", rows)
            said = f"{name} says that this run set it to {new.says}; no value is shown. The next build gets it."
            return Verification(Verdict.OK, said, rows)
        if run is not None and known.updated is not None and _moment(known) != since:
            said = f"{name} was set anew; {hosting.hoster} shows no value. The next build gets it."
            return Verification(Verdict.OK, said, rows)
        return Verification(Verdict.CRITICAL, f"{name} was not set anew.", rows)


def _listed(hosting: ReadOnlyHosting, name: str) -> Variable | None:
    return next((one for one in hosting.variables() if one.name == name), None)


def _moment(known: Variable | None) -> str | None:
    return known.updated.isoformat() if known and known.updated else None


def _as_planned(known: Variable | None, plan: Plan) -> bool:
    then = plan.fingerprint
    mark = known.mark.text() if known and known.mark else None
    here = (known.kind if known else None, _moment(known), mark)
    return here == (then["kind"], then["updated"], then["mark"])


def _verification(hosting: ReadOnlyHosting, name: str, public: bool) -> str:
    if public:
        return f"{hosting.hoster} lists {name} for production, with that value (it is public, so it may be looked at)."
    by = "it says which run set it, and to which version of the vault" if hosting.marks else "its time moved"
    return f"{hosting.hoster} lists {name} for production, hidden; {by}. The value itself is never asked for."
