"""The deployment workflow's file against the guide: its stages and their order, its change detection, its filters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import delivery_stages as probes
from opslib.probes.delivery_globs import matches

DETECT, SMOKE, SUMMARY = "detect-changes", "smoke-tests", "deployment-summary"
ALWAYS = ("test", "security-scan")
IMAGES, INFRASTRUCTURE, KUBERNETES, FRONT_END = (
    *("build-images", "deploy-infrastructure"),
    *("deploy-kubernetes", "deploy-frontend"),
)
DEPLOYS = (INFRASTRUCTURE, KUBERNETES, FRONT_END)
STAGES = (DETECT, *ALWAYS, IMAGES, *DEPLOYS, SMOKE, SUMMARY)
"""The guide's stages, in its order."""
WAITS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    IMAGES: (ALWAYS, (DETECT,)),
    INFRASTRUCTURE: (ALWAYS, (DETECT, IMAGES)),
    KUBERNETES: ((*ALWAYS, IMAGES), (INFRASTRUCTURE,)),
    FRONT_END: (ALWAYS, (KUBERNETES,)),
    SMOKE: (DEPLOYS, ()),
    SUMMARY: ((), (SMOKE,)),
}
"""What each stage must wait for (else CRITICAL), and what else comes before it in the guide (else WARNING)."""
GUIDE_FILTERS = {
    "opportunity": ("blueprint/infra/backend/services/opportunity/**",),
    "frontend": ("src/**", "public/**"),
}
FLOW_ITEMS = tuple(f"CI-FLOW-{number:02}" for number in range(1, 11))
NOBODY, TAG, COMMIT = "no version", "a tag, which its owner can move", "a commit or digest"

Finding = tuple[Verdict, str]


def _found(findings: Sequence[Finding], fine: str, rows: Sequence[Row]) -> Judgement:
    order = list(Verdict)
    said = [text for _, text in sorted(findings, key=lambda one: -order.index(one[0]))]
    verdict = Verdict.worst([Verdict.OK, *(one for one, _ in findings)])
    summary = f"{'; '.join(said[:4])}{f'; and {len(said) - 4} more' if len(said) > 4 else ''}." if said else fine
    return Judgement(verdict, summary, len(findings), tuple(rows))


def stages(file: str, branch: str) -> Check:
    """Return the check that the guide's stages are in the workflow, each after what it has to wait for."""
    return Check(
        name="delivery-stages",
        title="The guide's stages are there, in their order",
        probe=probes.graph(file, branch),
        judge=lambda reading: _judge_stages(reading, branch),
        remedy=(
            f"Correct {file}: add the stage, or name under its needs what it must wait for. It is mended by a "
            "commit. Look at what went out untested; if that is broken: runbooks/roll-back-deployment for the front "
            "end, disaster/recover-everything with services=api, back=previous for the API."
        ),
        items=FLOW_ITEMS,
    )


def _judge_stages(reading: Reading, branch: str) -> Judgement:
    trigger = reading.rows[0]
    jobs = {row["job"]: row for row in reading.rows if row["what"] == "job"}
    findings = list(_trigger(trigger, branch))
    rows: list[Row] = [{"stage": f"push to {branch}", "waits_for": "", "condition": "", "amiss": _words(findings)}]
    for stage in STAGES:
        found = list(_stage(stage, jobs))
        findings += found
        job = jobs.get(stage)
        waits = ", ".join(job["needs"]) if job else "(not there)"
        rows.append(
            {"stage": stage, "waits_for": waits, "condition": job["condition"] if job else "", "amiss": _words(found)}
        )
    fine = f"All {len(STAGES)} stages are in {trigger['workflow']} at {trigger['commit'][:12]}, each after its own"
    fine = f"{fine}; {_since(trigger)}."
    return _found(findings, fine, rows)


def _since(trigger: Row) -> str:
    if trigger["deployed"] is None:
        return "no run of it has gone well yet"
    at = trigger["deployed"][:12]
    if trigger["same"] is None:
        return f"what it was at {at}, which is deployed, is not known"
    return (
        f"it is the file of {at}, which is deployed" if trigger["same"] else f"it has changed since {at} was deployed"
    )


def _words(findings: Sequence[Finding]) -> str:
    return "; ".join(text for _, text in findings)


def _trigger(row: Row, branch: str) -> Iterator[Finding]:
    on = row["branches"]
    if not row["pushed"] or (on is not None and not any(matches(one, branch) for one in on)):
        yield Verdict.CRITICAL, f"a push to {branch} starts nothing"
    if row["narrowed"]:
        yield Verdict.WARNING, "only pushes of some paths start it: the others are not tested"


def _stage(stage: str, jobs: dict[str, Row]) -> Iterator[Finding]:
    job = jobs.get(stage)
    if job is None:
        yield Verdict.CRITICAL, f"{stage} is not in the file"
        return
    if job["missing"]:
        yield Verdict.CRITICAL, f"{stage} waits for {', '.join(job['missing'])}, which is not there"
    if stage in ALWAYS and job["forgiven"]:
        yield Verdict.CRITICAL, f"{stage} may fail without stopping anything (continue-on-error)"
    must, should = WAITS.get(stage, ((), ()))
    for one in must:
        if one in jobs and one not in job["after"]:
            yield Verdict.CRITICAL, f"{stage} does not wait for {one}"
    for one in should:
        if one in jobs and one not in job["after"]:
            yield Verdict.WARNING, f"{stage} does not wait for {one}, which the guide has before it"


def change_detection(file: str, branch: str) -> Check:
    """Return the check of the job that finds what changed: where it runs, by which action, what it says."""
    return Check(
        name="delivery-change-detection",
        title="What changed is found by the guide's action, and only services are built as services",
        probe=probes.graph(file, branch),
        judge=_judge_detection,
        remedy=(
            "Let detect-changes run paths-filter, and hand on services: ${{ steps.filter.outputs.changes }}. That is "
            "the name of every filter that fits: keep frontend and infrastructure in a second step."
        ),
        items=("CI-FLT-01", "CI-FLT-02", "CI-FLT-03"),
    )


def _judge_detection(reading: Reading) -> Judgement:
    jobs = {row["job"]: row for row in reading.rows if row["what"] == "job"}
    filters = [row for row in reading.rows if row["what"] == "filter" and row["job"] == DETECT]
    if DETECT not in jobs:
        return Judgement(Verdict.CRITICAL, f"There is no job {DETECT}: nothing finds what changed.", None, ())
    job, findings = jobs[DETECT], list[Finding]()
    if not filters:
        findings.append((Verdict.CRITICAL, f"{DETECT} has no step of dorny/paths-filter"))
    if job["runs_on"] != "ubuntu-latest":
        findings.append((Verdict.WARNING, f"it runs on {job['runs_on'] or 'something else'}, not on ubuntu-latest"))
    said = job["outputs"].get("services")
    step = re.search(r"steps\.([\w-]+)\.outputs\.changes", said or "")
    if said is None:
        findings.append((Verdict.CRITICAL, "it has no output services"))
    elif step is None:
        findings.append((Verdict.WARNING, "its output services is not what the filters say (outputs.changes)"))
    else:
        mixed = [row["filter"] for row in filters if row["step"] == step[1] and row["filter"] in probes.AREAS]
        if mixed:
            findings.append((Verdict.CRITICAL, f"its services also name {' and '.join(mixed)}, which is none"))
    rows = [{"output": name, "says": text} for name, text in job["outputs"].items()]
    fine = f"{DETECT} runs on ubuntu-latest and says which of {len(filters)} filters fit."
    return _found(findings, fine, rows)


def pinned(file: str, branch: str) -> Check:
    """Return the check of how the actions are pinned: the guide's is a tag, and a tag can be moved."""
    return Check(
        name="delivery-actions-pinned",
        title="The filter action, and other people's actions, are pinned",
        probe=probes.graph(file, branch),
        judge=_judge_pinned,
        remedy=(
            "Write the 40 digits of the release's commit behind the @, with the version as a comment: a tag of "
            "somebody else's repository can be moved to other code, which then runs with the deployment's secrets."
        ),
        items=("CI-FLT-04",),
    )


def _judge_pinned(reading: Reading) -> Judgement:
    rows, findings = [], list[Finding]()
    for row in reading.rows:
        if row["what"] != "action" or row["action"].startswith(("./", "actions/")):
            continue
        name, _, version = row["action"].partition("@")
        how = (
            COMMIT
            if re.fullmatch(r"[0-9a-f]{40}|sha256:[0-9a-f]{64}", version)
            else TAG
            if re.match(r"v?\d", version)
            else NOBODY
        )
        rows.append({"action": name, "version": version, "pinned_to": how, "job": row["job"]})
        if how == NOBODY:
            findings.append((Verdict.CRITICAL, f"{name} is whatever {version or 'its branch'} is at that moment"))
        elif how == TAG:
            findings.append((Verdict.WARNING, f"{name}@{version} is {TAG}"))
    if not any(row["action"].lower() == "dorny/paths-filter" for row in rows):
        return Judgement(
            Verdict.CRITICAL, "dorny/paths-filter is not used: nothing finds what changed.", None, tuple(rows)
        )
    return _found(findings, f"Actions of others: {len(rows)}, each pinned to a commit.", rows)


def filters(file: str, branch: str) -> Check:
    """Return the check that the guide's filters are there with the guide's globs, and that each glob can be read."""
    return Check(
        name="delivery-filters",
        title="The filters have the guide's globs",
        probe=probes.graph(file, branch),
        judge=_judge_filters,
        remedy=(
            "Add the glob to the filter. A list of globs fits a file that any of them fits: a lone !docs/** fits "
            "everything but documents, which is seldom meant."
        ),
        items=("CI-FLT-05", "CI-FLT-06", "CI-FLT-07"),
    )


def _judge_filters(reading: Reading) -> Judgement:
    rows = [row for row in reading.rows if row["what"] == "filter"]
    known = {row["filter"]: row for row in rows}
    findings = list[Finding]()
    for name, globs in GUIDE_FILTERS.items():
        if name not in known:
            findings.append((Verdict.CRITICAL, f"there is no filter {name}"))
            continue
        lacks = [glob for glob in globs if glob not in known[name]["globs"]]
        if lacks:
            findings.append((Verdict.CRITICAL, f"the filter {name} lacks {' and '.join(lacks)}"))
    for row in rows:
        for glob in row["unreadable"]:
            findings.append((Verdict.UNKNOWN, f"the glob {glob} of {row['filter']} is not read here"))
        lone = [glob for glob in row["globs"] if glob.startswith("!") and not glob.startswith("!(")]
        if lone:
            findings.append((Verdict.WARNING, f"{lone[0]} makes {row['filter']} fit everything else"))
    shown = [{"filter": row["filter"], "step": row["step"], "globs": ", ".join(row["globs"])} for row in rows]
    return _found(findings, f"{len(rows)} filters; the guide's have the guide's globs.", shown)
