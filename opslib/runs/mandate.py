"""Mandates, which are standing approvals: what a schedule may apply without anybody there. A pure rule.

A mandate names a saved plan by its SHA-256, as an approval does, and with that its notebook, code, target, parameters
and steps. It lets other plans of the same kind be applied: so many, until it ends, each step touching no more than the
plan that was read, or than the mandate says. It is signed in a namespace of its own (:mod:`opslib.runs.mandates`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from opslib.errors import Refused
from opslib.model import Effect, Environment, Plan, Repeat
from opslib.runs import approval
from opslib.runs.approval import SKEW, Approval
from opslib.runs.saved_plan import RUN, SavedPlan
from opslib.runs.words import PRINCIPAL, SAYS, TIME, written

Kind = Literal["give", "revoke"]
LONGEST = timedelta(days=90)
MOST_USES = 2500
"""Hourly for 90 days, and some."""
LARGEST = 8192
MOST_STEPS = 30
SAME = ("notebook", "notebook_sha256", "code_sha256", "environment", "target")
"""Fields of a saved plan in which none that a mandate covers may differ."""
SAME_OF_STEP = ("action", "effect", "repeat", "parameters")
STEP = r"[a-z0-9-]{1,100}"
_STATEMENT = re.compile(
    "# opslib mandate 1\n"
    "# kind (?P<kind>give|revoke)\n"
    f"# plan (?P<work>{RUN})\n"
    f"# by (?P<principal>{PRINCIPAL})\n"
    f"# time (?P<signed_at>{TIME})\n"
    f"# expires (?P<expires_at>{TIME})\n"
    "# uses (?P<uses>0|[1-9][0-9]{0,3})\n"
    f"(?P<steps>(?:# step {STEP} at most [1-9][0-9]{{0,5}}\n){{0,{MOST_STEPS}}})"
    f"(?:# reason (?P<reason>{SAYS})\n)?"
    "(?P<sha256>[0-9a-f]{64})  plan\\.json\n",
    re.ASCII,
)
_STEP = re.compile(rf"# step ({STEP}) at most ([0-9]+)\n", re.ASCII)


@dataclass(frozen=True)
class Mandate:
    """One person's mandate, or their word that there is none any more (``revoke``: its end is its time, uses are 0).

    ``most`` says of steps by name how much each may touch. ``fingerprint`` is the key's that signed it; empty: not
    verified.
    """

    kind: Kind
    work: str
    sha256: str
    principal: str
    signed_at: datetime
    expires_at: datetime
    uses: int
    most: tuple[tuple[str, int], ...] = ()
    reason: str = ""
    fingerprint: str = ""

    def encode(self) -> bytes:
        """Return the statement, the text that is signed; raises ValueError when it has no form or makes no sense."""
        lines = [
            "opslib mandate 1",
            f"kind {self.kind}",
            f"plan {self.work}",
            f"by {self.principal}",
            f"time {written(self.signed_at)}",
            f"expires {written(self.expires_at)}",
            f"uses {self.uses}",
            *(f"step {step} at most {most}" for step, most in self.most),
            *([f"reason {self.reason}"] if self.reason else []),
        ]
        data = ("".join(f"# {line}\n" for line in lines) + f"{self.sha256}  plan.json\n").encode("ascii", "replace")
        parse(data)
        return data

    @property
    def approval(self) -> Approval:
        """The same as an approval has it, for the rule who counts as another person."""
        return Approval(
            "approve",
            self.work,
            self.sha256,
            self.principal,
            self.signed_at,
            self.expires_at,
            self.reason,
            self.fingerprint,
        )


@dataclass(frozen=True)
class Given:
    """What counts for a plan now: by whose mandates, for how many due times in all, until when, and how much a step."""

    counted: tuple[Mandate, ...]
    uses: int
    until: datetime
    most: Mapping[str, int]


def parse(statement: bytes, fingerprint: str = "") -> Mandate:
    """Return the mandate in a statement; raises ValueError, which says why, for anything but the exact form."""
    found = _STATEMENT.fullmatch(statement.decode("ascii", "replace")) if len(statement) <= LARGEST else None
    if found is None:
        raise ValueError("is not in the form of a mandate")
    steps = tuple((step, int(most)) for step, most in _STEP.findall(found["steps"]))
    one = Mandate(
        kind="revoke" if found["kind"] == "revoke" else "give",
        work=found["work"],
        sha256=found["sha256"],
        principal=found["principal"],
        signed_at=datetime.fromisoformat(found["signed_at"]),
        expires_at=datetime.fromisoformat(found["expires_at"]),
        uses=int(found["uses"]),
        most=steps,
        reason=found["reason"] or "",
        fingerprint=fingerprint,
    )
    if why := _odd(one):
        raise ValueError(why)
    return one


def _odd(one: Mandate) -> str:
    """Return what makes no sense in a mandate, or nothing."""
    if one.kind == "revoke":
        return "" if (one.uses, one.most, one.expires_at) == (0, (), one.signed_at) else "revokes, and gives something"
    if not one.signed_at < one.expires_at <= one.signed_at + LONGEST:
        return f"lasts longer than {LONGEST.days} days, or not at all"
    if not 1 <= one.uses <= MOST_USES:
        return f"is for no due time, or for more than {MOST_USES}"
    names = [step for step, _ in one.most]
    return "" if names == sorted(set(names)) else "names a step twice, or not in order"


def decide(
    base: SavedPlan,
    sha256: str,
    mandates: Sequence[Mandate],
    *,
    environment: Environment,
    requesters: frozenset[str],
    unattended: Iterable[str],
    moment: datetime,
    refusals: Iterable[str] = (),
) -> Given:
    """Return what the mandates of a plan let be applied at this moment.

    ``sha256`` is that of the plan's file; ``requesters`` are all names and key fingerprints of who planned it and who
    runs it. At least one other person must have given one, also where a plan needs nobody: nobody is there to look.
    Raises Refused that says what is missing, and why each mandate does not count.
    """
    if revoked := [one for one in mandates if one.kind == "revoke" and (one.work, one.sha256) == (base.run, sha256)]:
        raise Refused(f"The mandate of {base.run} was revoked by {revoked[0].principal}.", "Plan anew for another one.")
    judged = [(one, _objection(base, sha256, one, requesters, moment)) for one in mandates if one.kind == "give"]
    good = {one.approval: one for one, why in judged if why is None}
    persons = approval.people(sorted(good, key=lambda one: (one.signed_at, one.principal)))
    # A person's newest one stands.
    counted = tuple(good[same[-1]] for same in persons)
    wanted = max(1, approval.required(base.steps, environment, unattended))
    if len(counted) < wanted:
        why_not = [f"{one.principal}: {why}" for one, why in judged if why] + [said.rstrip(".") for said in refusals]
        raise Refused(
            f"{base.run} needs mandates by {wanted} other people for {environment}; {len(counted)} count."
            + (f" Not counted: {'; '.join(why_not)}." if why_not else ""),
            f"ops mandate {base.run} (by somebody else than {base.requester or base.requested_by})",
        )
    uses, until = min(one.uses for one in counted), min(one.expires_at for one in counted)
    return Given(counted, uses, until, shared(counted))


def shared(mandates: Sequence[Mandate]) -> dict[str, int]:
    """Return by step what all of these mandates bound it by: the least of their numbers. Empty for no mandate."""
    named = [dict(one.most) for one in mandates]
    steps = [step for step in named[0] if all(step in one for one in named)] if named else []
    return {step: min(one[step] for one in named) for step in steps}


def _objection(base: SavedPlan, sha256: str, one: Mandate, requesters: frozenset[str], moment: datetime) -> str | None:
    if (one.work, one.sha256) != (base.run, sha256):
        return f"is for another plan ({one.work}, {one.sha256[:12]})"
    if not one.fingerprint:
        return "was not verified"
    if one.signed_at < base.created_at:
        return "was made before the plan"
    if one.signed_at > moment + SKEW:
        return f"was made in the future ({written(one.signed_at)})"
    if one.expires_at <= moment:
        return f"has expired ({written(one.expires_at)})"
    return approval.is_requester(one.approval, approval.names_of_requester(base, requesters))


def covers(base: SavedPlan, new: SavedPlan, most: Mapping[str, int]) -> None:
    """Return if ``new`` is a plan of the kind that ``base`` is; raises Refused that says in what it is not.

    A destructive or irreversible step is covered only where ``most`` names it.
    """
    if differences := list(_differences(base, new, most)):
        raise Refused(
            f"The plan {new.run} is not what the mandate of {base.run} covers: {'; '.join(differences[:5])}.",
            f"Look at it. It can be approved by itself (ops approve {new.run}), or planned and given a mandate anew.",
        )


def _differences(base: SavedPlan, new: SavedPlan, most: Mapping[str, int]) -> Iterator[str]:
    for name in SAME:
        if getattr(base, name) != getattr(new, name):
            yield f"{name.replace('_', ' ')} is another"
    if dict(base.parameters) != dict(new.parameters):
        yield "its parameters are others"
    if [one.step for one in base.steps] != [one.step for one in new.steps]:
        yield "it has other steps"
        return
    for read, planned in zip(base.steps, new.steps, strict=True):
        then, today = read.plan, planned.plan
        for name in SAME_OF_STEP:
            if getattr(then, name) != getattr(today, name):
                yield f"{read.step}: {name} is another"
        if grave(today) and read.step not in most:
            yield f"{read.step} is {today.effect}, {today.repeat}, and the mandate does not name it"
        yield from _touches(read.step, then, today, most)


def _touches(step: str, then: Plan, today: Plan, most: Mapping[str, int]) -> Iterator[str]:
    if today.touches is None:
        # What an earlier step only will know was unknown to who read the plan as well; never of what is grave.
        if then.touches is not None or step in most:
            yield f"{step}: how much it would touch is not known"
        return
    limit = most.get(step, then.touches)
    if limit is not None and today.touches > limit:
        yield f"{step} would touch {today.touches} {today.touched}, and the mandate says {limit} at most"


def grave(plan: Plan) -> bool:
    """Say whether a step destroys something, or cannot be undone. Undetermined counts as destructive."""
    if plan.effect in (Effect.READ, Effect.LOCAL):
        return False
    return plan.effect is not Effect.CHANGE or plan.repeat not in (Repeat.REPEATABLE, Repeat.ONCE)
