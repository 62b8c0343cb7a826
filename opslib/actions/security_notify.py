"""Stakeholders told of an incident, by fixed words alone: on call through PagerDuty, everybody else in Slack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.backups_folder import Digest
from opslib.actions.base import Action, Progress, Settled
from opslib.actions.observability_telling import UNSET, Ways, open_ways, post, posted, unread, ways
from opslib.actions.security_custody import whole
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.systems.pagerduty import Severity
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget


class NotifyStakeholders(Action):
    """Triggers one alert, by the work's id as its key, then posts one message; both of fixed words. Without ``tell``
    nobody is told.

    Only while the evidence ``manifest`` of the same work is whole. A second try triggers the same alert, and posts
    nothing where the message stands already.
    """

    name: ClassVar[str] = "notify-stakeholders"
    title: ClassVar[str] = "Tell the stakeholders of the incident"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.IRREVERSIBLE
    area: ClassVar[str] = "security"
    most: ClassVar[int] = 2
    seconds: ClassVar[float] = 300.0
    items: ClassVar[tuple[str, ...]] = ("RUN-SEC-06",)
    reason: ClassVar[str] = (
        "The guide says whom to tell and not how; under stress words slip out that do harm. The text is fixed: "
        "environment, severity, the run in which everything stands, and no name and no address of anybody."
    )

    tell: bool = True
    severity: Severity = Field(default="critical")
    manifest: Digest

    def plan(self, target: PlanTarget) -> Plan:
        """Look whether the channel can be read; raises Refused where nobody could be told, or was told already."""
        pager, slack = self._ways(target)
        if self.tell:
            open_ways(target, Ways(pager, slack), "or run with notify=false.")
        text = self.text(target)
        return self.planned(
            before={
                "PagerDuty": "no alert of this run" if pager else UNSET,
                "Slack": "no message of this run" if slack else UNSET,
            },
            after={"PagerDuty": f"alert {target.run}" if pager else UNSET, "Slack": text if slack else UNSET},
            touches=pager + slack,
            touched="messages",
            verification="PagerDuty has taken the event; the message is read back from the channel.",
            undo="None: who was told was told. Resolve the alert in PagerDuty, and correct in the channel.",
            fingerprint={"text": text, "channel": target.settings.slack_channel if slack else None},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Tell PagerDuty, then Slack; raises Refused before that where the evidence is not whole."""
        whole(target.files, self.manifest)
        pager, slack = self._ways(target)
        text = str(plan.fingerprint["text"])
        values: dict[str, Any] = {"pagerduty": None, "slack": None}
        if pager:
            progress("PagerDuty")
            values["pagerduty"] = target.pager.trigger(target.run, text, self.severity, _source(target))
        if slack:
            values["slack"] = post(target, text, progress)
        return values

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Read the message back; what became of the alert PagerDuty's door for events does not tell."""
        rows = (
            {"way": "PagerDuty", "said": f"taken as {values['pagerduty']}" if values["pagerduty"] else UNSET},
            {"way": "Slack", "said": f"message {values['slack']}" if values["slack"] else UNSET},
        )
        text = str(plan.fingerprint["text"])
        if values["slack"] and (fault := unread(target, values["slack"], text)):
            return Verification(Verdict.CRITICAL, fault, rows)
        if not self.tell:
            return Verification(Verdict.OK, "Nobody was to be told.", rows)
        told = " and ".join(row["way"] for row in rows if row["said"] != UNSET)
        return Verification(Verdict.OK, f"Told: {told}. Whether anybody read it is not known here.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for the message, which comes last; an alert may be triggered again without harm."""
        pager, slack = self._ways(target)
        if slack and (ts := posted(target)):
            values = {"pagerduty": target.run if pager else None, "slack": ts}
            return Settled(Outcome.DONE, "The message is in the channel, and the alert came before it.", values)
        if not (pager or slack):
            return Settled(Outcome.NOT_DONE, "Nobody was to be told.")
        return Settled(Outcome.PARTLY, "No message is in the channel; the alert's key makes a second one the same.")

    def text(self, target: PlanTarget) -> str:
        """Return the words: of the environment, the severity and the work's id, and nothing else."""
        return (
            f"Security incident on {target.environment}, severity {self.severity}. Evidence is preserved. What was "
            f"contained, and what was not, stands in run {target.run}."
        )

    def _ways(self, target: PlanTarget) -> tuple[bool, bool]:
        """Return whether PagerDuty, and whether Slack, is to be told, and can be."""
        found = ways(target)
        return self.tell and found.pager, self.tell and found.slack


def _source(target: PlanTarget) -> str:
    return f"opslib, {target.environment}"
