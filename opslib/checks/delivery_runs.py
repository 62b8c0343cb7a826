"""Runs of the workflow as they really were: how long they took, and whether the last one's stages are green."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from statistics import median

from opslib.checks.delivery_stages import ALWAYS, DEPLOYS, DETECT, FLOW_ITEMS, SMOKE, STAGES, SUMMARY, Finding
from opslib.checks.delivery_workflow import BAD
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import delivery as probes

FIGURES = {
    "front end only": "pipeline-frontend-only",
    "one service": "pipeline-single-service",
    "documentation only": "pipeline-documentation-only",
}
SECOND = timedelta(seconds=1)
"""GitHub tells moments in whole seconds."""
BEFORE = 20.0
"""Minutes that a full run took before, by the guide."""


def durations(file: str, branch: str, most: int, least: int) -> Check:
    """Return the check of the medians of real runs, against the guide's table; UNKNOWN with fewer than ``least``."""
    return Check(
        name="delivery-durations",
        title="Runs are as short as the guide says",
        probe=probes.durations(file, branch, most),
        judge=lambda reading: _judge_durations(reading, least),
        remedy=(
            "Look at the slowest job of such a run (the picture of the last run shows where its time goes): a cache of "
            "packages that is not found, a queue for runners, tests that became slow. Few runs: ask for more."
        ),
        threshold=threshold("pipeline-frontend-only"),
        items=("CI-OPT-01", "CI-OPT-02", "CI-OPT-03"),
    )


def _judge_durations(reading: Reading, least: int) -> Judgement:
    rows, said, verdicts, first = list[Row](), list[str](), list[Verdict](), None
    for kind, figure in FIGURES.items():
        took = [row["minutes"] for row in reading.rows if row["kind"] == kind and row["minutes"] is not None]
        limits = threshold(figure)
        middle = median(took) if len(took) >= least else None
        verdicts.append(limits.judge(middle))
        first = middle if kind == "front end only" else first
        rows.append(
            {
                "case": kind,
                "runs": len(took),
                "median": middle,
                "longest": max(took, default=None),
                "guide": limits.warning,
                "saved": None if middle is None else f"{100 * (1 - middle / BEFORE):.0f} %",
                "guide_saved": f"{100 * (1 - (limits.warning or 0) / BEFORE):.0f} %",
            }
        )
        took_words = f"{middle:.1f} min (guide {limits.warning:g})" if middle is not None else f"only {len(took)} runs"
        said.append(f"{kind} {took_words}")
    others = sum(row["kind"] not in FIGURES for row in reading.rows)
    summary = f"{'; '.join(said)}; {others} other runs."
    return Judgement(Verdict.worst(verdicts), summary, first, tuple(rows))


def run_stages(file: str) -> Check:
    """Return the check that the newest run's stages are green, in the guide's order, and none was left out."""
    return Check(
        name="delivery-run-stages",
        title="The newest run's stages are green and in order",
        probe=probes.jobs(file),
        judge=_judge_run,
        remedy=(
            "Open the first job that failed. Something was deployed before it: compare with diagnostics/frontend and "
            "diagnostics/cluster. If users are worse off, go back: the front end by runbooks/roll-back-deployment, the "
            "API by disaster/recover-everything with services=api, back=previous. When what failed is mended, "
            "runbooks/force-full-deployment deploys all of it in one run."
        ),
        items=FLOW_ITEMS,
    )


def _judge_run(reading: Reading) -> Judgement:
    rows = [{**row, "stage": row["job"].partition(" (")[0]} for row in reading.rows]
    shown = tuple({name: row[name] for name in ("job", "status", "conclusion", "seconds")} for row in rows)
    if not rows:
        return Judgement(Verdict.UNKNOWN, "The workflow has never run.", None, ())
    findings = [*_failed(rows), *_left_out(rows), *_disordered(rows)]
    going = [row["job"] for row in rows if row["status"] != "completed"]
    order = list(Verdict)
    said = [text for _, text in sorted(findings, key=lambda one: -order.index(one[0]))]
    verdict = Verdict.worst([Verdict.OK, *(one for one, _ in findings)])
    if going and verdict is not Verdict.CRITICAL:
        return Judgement(Verdict.UNKNOWN, f"Under way: {', '.join(going)}.", None, shown)
    done = sum(row["conclusion"] == "success" for row in rows)
    summary = (
        f"{'; '.join(said)}." if said else f"{done} jobs succeeded in the guide's order, {len(rows) - done} skipped."
    )
    return Judgement(verdict, summary, len(findings), shown)


def _failed(rows: Sequence[Row]) -> Iterator[Finding]:
    failed = [row["job"] for row in rows if row["conclusion"] in BAD]
    if failed:
        yield (
            Verdict.CRITICAL,
            f"{failed[0]} failed, and {len(failed) - 1} others" if failed[1:] else f"{failed[0]} failed",
        )
    cancelled = [row["job"] for row in rows if row["conclusion"] == "cancelled"]
    if cancelled:
        yield Verdict.WARNING, f"{len(cancelled)} jobs were cancelled, the first {cancelled[0]}"


def _left_out(rows: Sequence[Row]) -> Iterator[Finding]:
    ended = {row["stage"]: row["conclusion"] for row in rows}
    lacks = [stage for stage in STAGES if stage not in ended]
    if lacks:
        yield Verdict.CRITICAL, f"the run has no {', '.join(lacks)}"
    broken = any(row["conclusion"] in {*BAD, "cancelled"} for row in rows)
    for stage in (*ALWAYS, DETECT):
        if ended.get(stage) == "skipped" and not broken:
            yield Verdict.CRITICAL, f"{stage} was skipped"
    deployed = any(ended.get(stage) == "success" for stage in DEPLOYS)
    if deployed and ended.get(SMOKE) == "skipped":
        yield Verdict.CRITICAL, f"something was deployed, and {SMOKE} were skipped"


def _disordered(rows: Sequence[Row]) -> Iterator[Finding]:
    done = [row for row in rows if row["conclusion"] == "success" and row["started"] and row["seconds"] is not None]
    starts, ends = dict[str, datetime](), dict[str, datetime]()
    for row in done:
        start = datetime.fromisoformat(row["started"])
        end = start + timedelta(seconds=row["seconds"])
        starts[row["stage"]] = min(start, starts.get(row["stage"], start))
        ends[row["stage"]] = max(end, ends.get(row["stage"], end))
    for late in DEPLOYS:
        for early in ALWAYS:
            if late in starts and early in ends and starts[late] < ends[early] - SECOND:
                yield Verdict.CRITICAL, f"{late} began before {early} had ended"
        if SMOKE in starts and late in ends and starts[SMOKE] < ends[late] - SECOND:
            yield Verdict.CRITICAL, f"{SMOKE} began before {late} had ended"
    if SMOKE in ends and SUMMARY in starts and starts[SUMMARY] < ends[SMOKE] - SECOND:
        yield Verdict.WARNING, f"{SUMMARY} was written before {SMOKE} had ended"
