"""Functions deployed to Supabase as one commit has them, one after the other; what was there is kept before.

The bodies that are replaced are put into the bucket of the backups under the digest of what they are: a copy that
outlives a killed run, and that no report holds. From there an undo deploys them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.errors import Refused, Unreachable
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.probes.supabase import migrations_of, recorded, smoke
from opslib.systems.functions import Source, back, committed, deployed
from opslib.systems.object_store import Exists
from opslib.systems.supabase import Function, ReadOnlySupabase
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

NOT_DEPLOYED = "not deployed"
MOST_KEPT = 8 * 1024 * 1024


class DeployFunctions(Action):
    """Deploys each function that differs from what the commit ``ref`` of the product's repository has.

    Bound to that commit and to the versions that are deployed. Functions that the commit does not have stay.
    """

    name: ClassVar[str] = "deploy-functions"
    title: ClassVar[str] = "Deploy the functions of a commit"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "supabase"
    most: ClassVar[int] = 20
    seconds: ClassVar[float] = 1800.0
    items: ClassVar[tuple[str, ...]] = ("DEP-SUP-03",)
    guide: ClassVar[str] = "supabase functions deploy"
    reason: ClassVar[str] = (
        "The command deploys whatever stands in the working tree, to whichever project was linked last, and keeps "
        "nothing of what it replaces. Here the files come from one commit, only what differs is deployed, and what "
        "was there is kept and compared afterwards (GH-27: no checkout is moved to and fro for a way back)."
    )

    ref: str = Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$")

    def plan(self, target: PlanTarget) -> Plan:
        """Compare the commit's functions with the deployed ones; raises Refused where its migrations are missing."""
        commit = target.checkout.commit(self.ref)
        files = target.checkout.files(commit)
        wanted = committed(files)
        if not wanted:
            raise Refused(f"{commit[:12]} has no functions below supabase/functions.", "Name another commit.")
        _migrated(target, files, commit)
        there = target.supabase.functions()
        steps, before, after = {}, {}, {}
        for slug, source in wanted.items():
            now = _standing(target.supabase, there.get(slug))
            if now is not None and source.is_deployed_as(now):
                continue
            version = there[slug].version if now else 0
            before[slug] = f"version {version}, {now.digest[:12]}" if now else NOT_DEPLOYED
            after[slug] = f"version {version + 1}, {source.digest[:12]}"
            steps[slug] = {
                "version": version,
                "before": now.digest if now else None,
                "kept": hashlib.sha256(now.kept()).hexdigest() if now else None,
                "after": source.digest,
            }
        return self.planned(
            before=before,
            after=after,
            touches=len(steps),
            touched="functions deployed",
            verification="Each is ACTIVE, its version has grown, and its files are the commit's; those that may be "
            "called answer.",
            undo="The kept bodies are deployed again, as further versions; what was not deployed is deleted.",
            fingerprint={"project": target.supabase.ref, "commit": commit, "functions": steps},
            observed={
                "as in the commit": sorted(wanted.keys() - steps.keys()),
                "not in the commit": sorted(there.keys() - wanted.keys()),
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Keep and deploy one after the other; one that is as planned already, from an earlier try, is passed over."""
        steps, writer = plan.fingerprint["functions"], target.supabase_writer
        wanted = self._wanted(target, plan)
        there = writer.functions()
        standing = {slug: _standing(writer, there.get(slug)) for slug in steps}
        left = [slug for slug, now in standing.items() if now is None or not wanted[slug].is_deployed_as(now)]
        for slug in left:
            if _digest(standing[slug]) != steps[slug]["before"]:
                raise Refused(f"{slug} is not as it was planned with: somebody deployed it since.", "Plan again.")
        for number, slug in enumerate(left):
            progress(f"deploying {slug}", number, len(left))
            if (now := standing[slug]) is not None:
                _keep(target, now)
            made = writer.deploy(slug, wanted[slug].files, wanted[slug].metadata(now))
            progress(f"{slug} is version {made.version}", number + 1, len(left))
        return {"commit": plan.fingerprint["commit"], "functions": sorted(steps)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at each function: status, version, files; call those that may be called."""
        wanted = self._wanted(target, plan)
        rows: list[dict[str, Any]] = []
        faults: list[str] = []
        there = target.supabase.functions()
        for slug, step in plan.fingerprint["functions"].items():
            function = there.get(slug)
            now = _standing(target.supabase, function)
            same = now is not None and wanted[slug].is_deployed_as(now)
            row = {"function": slug, "as in the commit": "yes" if same else "no"}
            if function is not None:
                row |= {"status": function.status, "version": function.version}
            if function is None or function.status != "ACTIVE":
                faults.append(f"{slug} is {function.status if function else NOT_DEPLOYED}")
            elif not same or function.version <= step["version"]:
                faults.append(f"{slug} is {'not as in the commit' if not same else 'no new version'}")
            elif slug in target.settings.smoke_functions:
                row["answers"] = smoke(target, slug)["status"]
                faults += [f"{slug} answers {row['answers']}"] if row["answers"] in (404, *range(500, 600)) else []
            rows.append(row)
        if faults:
            return Verification(Verdict.CRITICAL, f"{'; '.join(faults)}.", tuple(rows))
        commit = plan.fingerprint["commit"][:12]
        said = f"{len(rows)} functions are deployed as in {commit}." if rows else f"All were as in {commit} before."
        return Verification(Verdict.OK, said, tuple(rows))

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look which functions are as before and which as planned; a mixture can be gone on with."""
        wanted, steps = self._wanted(target, plan), plan.fingerprint["functions"]
        there = target.supabase.functions()
        done, left = [], []
        for slug, step in steps.items():
            now = _standing(target.supabase, there.get(slug))
            if now is not None and wanted[slug].is_deployed_as(now):
                done.append(slug)
            elif _digest(now) == step["before"]:
                left.append(slug)
            else:
                return Settled(Outcome.UNKNOWN, f"{slug} is neither as it was nor as in the commit.")
        if not left:
            values = {"commit": plan.fingerprint["commit"], "functions": sorted(steps)}
            return Settled(Outcome.DONE, "All functions are as in the commit.", values)
        if not done:
            return Settled(Outcome.NOT_DONE, "All functions are as they were.")
        return Settled(Outcome.PARTLY, f"Deployed: {', '.join(done)}; as before: {', '.join(left)}.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Deploy the kept bodies again, delete what was not there; refused before that if somebody deployed since."""
        steps, writer = plan.fingerprint["functions"], target.supabase_writer
        there = writer.functions()
        old: dict[str, Source | None] = {}
        for slug, step in steps.items():
            function = there.get(slug)
            if _digest(_standing(writer, function)) == step["before"]:
                continue
            if function is None or function.version != step["version"] + 1:
                raise Refused(f"{slug} was deployed by somebody since.", "Look who did, and what is right now.")
            old[slug] = _kept(target, slug, step["kept"]) if step["kept"] else None
        for number, (slug, source) in enumerate(old.items()):
            progress(f"taking {slug} back", number, len(old))
            if source is None:
                writer.delete_function(slug)
            else:
                writer.deploy(slug, source.files, source.metadata())
        there = writer.functions()
        rows: Rows = tuple(
            {"function": slug, "as before": _digest(_standing(writer, there.get(slug))) == step["before"]}
            for slug, step in steps.items()
        )
        well = all(row["as before"] for row in rows)
        said = f"{len(old)} functions are {'as before' if well else 'NOT all as before'}."
        return Verification(Verdict.OK if well else Verdict.CRITICAL, said, rows)

    def _wanted(self, target: PlanTarget, plan: Plan) -> dict[str, Source]:
        commit, steps = plan.fingerprint["commit"], plan.fingerprint["functions"]
        wanted = committed(target.checkout.files(commit))
        known = {slug: source.digest for slug, source in wanted.items()}
        if moved := [slug for slug, step in steps.items() if known.get(slug) != step["after"]]:
            raise Refused(f"{moved[0]} at {commit[:12]} is not what was planned.", "Look at the repository.")
        return {slug: wanted[slug] for slug in steps}


def _standing(supabase: ReadOnlySupabase, function: Function | None) -> Source | None:
    return None if function is None else deployed(function, supabase.files(function.slug))


def _digest(source: Source | None) -> str | None:
    return None if source is None else source.digest


def _key(project: str, slug: str, digest: str) -> str:
    return f"functions/{project}/{slug}/{digest}.json"


def _keep(target: WriteTarget, source: Source) -> None:
    data = source.kept()
    key = _key(target.supabase.ref, source.slug, hashlib.sha256(data).hexdigest())
    with suppress(Exists):
        # Its name is the digest of what is in it: what is there already is the same.
        target.backup_store.put_new(key, data, {"function": source.slug})


def _kept(target: WriteTarget, slug: str, digest: str) -> Source:
    key = _key(target.supabase.ref, slug, digest)
    try:
        data = target.backups.read(key, MOST_KEPT)
    except Unreachable as error:
        raise Refused(f"The kept body of {slug} cannot be read: {error.message}", "Nothing was changed.") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise Refused(f"s3://{target.settings.backup_bucket}/{key} is not what was kept.", "Look who wrote it.")
    return back(data)


def _migrated(target: PlanTarget, files: Mapping[str, bytes], commit: str) -> None:
    """Raise Refused where the database lacks a migration of the commit: functions come after their database (GH-06)."""
    versions = migrations_of(files)
    if versions and (missing := sorted(versions.keys() - recorded(target))):
        raise Refused(
            f"The database lacks {len(missing)} migrations of {commit[:12]}, first {missing[0]}.",
            "Apply them first: runbooks/migrate-database.",
        )
