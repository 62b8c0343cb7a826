"""The workflow's file, changes and runs at the lab's GitHub: each thing amiss is found, and each silence is UNKNOWN."""

import pytest

from opslib.checks import delivery as checks
from opslib.lab.vendors.github import FILE, PATH, PRODUCT, WORKFLOW
from opslib.model import Verdict
from opslib.pictures import delivery as pictures
from opslib.probes import delivery as probes
from opslib.runs.reading import evaluate, take
from opslib.systems.target import ReadTarget
from tests.workflows import repository

FLAG = "force_full_deploy"
STAGES = checks.stages(FILE, "main")
SCENARIOS = checks.scenarios(FILE, "main", FLAG)
DETECTION = checks.change_detection(FILE, "main")
PINNED = checks.pinned(FILE, "main")
FILTERS = checks.filters(FILE, "main")
CHANGE = checks.change(FILE, "main", "previous", "main", "none")
UNCOVERED = checks.uncovered(FILE, "main", 50)
RUN = checks.run_stages(FILE)
DURATIONS = checks.durations(FILE, "main", 30, 3)
OF_THE_FILE = (STAGES, SCENARIOS, DETECTION, PINNED, FILTERS, CHANGE, UNCOVERED)
NEEDS = "needs: [test, security-scan, detect-changes]"
GUARD = "!cancelled() && !failure() && "


@pytest.fixture
def origin(lab):
    with repository(lab.settings) as made:
        yield made


@pytest.fixture
def target(lab):
    made = ReadTarget(lab.settings.reading(), "test")
    yield made
    made.close()


def changed(*pairs):
    text = WORKFLOW
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    return text


def test_the_labs_workflow_is_as_the_guide_says(origin, target):
    found = {check.name: evaluate(check, target) for check in (*OF_THE_FILE, RUN)}
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(found, Verdict.OK)
    assert "81 % saved" in found["delivery-uncovered"].summary


BREAKS = [
    (STAGES, [("branches: [main]", "branches: [release]")], "starts nothing"),
    (STAGES, [("  push:\n    branches: [main]\n", "")], "starts nothing"),
    (STAGES, [("  smoke-tests:\n", "  smoke:\n"), (", smoke-tests]", "]")], "smoke-tests is not in the file"),
    (STAGES, [(NEEDS, "needs: [test, detect-changes]")], "does not wait for security-scan"),
    (
        STAGES,
        [("needs: [deploy-infrastructure, deploy-kubernetes, deploy-frontend]", "needs: []")],
        "smoke-tests does not",
    ),
    (STAGES, [("  test:\n", "  test:\n    continue-on-error: true\n")], "without stopping anything"),
    (STAGES, [("needs: [detect-changes, build-images]", "needs: [detect-changes, gone]")], "gone, which is not there"),
    (SCENARIOS, [(GUARD, "")], "skipped though it has to run"),
    (SCENARIOS, [("  test:\n", "  test:\n    if: github.event_name == 'pull_request'\n")], "test is skipped"),
    (SCENARIOS, [(GUARD, "always() && ")], "runs all the same"),
    (SCENARIOS, [("if: needs.detect-changes.outputs.services != '[]'", "if: true")], "no value"),
    (SCENARIOS, [("inputs.force_full_deploy && 'true' || ", "")], "forced"),
    (SCENARIOS, [("fromJSON(needs.detect-changes.outputs.services)", "fromJSON('[\"target\"]')")], "does not build"),
    (DETECTION, [("dorny/paths-filter@", "other/filter@")], "no step of dorny/paths-filter"),
    (DETECTION, [("      services: ", "      changed: ")], "no output services"),
    (PINNED, [("paths-filter@de90cc6fb38fc0963ad72b210f1f284cd68cea36", "paths-filter@master")], "whatever master is"),
    (FILTERS, [("              - 'src/**'\n", "")], "lacks src/**"),
    (FILTERS, [("            opportunity:\n", "            other:\n")], "no filter opportunity"),
    (CHANGE, [("'src/**'", "'web/**'"), ("'public/**'", "'web/**'")], "no job would deploy it"),
    (UNCOVERED, [("package-lock.json,", "")], "package-lock.json"),
]


@pytest.mark.parametrize(("check", "pairs", "said"), BREAKS)
def test_what_is_broken_in_the_file_is_critical_and_said(origin, target, check, pairs, said):
    origin.file(changed(*pairs))
    result = evaluate(check, target)
    assert (result.verdict, said in result.summary) == (Verdict.CRITICAL, True), result.summary
    assert result.rows


LESS = [
    (STAGES, [("deploy-frontend, smoke-tests]", "deploy-frontend]")], Verdict.WARNING, "does not wait for smoke-tests"),
    (
        STAGES,
        [("    branches: [main]\n", "    branches: ['*']\n    paths: ['src/**']\n")],
        Verdict.WARNING,
        "some paths",
    ),
    (
        SCENARIOS,
        [("needs.detect-changes.outputs.frontend == 'true'", "vars.FRONT")],
        Verdict.UNKNOWN,
        "depends on",
    ),
    (SCENARIOS, [("outputs.frontend == 'true'", "outputs.frontend != ''")], Verdict.WARNING, "nothing of it changed"),
    (DETECTION, [("steps.filter.outputs.changes", "steps.filter.outputs.opportunity")], Verdict.WARNING, "not what"),
    (DETECTION, [("ubuntu-latest", "self-hosted")], Verdict.WARNING, "self-hosted"),
    (PINNED, [("paths-filter@de90cc6fb38fc0963ad72b210f1f284cd68cea36", "paths-filter@v3")], Verdict.WARNING, "a tag"),
    (FILTERS, [("'scripts/**'", "'!docs/**'")], Verdict.WARNING, "everything else"),
    (FILTERS, [("'scripts/**'", "'(a|b)/**'")], Verdict.UNKNOWN, "not read here"),
    (CHANGE, [("'scripts/**'", "'(a|b)/**'")], Verdict.UNKNOWN, "not read here"),
    (UNCOVERED, [("              - 'packages/**'\n", "")], Verdict.WARNING, "have not changed"),
]


@pytest.mark.parametrize(("check", "pairs", "verdict", "said"), LESS)
def test_what_is_doubtful_or_not_known_is_never_green(origin, target, check, pairs, verdict, said):
    origin.file(changed(*pairs))
    result = evaluate(check, target)
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


def test_whether_the_file_is_the_one_that_is_deployed_is_said(origin, target):
    assert "it is the file of 5f0d0f6a7b1c, which is deployed" in evaluate(STAGES, target).summary
    origin.push("b" * 40)
    assert "is not known" in evaluate(STAGES, target).summary
    origin.change(heads={"main": "b" * 40, "former": origin.runs[0]["sha"]})
    assert "it is the file of" in evaluate(STAGES, target).summary
    origin.change(runs=[])
    assert "no run of it has gone well yet" in evaluate(STAGES, target).summary


def test_the_products_own_file_is_found_out_by_each_check(origin, target):
    origin.file(PRODUCT)
    found = {check.name: evaluate(check, target) for check in (*OF_THE_FILE, checks.takes_input(FILE, "main", FLAG))}
    assert {name: str(one.verdict) for name, one in found.items()} == {
        "delivery-stages": "WARNING",
        "delivery-scenarios": "CRITICAL",
        "delivery-change-detection": "CRITICAL",
        "delivery-actions-pinned": "WARNING",
        "delivery-filters": "OK",
        "delivery-change": "OK",
        "delivery-uncovered": "CRITICAL",
        "workflow-takes-input": "CRITICAL",
    }
    assert "builds frontend" in found["delivery-scenarios"].summary
    assert "deployment-summary does not wait for smoke-tests" in found["delivery-stages"].summary


def test_a_change_may_be_named_by_commits_or_by_paths(origin, target):
    head = target.checkout.commit("main")
    newest = target.checkout.history(head, 9)
    several = evaluate(checks.change(FILE, "main", newest[4].commit, "main", "none"), target)
    assert "build-images ×2" in several.summary
    named = evaluate(checks.change(FILE, "main", "previous", "main", "docs/a.md,infrastructure/x.tf"), target)
    assert (named.verdict, "deploy-infrastructure" in named.summary) == (Verdict.OK, True)
    nothing = evaluate(checks.change(FILE, "main", head, "main", "none"), target)
    assert nothing.verdict is Verdict.UNKNOWN
    strange = evaluate(checks.change(FILE, "main", "nowhere", "main", "none"), target)
    assert (strange.verdict, "no commit nowhere" in strange.summary) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize(
    ("more", "verdict", "said"),
    [
        ({"fails": "deploy-kubernetes"}, Verdict.CRITICAL, "deploy-kubernetes failed"),
        ({"fails": "test"}, Verdict.CRITICAL, "test failed"),
        ({"changed": ["frontend"]}, Verdict.OK, "3 skipped"),
        ({"created": 4e9}, Verdict.UNKNOWN, "Under way"),
        ({"conclusion": "cancelled", "cancelled": 1}, Verdict.WARNING, "cancelled"),
    ],
)
def test_the_newest_runs_stages_are_told(origin, target, more, verdict, said):
    origin.change(runs=[{**origin.runs[0], **more}])
    result = evaluate(RUN, target)
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


def row(job, start=0, seconds=60, conclusion="success"):
    moment = f"2026-11-29T10:{start:02}:00+00:00"
    return {"job": job, "status": "completed", "conclusion": conclusion, "started": moment, "seconds": seconds}


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ([], Verdict.OK, "in the guide's order"),
        ([row("deploy-frontend", 0)], Verdict.CRITICAL, "deploy-frontend began before test"),
        ([row("smoke-tests", 4)], Verdict.CRITICAL, "smoke-tests began before"),
        ([row("deployment-summary", 6)], Verdict.WARNING, "before smoke-tests had ended"),
        ([row("security-scan", 0, 0, "skipped")], Verdict.CRITICAL, "security-scan was skipped"),
        ([row("smoke-tests", 6, 0, "skipped")], Verdict.CRITICAL, "smoke-tests were skipped"),
        ([row("test", 0, None, None)], Verdict.UNKNOWN, "Under way"),
    ],
)
def test_stages_out_of_order_or_left_out_are_found(lab, target, changes, verdict, said):
    names = ["test", "security-scan", "detect-changes", "build-images (a)", "build-images (b)", "deploy-infrastructure"]
    starts = dict.fromkeys(names[:3], 0) | dict.fromkeys(names[3:5], 1) | {names[5]: 3}
    starts |= {"deploy-kubernetes": 4, "deploy-frontend": 5, "smoke-tests": 6, "deployment-summary": 7}
    rows = {name: row(name, start) for name, start in starts.items()} | {one["job"]: one for one in changes}
    if any(one["conclusion"] is None for one in changes):
        rows["test"]["status"] = "in_progress"
    reading = take(probes.jobs(FILE), target)
    made = RUN.judge(type(reading)(**{**vars(reading), "rows": tuple(rows.values())}))
    assert (made.verdict, said in made.summary) == (verdict, True), made.summary


def test_durations_are_medians_of_real_runs_and_unknown_with_too_few(origin, target, lab):
    assert evaluate(DURATIONS, target).verdict is Verdict.UNKNOWN
    runs = [
        {
            **origin.runs[0],
            "id": 6_999_100 + i,
            "changed": changed,
            "job_seconds": 20,
            "created": origin.runs[0]["created"],
        }
        for i, changed in enumerate([["frontend"], ["target"], []] * 3)
    ]
    origin.change(runs=runs)
    good = evaluate(DURATIONS, target)
    assert good.verdict is Verdict.OK
    assert [one["runs"] for one in good.rows] == [3, 3, 3]
    origin.change(runs=[{**one, "job_seconds": 60} for one in runs])
    slow = evaluate(DURATIONS, target)
    assert (slow.verdict, "guide 3" in slow.summary) == (Verdict.WARNING, True)
    origin.change(runs=[{**one, "job_seconds": 600} for one in runs])
    assert evaluate(DURATIONS, target).verdict is Verdict.CRITICAL


def test_the_pace_is_counted_and_a_recovery_is_timed(origin, target):
    origin.change(runs=[{**origin.runs[0], "id": i, "fails": "test" if i == 2 else ""} for i in (1, 2, 3)])
    (one,) = take(probes.pace(FILE, "main", 30), target).rows
    assert (one["runs"], one["failed"], one["failed_share"]) == (3, 1, 33.3)
    assert one["lead_time"] >= 1200
    origin.change(runs=[])
    (none,) = take(probes.pace(FILE, "main", 30), target).rows
    assert (none["runs"], none["failed_share"], none["lead_time"]) == (0, None, None)


@pytest.mark.parametrize("fault", ["401", "malformed"])
def test_where_github_says_nothing_every_check_is_unknown(origin, target, fault):
    with origin.doors.fault("github", fault):
        results = [evaluate(check, target) for check in (*OF_THE_FILE, RUN, DURATIONS)]
        pictured = [draw(take(CHANGE.probe, target)) for draw in (pictures.files, pictures.graph)]
    assert {result.verdict for result in results} == {Verdict.UNKNOWN}
    assert all("GitHub" in result.summary for result in results)
    assert all(one.alternative.startswith("Unknown") for one in pictured)


def test_without_a_checkout_only_what_needs_one_is_unknown(origin, lab):
    settings = lab.settings.model_copy(update={"checkout": None})
    target = ReadTarget(settings.reading(), "test")
    try:
        found = {check.name: evaluate(check, target).verdict for check in OF_THE_FILE}
    finally:
        target.close()
    assert {name for name, verdict in found.items() if verdict is Verdict.UNKNOWN} == {
        "delivery-change",
        "delivery-uncovered",
    }


def test_a_file_without_jobs_is_critical_and_one_without_form_unknown(origin, target):
    origin.file("on: push\njobs: {}\n")
    assert evaluate(STAGES, target).verdict is Verdict.CRITICAL
    assert evaluate(DETECTION, target).verdict is Verdict.CRITICAL
    origin.change(files={PATH: "- not\n- a workflow\n"})
    assert {evaluate(check, target).verdict for check in OF_THE_FILE} == {Verdict.UNKNOWN}


def test_the_pictures_show_each_file_and_each_job(origin, target):
    reading = take(probes.change(FILE, "main", "previous", "main", "src/a.js,Dockerfile,docs/x.md"), target)
    files, graph = pictures.files(reading), pictures.graph(reading)
    assert "1 files are covered by no filter" in files.alternative
    assert all(word in files.svg for word in ("Dockerfile", "no filter", "deployed elsewhere", "deploy-frontend"))
    assert all(word in graph.svg for word in ("test", "notify", "skipped", "runs"))
    assert "8 jobs run, 3 are skipped" in graph.alternative
