"""The front end built on this machine from one commit: in a folder of its own, looked through for secrets, hashed."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

import opslib.actions.frontend_built as built
from opslib.actions.base import Action, Progress
from opslib.actions.frontend_variables_values import Wanted, wanted
from opslib.errors import Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL, Effect, Plan, Repeat, Verdict, Verification
from opslib.redaction import Secret
from opslib.systems.building import BUILD, INSTALL
from opslib.systems.publishable import ANON_KEY, URL, secrets_in
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

OUTPUT, PACKAGE, LOCK = "dist", "package.json", "package-lock.json"
VAULT_KEY, VAULT_URL = "SUPABASE_ANON_KEY", "SUPABASE_URL"
"""Keys of the vault whose values are public."""
NOTHING = "none"
Built = Annotated[str, Field(pattern=rf"^({NOTHING}|[0-9a-f]{{64}}|{UNKNOWN_UNTIL}build-front-end)$")]
"""The digest of the files that were built; in a planning run the marker of the step that will know it."""


class BuildFrontEnd(Action):
    """Builds the newest commit of ``branch`` here, as npm's lock file says.

    With ``if-needed`` only for a hoster that builds nothing itself. The value ``sha256`` is that of all files together;
    ``none``: nothing was built. Never in anybody's checkout: the commit's files are written to a folder of their own.
    """

    name: ClassVar[str] = "build-front-end"
    title: ClassVar[str] = "Build the front end here, from one commit"
    effect: ClassVar[Effect] = Effect.LOCAL
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    area: ClassVar[str] = "delivery"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 3 * 3600.0
    items: ClassVar[tuple[str, ...]] = ("DEP-STG-01", "DEP-NTL-02", "DEP-VCL-01", "DEP-NTL-01")
    guide: ClassVar[str] = "npm run build"
    reason: ClassVar[str] = (
        "The guide builds in the operator's folder, with whatever lies there, whatever Node is installed and whatever "
        "variables the shell has. Here one commit is built with what its lock file names; versions, files and digest "
        "are recorded, and what would be served is looked through for secrets. No command line is installed."
    )

    branch: str = Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$")
    when: Literal["if-needed", "always"] = "if-needed"
    build_seconds: float = Field(default=1200.0, ge=1, le=7200)

    def plan(self, target: PlanTarget) -> Plan:
        """Find commit, tools and variables; raises Refused where a build is not determined, or not kept apart."""
        hosting = target.hosting
        if hosting.builds and self.when == "if-needed":
            return self.planned(
                before={},
                after={"built": f"by {hosting.hoster}, from the commit itself"},
                touches=0,
                touched="builds on this machine",
                verification="None.",
                undo="None is needed.",
            )
        target.build_tools.kept_apart()
        commit, tools = target.workflows.head(self.branch), target.build_tools.tools()
        target.checkout.commit(commit)
        install, variables = _installs(target, commit), _variables(target)
        return self.planned(
            before={"built": "nothing"},
            after={
                "commit": commit,
                "Node": tools.node,
                "npm": tools.npm,
                "commands": ([f"npm {' '.join(INSTALL)}"] if install else []) + [f"npm {' '.join(BUILD)}"],
                "variables": {name: one.says for name, one in sorted(variables.items())},
            },
            touches=1,
            touched="builds on this machine",
            verification=f"{OUTPUT}/{built.INDEX} is there; the files hash to what was recorded; no secret is in them.",
            undo="The files are removed.",
            fingerprint={
                "commit": commit,
                "node": tools.node,
                "npm": tools.npm,
                "installs": install,
                "variables": {name: one.id for name, one in variables.items()},
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Build, look through, keep; raises StepFailed where a secret stands in the files, and keeps nothing then."""
        if not plan.touches:
            return {"sha256": NOTHING}
        began, commit, variables = time.monotonic(), str(plan.fingerprint["commit"]), _variables(target)
        if {name: one.id for name, one in variables.items()} != plan.fingerprint["variables"]:
            raise Refused("The build's variables are others than planned.", "Plan again.")
        values = {name: one.value for name, one in variables.items()}
        with tempfile.TemporaryDirectory(prefix="opslib-build-") as place:
            content = self._made(target, Path(place), plan, values, progress)
        progress("looking for secrets")
        known = built.known_secrets(target, target.hidden(), VAULT_KEY, VAULT_URL)
        if found := secrets_in(content, known, values.values()):
            raise StepFailed(
                f"What would be served to everybody holds a secret: {'; '.join(found[:5])}.",
                "Take it out of the build; if it was ever deployed, rotate it (GH-04).",
            )
        built.keep(target.run, commit, content)
        return {
            "sha256": built.sha256_of(content),
            "commit": commit,
            "files": len(content),
            "bytes": sum(map(len, content.values())),
            "node": plan.fingerprint["node"],
            "npm": plan.fingerprint["npm"],
            "seconds": round(time.monotonic() - began, 1),
        }

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Hash the kept files again."""
        if values["sha256"] == NOTHING:
            return Verification(Verdict.OK, "Nothing was to be built here.")
        content = built.kept(target.run, str(values["sha256"]))
        largest = sorted(content.items(), key=lambda one: -len(one[1]))[:10]
        said = f"{values['files']} files, {values['bytes']} bytes, of {values['commit'][:12]}"
        rows = tuple({"file": path, "bytes": len(data)} for path, data in largest)
        return Verification(Verdict.OK, f"{said}; no secret was found in them.", rows)

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Remove the files."""
        built.remove(target.run)
        return Verification(Verdict.OK, "The files are gone.")

    def _made(
        self, target: WriteTarget, place: Path, plan: Plan, variables: Mapping[str, Secret], progress: Progress
    ) -> dict[str, bytes]:
        """Return the files that a build in ``place`` leaves."""
        source, home = place / "source", place / "home"
        source.mkdir()
        home.mkdir()
        target.checkout.write(str(plan.fingerprint["commit"]), source)
        place.chmod(0o711)
        for folder in (source, home):
            target.builder.prepare(folder)
        if plan.fingerprint["installs"]:
            progress(f"npm {' '.join(INSTALL)}")
            target.builder.run(INSTALL, source, home, {}, self.build_seconds)
        progress(f"npm {' '.join(BUILD)}")
        target.builder.run(BUILD, source, home, variables, self.build_seconds)
        return built.taken(source / OUTPUT)


def _installs(target: PlanTarget, commit: str) -> bool:
    """Return whether packages are installed first; raises Refused where a build would not be determined."""
    try:
        package = json.loads(target.checkout.file(commit, PACKAGE) or b"{}")
    except ValueError:
        package = {}
    if not isinstance(package, dict) or "build" not in package.get("scripts", {}):
        raise Refused(f"{commit[:12]} has no {PACKAGE} with a script named build.", "See the product's repository.")
    if target.checkout.file(commit, LOCK) is not None:
        return True
    if package.get("dependencies") or package.get("devDependencies"):
        raise Refused(
            f"{commit[:12]} has no {LOCK}: which packages it would be built with is not determined.", "Commit one."
        )
    return False


def _variables(target: PlanTarget) -> dict[str, Wanted]:
    """Return what a build gets: the public variables that the description and the vault have."""
    settings = target.settings
    found = {ANON_KEY: wanted(target, ANON_KEY, VAULT_KEY)}
    if settings.supabase_site is not None:
        found[URL] = wanted(target, URL, None)
    plain = {"VITE_API_BASE_URL": settings.application_url, "VITE_APP_URL": settings.front_end_url}
    return found | {name: Wanted("description", Secret(value)) for name, value in plain.items() if value is not None}
