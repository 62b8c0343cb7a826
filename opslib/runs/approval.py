"""Who must have agreed before a plan is applied: a pure rule, without files, clock or cryptography.

An approval is a short text that names a plan's file by its SHA-256 and is signed by an SSH key
(:mod:`opslib.runs.approvals` verifies it). What counts here is who signed, when, and for which plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from opslib.errors import Refused
from opslib.model import Effect, Environment, Plan, Repeat
from opslib.runs.saved_plan import RUN, PlannedStep, SavedPlan
from opslib.runs.saved_plan import sha256 as plan_sha256

Kind = Literal["approve", "break-glass"]

NEEDS_APPROVAL: dict[Environment, Mapping[Effect, int]] = {
    "lab": {},
    "staging": {Effect.DESTRUCTIVE: 1},
    "production": {Effect.CHANGE: 1, Effect.DESTRUCTIVE: 2},
}
"""The effect classes that nobody applies alone, by environment, and how many others must have agreed."""

SKEW = timedelta(minutes=2)
"""How far the clock of an approver's machine may be ahead."""

LONGEST = timedelta(hours=24)
"""No plan may be applied longer after it was made, whatever it says itself."""

LARGEST = 4096
"""No statement has more bytes."""

WORK = RUN
PRINCIPAL = r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,79}"
REASON = r"[!-~](?:[ -~]{0,498}[!-~])?"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
_STATEMENT = re.compile(
    "# opslib approval 1\n"
    "# kind (?P<kind>approve|break-glass)\n"
    f"# plan (?P<work>{WORK})\n"
    f"# by (?P<principal>{PRINCIPAL})\n"
    f"# time (?P<signed_at>{_TIME})\n"
    f"# expires (?P<expires_at>{_TIME})\n"
    f"(?:# reason (?P<reason>{REASON})\n)?"
    "(?P<sha256>[0-9a-f]{64})  plan\\.json\n",
    re.ASCII,
)


@dataclass(frozen=True)
class Approval:
    """One person's agreement to one plan. ``fingerprint`` is the key's that signed it; empty: not verified.

    ``work`` is the planning run's id, ``sha256`` that of its plan.json; times are UTC.
    """

    kind: Kind
    work: str
    sha256: str
    principal: str
    signed_at: datetime
    expires_at: datetime
    reason: str = ""
    fingerprint: str = ""

    def encode(self) -> bytes:
        """Return the statement, the text that is signed; raises ValueError when a field has no form in it."""
        head = [
            "opslib approval 1",
            f"kind {self.kind}",
            f"plan {self.work}",
            f"by {self.principal}",
            f"time {_time(self.signed_at)}",
            f"expires {_time(self.expires_at)}",
            *([f"reason {self.reason}"] if self.reason else []),
        ]
        text = "".join(f"# {line}\n" for line in head) + f"{self.sha256}  plan.json\n"
        _match(text)
        return text.encode("ascii")


def parse(statement: bytes, fingerprint: str = "") -> Approval:
    """Return the approval in a statement; raises ValueError for anything but the exact form that is written."""
    if len(statement) > LARGEST:
        raise ValueError(f"has more than {LARGEST} bytes")
    try:
        found = _match(statement.decode("ascii"))
    except UnicodeDecodeError:
        raise ValueError("is not ASCII") from None
    return Approval(
        kind="approve" if found["kind"] == "approve" else "break-glass",
        work=found["work"],
        sha256=found["sha256"],
        principal=found["principal"],
        signed_at=datetime.fromisoformat(found["signed_at"]),
        expires_at=datetime.fromisoformat(found["expires_at"]),
        reason=found["reason"] or "",
        fingerprint=fingerprint,
    )


def _match(text: str) -> re.Match[str]:
    found = _STATEMENT.fullmatch(text)
    if found is None:
        raise ValueError("is not an approval in its exact form")
    if found["kind"] == "break-glass" and not found["reason"]:
        raise ValueError("is a break-glass without a reason")
    return found


def _time(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("has a time without zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Decision:
    """A plan may be applied: by whose approvals, whether one person alone broke the glass, and until when."""

    break_glass: bool
    counted: tuple[Approval, ...]
    until: datetime


def needed(plan: Plan, environment: Environment) -> int:
    """Return how many people other than the requester must approve a step. Undetermined counts as destructive."""
    classes = NEEDS_APPROVAL.get(environment, NEEDS_APPROVAL["production"])
    effect = plan.effect if plan.effect in (Effect.READ, Effect.LOCAL, Effect.CHANGE) else Effect.DESTRUCTIVE
    count = classes.get(effect, 0)
    if count and environment != "staging" and plan.repeat not in (Repeat.REPEATABLE, Repeat.ONCE):
        return 2
    return count


def required(steps: Iterable[PlannedStep], environment: Environment, unattended: Iterable[str]) -> int:
    """Return how many approvals a plan of these steps needs: those of the step that needs most."""
    return max(_by_step(steps, environment, unattended).values(), default=0)


def missing(steps: Iterable[PlannedStep], environment: Environment, unattended: Iterable[str]) -> tuple[str, ...]:
    """Return what a new plan still needs before it can be applied, as sentences; none when nothing."""
    wanted = _by_step(steps, environment, unattended)
    if not wanted:
        return ()
    return (f"{_others(max(wanted.values()))} for {environment}: {', '.join(wanted)}.",)


def require(plan: Plan, environment: Environment, unattended: tuple[str, ...]) -> None:
    """Return if ``plan`` may be applied without a saved plan; raises Refused with the way otherwise."""
    if not needed(plan, environment) or plan.action in unattended:
        return
    raise Refused(
        f"{plan.action} is a {plan.effect} step on {environment} and has no approval.",
        f"Save a plan (ops run NOTEBOOK --environment {environment} --plan), have it approved (ops approve PLAN), then "
        f"apply it (ops run --environment {environment} --apply PLAN). The target's owner can also name the action in "
        "OPS_UNATTENDED_ACTIONS of the target description.",
    )


def objection(
    saved: SavedPlan, sha256: str, approval: Approval, requesters: frozenset[str], moment: datetime
) -> str | None:
    """Return why an approval does not count for a plan at this moment, or None when it does.

    ``requesters`` holds names in the allowed signers, or of the operating system, and fingerprints of keys.
    """
    if approval.work != saved.run:
        return f"is for the plan {approval.work}"
    if approval.sha256 != sha256:
        return f"is for a plan.json with another content ({approval.sha256[:12]}, this one is {sha256[:12]})"
    if not approval.fingerprint:
        return "was not verified"
    if approval.signed_at < saved.created_at:
        return "was made before the plan"
    if approval.signed_at > moment + SKEW:
        return f"was made in the future ({_time(approval.signed_at)})"
    if approval.expires_at <= approval.signed_at or approval.expires_at <= moment:
        return f"has expired ({_time(approval.expires_at)})"
    if approval.kind == "break-glass":
        return None if approval.reason else "breaks the glass without a reason"
    if approval.kind != "approve":
        return f"is of an unknown kind ({approval.kind})"
    return is_requester(approval, names_of_requester(saved, requesters))


def decide(
    saved: SavedPlan,
    sha256: str,
    approvals: Sequence[Approval],
    *,
    environment: Environment,
    requesters: frozenset[str],
    unattended: Iterable[str],
    moment: datetime,
    refusals: Iterable[str] = (),
) -> Decision:
    """Return by whose approvals a saved plan may be applied now.

    ``sha256`` is that of the plan's file; ``requesters`` are all names and key fingerprints of who asked. Raises
    Refused that names everything that is missing and why each given approval does not count; ``refusals`` says
    so of those that could not even be verified.
    """
    still(saved, sha256, environment, moment)
    wanted = required(saved.steps, environment, unattended)
    judged = [(one, objection(saved, sha256, one, requesters, moment)) for one in approvals]
    good = sorted((one for one, why in judged if why is None), key=lambda one: (one.signed_at, one.principal))
    persons = people([one for one in good if one.kind == "approve"])
    counted = tuple(same[0] for same in persons)
    if len(counted) >= wanted:
        last = sorted((one.expires_at for one in counted), reverse=True)[:wanted][-1:]
        return Decision(False, counted, min([_end(saved), *last]))
    glass = next((one for one in good if one.kind == "break-glass"), None)
    if glass is not None:
        return Decision(True, (*counted, glass), min(_end(saved), glass.expires_at))
    why_not = [f"{one.principal}: {why}" for one, why in judged if why is not None]
    why_not += [f"{one.principal}: is the same person as {same[0].principal}" for same in persons for one in same[1:]]
    why_not += [said.rstrip(".") for said in refusals]
    steps = ", ".join(_by_step(saved.steps, environment, unattended))
    names = f" ({', '.join(one.principal for one in counted)})" if counted else ""
    raise Refused(
        f"{saved.run} needs {_others(wanted).lower()} for {environment} ({steps}); {len(counted)} count{names}."
        + (f" Not counted: {'; '.join(why_not)}." if why_not else ""),
        f"ops approve {saved.run} (by somebody else than {saved.requester or saved.requested_by})",
    )


def still(saved: SavedPlan, sha256: str, environment: Environment, moment: datetime) -> None:
    """Return if a plan's file is what it says and may be used at this moment; raises Refused otherwise."""
    again = f"Plan again: ops run {saved.notebook} --environment {environment} --plan"
    if saved.environment != environment:
        raise Refused(f"The plan {saved.run} is for {saved.environment}, not for {environment}.", again)
    if plan_sha256(saved.encode()) != sha256:
        raise Refused(f"The plan {saved.run} is not the file with the SHA-256 {sha256[:12]}…", again)
    if moment < saved.created_at:
        raise Refused(
            f"The clock says {_time(moment)}, which is before the plan was made ({_time(saved.created_at)}).",
            "Set this machine's clock.",
        )
    if moment >= _end(saved):
        raise Refused(f"The plan {saved.run} expired at {_time(_end(saved))}.", again)


def _end(saved: SavedPlan) -> datetime:
    return min(saved.expires_at, saved.created_at + LONGEST)


def _by_step(steps: Iterable[PlannedStep], environment: Environment, unattended: Iterable[str]) -> dict[str, int]:
    """Return for each step that needs approvals, in words, how many."""
    alone = frozenset(unattended)
    asked = ((step, needed(step.plan, environment)) for step in steps if step.plan.action not in alone)
    return {f"{step.step} is {_kind(step.plan)}": count for step, count in asked if count}


def _kind(plan: Plan) -> str:
    irreversible = plan.repeat is Repeat.IRREVERSIBLE and plan.effect in (Effect.CHANGE, Effect.DESTRUCTIVE)
    return f"{plan.effect} and irreversible" if irreversible else str(plan.effect)


def _others(count: int) -> str:
    return "An approval by another person" if count == 1 else f"Approvals by {count} other people"


def names_of_requester(saved: SavedPlan, requesters: frozenset[str]) -> frozenset[str]:
    """Return ``requesters``, and who asked for the plan, in the form that :func:`is_requester` compares."""
    # Without a name in the allowed signers, the operating system's is all that is known of who asked.
    own = saved.requester or saved.requested_by.rpartition("@")[0] or saved.requested_by
    return frozenset(name.casefold() for name in (*requesters, own) if name)


def is_requester(approval: Approval, names: frozenset[str]) -> str | None:
    """Return why an approval is by one of ``names``, or None."""
    name = approval.principal.casefold()
    if name in names or name.partition("@")[0] in names:
        return "is by who asked for the plan"
    if approval.fingerprint.casefold() in names:
        return "is by a key of who asked for the plan"
    return None


def people(approvals: Iterable[Approval]) -> list[list[Approval]]:
    """Return the approvals by person: the same name or the same key, also in turn, is one."""
    found: list[list[Approval]] = []
    for one in approvals:
        same = [person for person in found if any(_alike(one, other) for other in person)]
        found = [person for person in found if person not in same]
        found.append([*(other for person in same for other in person), one])
    return found


def _alike(one: Approval, other: Approval) -> bool:
    return one.fingerprint == other.fingerprint or one.principal.casefold() == other.principal.casefold()
