"""What the workflow does case by case, against what the guide says: worked out from its file, nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from opslib.checks.delivery_stages import (
    ALWAYS,
    DEPLOYS,
    DETECT,
    FRONT_END,
    IMAGES,
    INFRASTRUCTURE,
    KUBERNETES,
    SMOKE,
    STAGES,
    SUMMARY,
    Finding,
)
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import delivery_stages as probes

Jobs = Mapping[str, Row]
FIRST = (*ALWAYS, DETECT)
"""Run in each case, and so are not named in each."""


def scenarios(file: str, branch: str, flag: str) -> Check:
    """Return the check that in each case the right jobs run: what changed is deployed, and nothing untested is.

    Skipped jobs skip those after them, and an empty matrix fails: both are found here. UNKNOWN where a condition
    depends on something that is not in the file.
    """
    return Check(
        name="delivery-scenarios",
        title="In each case the right jobs run",
        probe=probes.scenarios(file, branch, flag),
        judge=_judge,
        remedy=(
            "A job is skipped since one before it was: if: ${{ !cancelled() && !failure() && … }}. A matrix "
            "may be empty: if: needs.detect-changes.outputs.services != '[]'. It is mended by a commit; what was "
            "skipped before is deployed with runbooks/force-full-deployment afterwards."
        ),
        items=("CI-FLOW-03", "CI-FLOW-04", "CI-FLOW-05", "CI-FLOW-06", "CI-FLOW-07", "CI-FLOW-08"),
    )


def _judge(reading: Reading) -> Judgement:
    cases = {
        row["case"]: {one["job"]: one for one in reading.rows if one["case"] == row["case"]} for row in reading.rows
    }
    findings, rows = list[Finding](), list[Row]()
    for name, jobs in cases.items():
        found = list(dict.fromkeys(_case(jobs)))
        findings += [(verdict, f"{name}: {text}") for verdict, text in found]
        rows.append(
            {
                "case": name,
                "runs": ", ".join(_shown(one) for job, one in jobs.items() if one["runs"] and job not in FIRST),
                "skipped": ", ".join(job for job, one in jobs.items() if one["runs"] is False),
                "amiss": "; ".join(text for _, text in found),
            }
        )
    order = list(Verdict)
    said = [text for _, text in sorted(findings, key=lambda one: -order.index(one[0]))]
    more = f"; and {len(said) - 3} more" if len(said) > 3 else ""
    summary = f"{'; '.join(said[:3])}{more}." if said else f"In all {len(cases)} cases just the right jobs run."
    return Judgement(Verdict.worst([Verdict.OK, *(one for one, _ in findings)]), summary, len(findings), tuple(rows))


def _shown(one: Row) -> str:
    return f"{one['job']} ×{len(one['legs'])}" if one["legs"] else str(one["job"])


def _case(jobs: Jobs) -> Iterator[Finding]:
    first = next(iter(jobs.values()))
    for job, one in jobs.items():
        if one["fault"]:
            yield Verdict.CRITICAL, f"{job}: {one['fault']}"
        if one["runs"] is None and job in STAGES:
            yield Verdict.UNKNOWN, f"whether {job} runs {one['why']}"
    if first["fails"] in ALWAYS:
        for job in DEPLOYS:
            if _runs(jobs, job):
                yield Verdict.CRITICAL, f"{job} runs all the same"
        return
    wanted = _wanted(first["fits"])
    yield from _missed(jobs, wanted)
    yield from _legs(jobs, first["fits"])
    for job in (IMAGES, *DEPLOYS):
        if job not in wanted and _runs(jobs, job):
            yield Verdict.WARNING, f"{job} runs though nothing of it changed"


def _wanted(fits: list[str]) -> dict[str, str]:
    """Return the stages that have to run, each with the reason."""
    services = [name for name in fits if name not in probes.AREAS]
    wanted = dict.fromkeys((*ALWAYS, DETECT), "always")
    wanted |= dict.fromkeys((IMAGES, KUBERNETES), "a service changed") if services else {}
    wanted |= {INFRASTRUCTURE: "infrastructure changed"} if "infrastructure" in fits else {}
    wanted |= {FRONT_END: "the front end changed"} if "frontend" in fits else {}
    return wanted | (dict.fromkeys((SMOKE, SUMMARY), "something is deployed") if fits else {})


def _missed(jobs: Jobs, wanted: Mapping[str, str]) -> Iterator[Finding]:
    for job, reason in wanted.items():
        if job in jobs and jobs[job]["runs"] is False:
            grave = job != SUMMARY
            why = f"{job} is skipped though it has to run ({reason}): {jobs[job]['why']}"
            yield Verdict.CRITICAL if grave else Verdict.WARNING, why


def _legs(jobs: Jobs, fits: list[str]) -> Iterator[Finding]:
    built = jobs.get(IMAGES)
    if built is None or not built["runs"] or not built["legs"]:
        return
    services = {name for name in fits if name not in probes.AREAS}
    if extra := sorted(set(built["legs"]) - services):
        yield Verdict.CRITICAL, f"{IMAGES} builds {', '.join(extra)}, for which no service changed"
    if lacks := sorted(services - set(built["legs"])):
        yield Verdict.CRITICAL, f"{IMAGES} does not build {', '.join(lacks)}"


def _runs(jobs: Jobs, job: str) -> bool:
    return job in jobs and jobs[job]["runs"] is True
