"""People told of an incident of any kind, by fixed words alone: on call through PagerDuty, everybody else in Slack.

PagerDuty's alert has the incident's name as its key, so that later runs acknowledge, update and resolve the one that
the first has triggered. Slack's message has the work's id in it, by which it is found before it would be posted again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.observability_telling import UNSET, Ways, open_ways, post, posted, unread, ways
from opslib.actions.security_evidence import began
from opslib.errors import Refused, UsageError
from opslib.guide.support import levels
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification, now
from opslib.systems.on_call import Incident
from opslib.systems.pagerduty import Severity
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

News = Literal["began", "acknowledged", "update", "mitigated", "resolved"]
NOTHING = "nothing"
WORDS: dict[str, str] = {
    "began": "it has begun, and nobody says that they took it on",
    "acknowledged": "somebody has taken it on",
    "update": "it goes on, and its record has news",
    "mitigated": "users are served again; it is not over",
    "resolved": "it is over; its review is due",
}
STANDS: dict[str, tuple[str, ...]] = {
    "acknowledged": ("acknowledged", "resolved"),
    "resolved": ("resolved",),
}
"""How PagerDuty's incident stands after such news; after other news it is there, however it stands."""
NAME = r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*$"
PAUSE_SECONDS = 1.0


class TellNobody(Action):
    """Tells nobody: what a run asks for that only looks at an incident."""

    name: ClassVar[str] = "tell-nobody"
    title: ClassVar[str] = "Tell nobody of the incident"
    effect: ClassVar[Effect] = Effect.READ
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    area: ClassVar[str] = "observability"

    def plan(self, target: PlanTarget) -> Plan:
        """Say that nobody will be told."""
        return self.planned(
            before={}, after={}, touches=0, touched="messages", verification="None is needed.", undo="None is needed."
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Do nothing."""
        return {}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Say that nobody was told."""
        return Verification(Verdict.OK, "Nobody was to be told, and nobody was.")


class TellOfIncident(Action):
    """Tells PagerDuty and then Slack ``news`` of ``incident``, in fixed words; ``told_level`` is the highest told.

    PagerDuty takes an event before it works it off: its incident is waited for at most ``wait_seconds``.
    """

    name: ClassVar[str] = "tell-of-incident"
    title: ClassVar[str] = "Tell of the incident"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "observability"
    most: ClassVar[int] = 2
    seconds: ClassVar[float] = 300.0
    reason: ClassVar[str] = (
        "The text is fixed: the incident's name, environment, severity, what is new, and the run in which everything "
        "stands. No name and no address of anybody, no value of a row and no secret can be in it."
    )

    incident: Annotated[str, Field(pattern=NAME, max_length=60)]
    severity: Severity
    news: News
    told_level: int = Field(default=0, ge=0, le=4)
    wait_seconds: float = Field(default=30.0, ge=0, le=120)

    def plan(self, target: PlanTarget) -> Plan:
        """Look whether the channel can be read and how the alert stands; raises Refused where the news cannot be so."""
        to, key, text = ways(target), self.key(target), self.text(target)
        open_ways(target, to, "or run with tell=nothing.")
        known = _alert(target, key) if to.pager else None
        if to.pager and _readable(target):
            self._fits(known)
        return self.planned(
            before={"PagerDuty": _before(target, known) if to.pager else UNSET, "Slack": _none(to)},
            after={
                "PagerDuty": f"alert {key}: {self._event}; {text}" if to.pager else UNSET,
                "Slack": text if to.slack else UNSET,
            },
            touches=to.count,
            touched="messages",
            verification=(
                "The message is read back from the channel, word by word; PagerDuty's incident is read back by its key"
                f"{'.' if _readable(target) else ' only with OPS_READ_PAGERDUTY_TOKEN, which is not set.'}"
            ),
            undo="None is possible: who was told was told. Tell what is so now by another run.",
            fingerprint={"text": text, "key": key, "channel": target.settings.slack_channel if to.slack else None},
            observed={
                "PagerDuty": f"incident #{known.number}, {known.status}" if known else "no incident seen",
                "on call": _on_call(target) if to.pager else UNSET,
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Tell PagerDuty, then Slack; of both only what was not told yet."""
        to, text = ways(target), str(plan.fingerprint["text"])
        values: dict[str, Any] = {"pagerduty": None, "slack": None}
        if to.pager:
            progress("PagerDuty")
            values["pagerduty"] = self._tell(target, str(plan.fingerprint["key"]), text)
        if to.slack:
            values["slack"] = post(target, text, progress)
        return values

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Read the message back, and the incident at PagerDuty where a key is there that may read it."""
        text, faults, stands = str(plan.fingerprint["text"]), [], UNSET
        if values["pagerduty"]:
            stands, fault = self._read_back(target, str(values["pagerduty"]))
            faults += [fault] if fault else []
        if values["slack"] and (fault := unread(target, str(values["slack"]), text)):
            faults.append(fault)
        rows = (
            {"way": "PagerDuty", "said": stands},
            {"way": "Slack", "said": f"message {values['slack']}: {text}" if values["slack"] else UNSET},
        )
        if faults:
            return Verification(Verdict.CRITICAL, " ".join(faults), rows)
        told = " and ".join(row["way"] for row in rows if row["said"] != UNSET)
        return Verification(Verdict.OK, f"Told: {told}. Whether anybody read it is not known here.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for the message, which comes last; without it apply goes on, and tells PagerDuty only what it lacks."""
        to = ways(target)
        if to.slack and (ts := posted(target)):
            values = {"pagerduty": plan.fingerprint["key"] if to.pager else None, "slack": ts}
            return Settled(Outcome.DONE, "The message is in the channel, and PagerDuty was told before it.", values)
        return Settled(Outcome.PARTLY, "No message is in the channel; PagerDuty's key makes a second event the same.")

    def key(self, target: PlanTarget) -> str:
        """Return the key of PagerDuty's alert: one per incident and environment, whichever run tells of it."""
        return f"{target.environment}/{self.incident}"

    def text(self, target: PlanTarget) -> str:
        """Return the words: fixed ones, the incident's name, environment, severity, levels and the work's id."""
        told = next(
            (f" Told so far: level {one.number} ({one.who})." for one in levels() if one.number == self.told_level), ""
        )
        head = f"{self.incident} on {target.environment}, severity {self.severity}"
        return f"{head}: {WORDS[self.news]}.{told} What was done stands in run {target.run}."

    @property
    def _event(self) -> str:
        return {"acknowledged": "acknowledge", "resolved": "resolve"}.get(self.news, "trigger")

    def _fits(self, known: Incident | None) -> None:
        """Raise Refused for news that PagerDuty's incident contradicts: it would page people anew, or reach nobody."""
        if self.news == "began":
            if known is not None and known.status == "resolved":
                raise Refused(
                    f"PagerDuty's incident #{known.number} of {self.incident} is over: this would page people anew.",
                    "Give an incident that begins now a name of its own.",
                )
        elif known is None or known.status == "resolved":
            raise Refused(
                f"PagerDuty has no open incident of {self.incident}: {self.news} would reach nobody, or page anew.",
                "Tell that it began first; what was opened otherwise, acknowledge and resolve in PagerDuty.",
            )

    def _tell(self, target: WriteTarget, key: str, text: str) -> str:
        if self.news == "acknowledged":
            return target.pager.acknowledge(key)
        if self.news == "resolved":
            return target.pager.resolve(key)
        known = _alert(target, key)
        if known is not None and known.status == "resolved" and known.created >= began(target.run):
            # This work opened it and was broken off; meanwhile somebody resolved it. Another event would page anew.
            return key
        return target.pager.trigger(key, text, self.severity, f"opslib, {target.environment}")

    def _read_back(self, target: VerifyTarget, key: str) -> tuple[str, str]:
        """Return how PagerDuty's incident stands in words, and what is wrong with that."""
        if not _readable(target):
            return f"taken as {key}; not read back, for OPS_READ_PAGERDUTY_TOKEN is not set", ""
        until = time.monotonic() + self.wait_seconds
        while True:
            known = _alert(target, key)
            if known is not None and known.status in STANDS.get(self.news, (known.status,)):
                return f"incident #{known.number}: {known.status}", ""
            if time.monotonic() > until:
                stands = "no incident" if known is None else f"incident #{known.number}, which is {known.status}"
                return stands, f"PagerDuty took the event, and has {stands} of {key}."
            time.sleep(PAUSE_SECONDS)


def tell(incident: str, severity: Severity, news: str, told_level: int) -> Action:
    """Return what a notebook asks for: to tell ``news`` of an incident, or nobody (``nothing``).

    Raises UsageError for news of an incident without a name: nobody could tell it from another one.
    """
    if news == NOTHING:
        return TellNobody()
    if incident == "none":
        raise UsageError("An incident without a name cannot be told of.", "Give incident, such as INC-2026-1129.")
    said = {"incident": incident, "severity": severity, "news": news, "told_level": told_level}
    return TellOfIncident.model_validate(said)


def _readable(target: PlanTarget) -> bool:
    return target.settings.read_pagerduty_token is not None


def _alert(target: PlanTarget, key: str) -> Incident | None:
    return target.on_call.incident(key) if _readable(target) else None


def _before(target: PlanTarget, known: Incident | None) -> str:
    # Who acknowledges it between the plan and its apply changes nothing of what is told.
    if not _readable(target):
        return "not known: OPS_READ_PAGERDUTY_TOKEN is not set"
    return "no alert of this incident" if known is None else "an alert of this incident"


def _none(to: Ways) -> str:
    return "no message of this run" if to.slack else UNSET


def _on_call(target: PlanTarget) -> str:
    """Return who is on call on the first level by PagerDuty's own word, for whoever approves; "not known" else."""
    if not _readable(target) or target.settings.escalation_policy is None:
        return "not known"
    at = now()
    people = {one.user.summary or one.user.id for one in target.on_call.shifts(at, at) if one.level == 1}
    return ", ".join(sorted(people)) or "nobody"
