"""The env file of the checkout, made of its template and the developers' vault; no value is shown or recorded.

No digest of a value is, either: who has one can try out guesses. What the file was lies beside git's own files, with
mode 0600, until the step is undone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.environment_clone import not_production
from opslib.actions.environment_packages import COMMIT
from opslib.errors import Refused, Unreachable
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.redaction import Secret
from opslib.systems.env_file import Made, make, read
from opslib.systems.env_variables import SECRETS, VARIABLES, judged
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.vault import CURRENT, Version, usable
from opslib.systems.workspace import ENV, TEMPLATE, Workspace


class WriteEnvironmentFile(Action):
    """Writes .env.local of the checkout at ``commit``: its template, filled from the vault OPS_DEVELOPMENT_SECRET.

    Bound to the vault's version when it was planned. Names that the guide sets for development get its values.
    """

    name: ClassVar[str] = "write-environment-file"
    title: ClassVar[str] = "Make the env file from the template and the vault"
    effect: ClassVar[Effect] = Effect.LOCAL
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "environment"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 600.0
    items: ClassVar[tuple[str, ...]] = ("ENV-QS-04", "ENV-QS-05")
    guide: ClassVar[str] = "cp .env.example .env.local\nFill in the required variables in .env.local"
    reason: ClassVar[str] = (
        "A copy is readable by others, replaces what was there, and keeps the template's values where nobody looks. "
        "Here the file has mode 0600 from its first byte, what it replaces is kept, the executor takes the values from "
        "the developers' vault, and a file that would not be well formed is not written."
    )

    commit: str = Field(pattern=COMMIT)

    def plan(self, target: PlanTarget) -> Plan:
        """Judge the file that would be written; raises Refused with every finding, and never with a value."""
        not_production(target)
        version = _current(target)
        compared = _compared(target, version)
        template: str | None = self.commit
        variables: Any = self.commit
        left_out: Any = self.commit
        if not self.commit.startswith(UNKNOWN_UNTIL):
            target.workspace.at(self.commit)
            made, template = self._made(target, version)
            variables, left_out = dict(made.sources), list(made.left_out)
        return self.planned(
            before={"file": _shown(target.workspace)},
            after={"file": "mode 0600", "variables": variables, "left out": left_out},
            touches=1,
            touched="files written",
            verification="It has mode 0600, git ignores it, and every variable is judged well formed.",
            undo="What stood there before is put back, with mode 0600; where nothing did, the file is removed.",
            fingerprint={"template": template, "vault": target.development_vault.name, "version": version.id},
            observed={"compared with the target's vault": compared},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Write it; raises Refused before that when vault or template have moved."""
        version = _current(target)
        if version.id != plan.fingerprint["version"]:
            raise Refused("The developers' vault has another version by now.", "Plan again.")
        writer = target.workspace_writer
        with writer.alone():
            writer.at(self.commit)
            made, template = self._made(target, version)
            if template != plan.fingerprint["template"]:
                raise Refused(f"{TEMPLATE} is not what it was planned with.", "Plan again.")
            writer.put_environment(made.data, target.run)
        return {"variables": len(made.sources), "version": version.id}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Read it again: its mode, whether git ignores it, and each variable."""
        found = target.workspace.environment()
        if found is None:
            return Verification(Verdict.CRITICAL, f"{ENV} is not there.")
        rows = tuple(row for row in judged(read(found[0]).values) if row["standing"] != Verdict.OK)
        if found[1] != 0o600 or not target.workspace.ignored():
            return Verification(Verdict.CRITICAL, f"{ENV} has mode {found[1]:04o}, or git does not ignore it.", rows)
        if any(row["standing"] == Verdict.CRITICAL for row in rows):
            return Verification(Verdict.CRITICAL, f"{rows[0]['variable']} {rows[0]['finding']}.", rows)
        return Verification(Verdict.OK, f"{ENV} has {values['variables']} variables and mode 0600.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """The file is the one that this work wrote, or what was there before."""
        writer = target.workspace_writer
        if writer.environment_is(target.run):
            found = writer.environment()
            count = len(read(found[0]).values) if found else 0
            return Settled(Outcome.DONE, f"{ENV} was written.", {"variables": count, **_version(plan)})
        if writer.environment_untouched(target.run):
            writer.forget_environment(target.run)
            return Settled(Outcome.NOT_DONE, f"{ENV} is as it was.")
        return Settled(Outcome.UNKNOWN, f"{ENV} is neither what it was nor what this step writes.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Put back what was there; raises Refused when somebody changed the file since."""
        writer = target.workspace_writer
        if writer.standing().state != "checkout":
            raise Refused(f"There is no checkout at {writer.folder} any more.", "There is nothing to undo.")
        with writer.alone():
            if writer.mark("environment").get("work") == target.run:
                if not writer.environment_is(target.run):
                    raise Refused(f"{ENV} was changed since.", "It was not touched: put away what is yours.")
                writer.restore_environment(target.run)
        found = writer.environment()
        same = (found is None) == (plan.before["file"] == "absent")
        return Verification(Verdict.OK if same else Verdict.CRITICAL, f"{ENV} is {_shown(writer)}, as before.")

    def _made(self, target: PlanTarget, version: Version) -> tuple[Made, str]:
        workspace = target.workspace
        template = workspace.file(self.commit, TEMPLATE)
        if template is None:
            raise Refused(f"{self.commit[:12]} has no {TEMPLATE}.", "There is nothing to make an env file of.")
        if not workspace.ignored():
            raise Refused(f"git does not ignore {ENV} there.", "Add it to .gitignore first: a commit would publish it.")
        made = make(
            template, _given(target, template, version), f"Made by runbooks/set-up-environment; {_where(version)}"
        )
        rows = judged(read(made.data).values)
        if bad := [f"{row['variable']} {row['finding']}" for row in rows if row["standing"] == Verdict.CRITICAL]:
            raise Refused(
                f"{ENV} would not be right: {'; '.join(bad[:10])}.", "Put what is right into the vault first."
            )
        return made, hashlib.sha256(template).hexdigest()


def _given(target: PlanTarget, template: bytes, version: Version) -> dict[str, tuple[str | Secret, str]]:
    """Return value and source of each variable that the template's own does not decide."""
    wanted = {one.name: one for one in VARIABLES if not one.production}
    found: dict[str, tuple[str | Secret, str]] = {}
    for name in wanted.keys() | read(template).values.keys():
        standard = wanted[name].standard if name in wanted else ""
        if name == "VITE_APP_URL":
            standard = f"http://localhost:{target.workspace.port}"
        if version.value(name) is not None and not standard:
            found[name] = (usable(name, version), _where(version))
        elif standard:
            found[name] = (standard, "the guide, for development")
    return found


def _current(target: PlanTarget) -> Version:
    vault = target.development_vault
    if vault.name == target.vault.name:
        raise Refused("OPS_DEVELOPMENT_SECRET names the target's own secret.", "Give developers one of their own.")
    found = vault.stage(CURRENT)
    if found is None:
        raise Refused(f"{vault.name} has no current version.", "Put the developers' values there.")
    return found


def _compared(target: PlanTarget, version: Version) -> str:
    """Compare each secret with the target's; raises Refused for an equal one, says where nobody could compare."""
    try:
        theirs = target.vault.stage(CURRENT)
    except Unreachable as error:
        return f"no: {error.kind}"
    equal = [name for name, same in version.shared(theirs, SECRETS) if same] if theirs else []
    if equal:
        raise Refused(
            f"{equal[0]} of the developers' vault is the one of {target.environment}.", "Make one of its own for them."
        )
    return "yes, none is equal"


def _shown(workspace: Workspace) -> str:
    found = workspace.environment()
    return "absent" if found is None else f"there, with mode {found[1]:04o}"


def _where(version: Version) -> str:
    return f"version {version.id} of the developers' vault"


def _version(plan: Plan) -> dict[str, Any]:
    return {"version": plan.fingerprint["version"]}
