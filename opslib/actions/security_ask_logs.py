"""The closed list of questions, asked of logs: of files by DuckDB on this machine, of a group by Logs Insights in AWS.

The guide exports logs "for forensics" and stops there. The answers are written into the run's own evidence, each with
the SHA-256 of its text and of its rows, and sealed; what they stand on is named, and what they lack.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from opslib.actions.base import Action, Progress
from opslib.actions.security_asked_answers import (
    INPUTS,
    Answer,
    AskedCustody,
    Found,
    Source,
    keep,
    parse_asked,
    values,
)
from opslib.actions.security_asked_found import in_aws, on_disk
from opslib.actions.security_asked_lines import folder_of, of_evidence, of_export
from opslib.actions.security_custody import faults
from opslib.actions.security_evidence import began
from opslib.errors import Refused
from opslib.model import Effect, Plan, Repeat, Verdict, Verification, now
from opslib.probes.log_questions import (
    NONE,
    QUESTIONS,
    SUBJECTS,
    LogQuestion,
    Terms,
    composed,
)
from opslib.redaction import Redactor
from opslib.systems.exported_logs import listed, within
from opslib.systems.log_insights import GIGABYTE, dollars
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

MOMENT = r"^(none|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z)$"


class AskLogs(Action):
    """Asks ``source`` every question of the window: ``hours`` from ``start`` on, or the newest ones.

    ``manifest`` names what the lines are held against. Questions are about an ``address``, and about the account,
    tenant, request or session that is ``named``, where one is given. ``most_gb`` bounds what Logs Insights may scan in
    all, which is paid for. Nothing of the target is changed.
    """

    name: ClassVar[str] = "ask-logs"
    title: ClassVar[str] = "Ask the logs"
    effect: ClassVar[Effect] = Effect.LOCAL
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    area: ClassVar[str] = "security"
    most: ClassVar[int] = len(QUESTIONS) + 2
    seconds: ClassVar[float] = 4 * 3600.0
    items: ClassVar[tuple[str, ...]] = ("RUN-SEC-05",)
    guide: ClassVar[str] = "kubectl logs -l app=api-server --since=24h > incident-logs.txt"
    reason: ClassVar[str] = (
        "The guide exports a file and asks it nothing. Here a closed list of questions is asked, of evidence whose "
        "every file is hashed again first; what could not be read, and which pod was silent, stands beside each answer."
    )

    source: Source = "evidence"
    manifest: str = Field(default="newest", pattern=r"^(none|newest|[0-9a-f]{64})$")
    export: str = Field(default=NONE, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    start: str = Field(default=NONE, pattern=MOMENT)
    hours: float = Field(default=24.0, ge=0.5, le=2160)
    baseline_hours: float = Field(default=0.0, ge=0, le=2160)
    address: str = Field(default=NONE, pattern=f"^({NONE}|{SUBJECTS['address'].pattern})$")
    about: Literal["none", "account", "tenant", "request", "session"] = "none"
    named: str = Field(default=NONE, pattern=f"^{SUBJECTS['account'].pattern}$")
    most_gb: float = Field(default=5.0, ge=0, le=100_000)

    def plan(self, target: PlanTarget) -> Plan:
        """Say what would be asked, and what it costs; raises Refused where that is more than ``most_gb``."""
        terms = self.terms(began(target.run))
        questions = self.questions()
        window = f"{terms.start:%Y-%m-%d %H:%M} to {terms.end:%Y-%m-%d %H:%M} UTC"
        if self.source == "evidence" and self.start == NONE:
            window = f"the last {self.hours:g} hours before the evidence was collected"
        observed = {"window": window}
        if self.source == "cloudwatch":
            observed |= self._estimated(target, terms)
        if self.source == "export":
            files = listed(folder := folder_of(target.settings, self.export))
            read = within(files, terms.before, terms.end)
            observed["files"] = f"{len(read)} of {len(files)}, {sum(one.bytes for one in read)} bytes, in {folder.name}"
        return self.planned(
            before=dict.fromkeys(questions, "not asked"),
            after=dict.fromkeys(questions, "asked, its rows in a file of the run's own evidence"),
            touches=len(questions) + 1,
            touched="files in the run's own evidence",
            verification="Each file is hashed and counted anew and held against the manifest.",
            undo="None is needed: nothing of the target is changed, and the answers stay with the run.",
            fingerprint={"group": target.settings.log_group if self.source == "cloudwatch" else None},
            observed=observed,
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Ask; returns the manifest's SHA-256 and the beginning of each answer. Raises Refused on changed evidence."""
        place, begun, redactor = target.files, now(), Redactor(target.settings.secrets())
        place.begin()
        terms, found = self._found(target, redactor, progress)
        items = [
            keep(place, redactor, name, QUESTIONS[name].title, self._text(QUESTIONS[name], terms), answer)
            for name, answer in found.answers.items()
        ]
        if found.inputs:
            list_ = Answer(found.inputs)
            items.append(keep(place, redactor, INPUTS, "Which files were asked?", found.digest, list_))
        custody = AskedCustody(
            work=target.run,
            run=place.run,
            collected_by=place.collector,
            source=self.source,
            start=terms.start,
            end=terms.end,
            before=terms.before,
            subject=terms.subject,
            vouched=found.vouched,
            inputs_sha256=found.digest,
            scanned_bytes=found.scanned,
            begun_at=begun,
            ended_at=now(),
            items=tuple(items),
        )
        return values(place.finish(custody.encode()), custody, found, redactor)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Hash and count every file again; CRITICAL where one is not as written, UNKNOWN where no question could be."""
        found = target.files.found(str(values["manifest"]))
        if found is None:
            return Verification(Verdict.CRITICAL, "There is no manifest with that SHA-256 in the run's evidence.")
        custody = parse_asked(found[1])
        if amiss := faults(found[0], custody):
            return Verification(Verdict.CRITICAL, f"Not kept: {'; '.join(amiss[:3])}.", custody.shown())
        asked = [item for item in custody.items if item.id != INPUTS]
        unknown = [item for item in asked if item.unknown]
        said = f"{len(asked) - len(unknown)} of {len(asked)} questions were answered; {custody.vouched or 'in AWS'}"
        verdict = Verdict.UNKNOWN if unknown else Verdict.OK
        said += f"; {unknown[0].id}: {unknown[0].unknown}" if unknown else ""
        return Verification(verdict, f"{said.rstrip('.')}.", custody.shown())

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Do nothing: the answers are not taken away, and nothing else was changed."""
        return Verification(Verdict.OK, "Nothing of the target was changed; the answers stay with the run.")

    def terms(self, newest: datetime) -> Terms:
        """Return what is asked; without a start, the window ends at ``newest``. Raises Refused where it is none."""
        if self.start == NONE:
            end = newest.replace(microsecond=0)
            start = end - timedelta(hours=self.hours)
        else:
            start = _moment(self.start)
            end = start + timedelta(hours=self.hours)
        if (self.about == NONE) != (self.named == NONE):
            raise Refused("Whom it is about is said by half.", "Give both about and named, or neither.")
        subject = {name: word for name, word in (("address", self.address), (self.about, self.named)) if word != NONE}
        return Terms(start, end, start - timedelta(hours=self.baseline_hours), subject)

    def questions(self) -> dict[str, LogQuestion]:
        """Return the questions by name; what a session did is asked of one that is named."""
        return {name: one for name, one in QUESTIONS.items() if name != "session" or self.about == name}

    def _text(self, question: LogQuestion, terms: Terms) -> str:
        return composed(question, terms) if self.source == "cloudwatch" else question.sql

    def _estimated(self, target: PlanTarget, terms: Terms) -> dict[str, str]:
        scans = self._scans(target, terms)
        said = f"about {scans / GIGABYTE:.3f} GB, USD {dollars(scans):.4f}"
        if scans > self.most_gb * GIGABYTE:
            raise Refused(
                f"{len(self.questions())} questions would scan {said}, and most_gb is {self.most_gb:g}.",
                "Ask a shorter window, or allow more (most_gb). The estimate is of stored bytes, spread evenly.",
            )
        return {"scans": f"{said}; at most {self.most_gb:g} GB"}

    def _scans(self, target: PlanTarget, terms: Terms) -> int:
        moment = now()
        held = target.insights.held(target.settings.log_group, moment)
        return sum(
            held.share(terms.before if one.wide else terms.start, terms.end, moment)
            for one in self.questions().values()
        )

    def _found(self, target: WriteTarget, redactor: Redactor, progress: Progress) -> tuple[Terms, Found]:
        questions = self.questions()
        if self.source == "cloudwatch":
            terms = self.terms(began(target.run))
            return terms, in_aws(target, terms, questions, self.most_gb, redactor, progress)
        progress("hashing the files")
        if self.source == "evidence":
            lines = of_evidence(target.files, target.environment, self.manifest)
            terms = self.terms(lines.until or began(target.run))
        else:
            terms = self.terms(began(target.run))
            manifest = NONE if self.manifest == "newest" else self.manifest
            folder = folder_of(target.settings, self.export)
            lines = of_export(folder, target.files, target.environment, manifest, terms.before, terms.end)
        return terms, on_disk(target, terms, questions, lines, redactor, progress)


def _moment(said: str) -> datetime:
    try:
        return datetime.fromisoformat(said)
    except ValueError:
        raise Refused(f"There is no moment {said}.", "Such as 2026-11-29T10:00:00Z.") from None
