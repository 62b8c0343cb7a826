"""The stack's parts answer, what is scraped is well, and the guide's dashboards show something."""

from __future__ import annotations

from collections.abc import Iterator

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import observability as probes
from opslib.probes.observability_stack import NOT_DESCRIBED

MISSED = threshold("targets-missed")
Finding = tuple[Verdict, str]


def _summed(found: list[Finding], fine: str, reading: Reading, value: float | None = None) -> Judgement:
    said = "; ".join(text for verdict, text in found if verdict is not Verdict.OK)
    verdict = Verdict.worst([Verdict.OK, *(verdict for verdict, _ in found)])
    return Judgement(verdict, f"{(said or fine).rstrip('.')}.", value, reading.rows)


def _judge_stack(reading: Reading) -> Judgement:
    fine = f"{', '.join(row['part'] for row in reading.rows)} answer"
    return _summed([_part(row) for row in reading.rows], fine, reading)


def _part(row: Row) -> Finding:
    if row["state"] == NOT_DESCRIBED:
        return Verdict.UNKNOWN, f"{row['part']} is not in the target description"
    if row["state"] == "fails":
        runs = f" ({row['runs']})" if row["runs"] else ""
        return Verdict.CRITICAL, f"{row['part']} fails: {row['says'].rstrip('.')}{runs}"
    if not row["things"]:
        nothing = {"Prometheus": "scrapes nothing", "Jaeger": "answers, and no service sends it traces"}
        return Verdict.WARNING, f"{row['part']} {nothing.get(row['part'], 'answers, and holds nothing')}"
    return Verdict.OK, ""


stack = Check(
    name="observability-stack",
    title="Prometheus, Alertmanager, Grafana and Jaeger answer",
    probe=probes.stack,
    judge=_judge_stack,
    remedy=(
        "Prometheus or Grafana of which the cluster has no ready pod: disaster/recover-everything with "
        "services=prometheus or grafana, from 0 to one, or back to the revision before where the newest one lets no "
        "pod start. Anything else: start it where it runs, and see its log. The guide's compose file mounts files "
        "that its repository lacks and needs a network that nobody creates: look at each part, not at its exit code."
    ),
    items=("MON-OBS-01", "MON-OBS-02", "MON-OBS-03", "MON-OBS-04"),
)
"""CRITICAL for a part that is described and fails; UNKNOWN for one that is not described."""


def _judge_targets(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.CRITICAL, "Prometheus scrapes nothing: it has no target.", 0.0, ())
    found = list(_jobs(reading))
    worst = max((row["missed"] for row in reading.rows if row["missed"] is not None), default=None)
    return _summed(found, f"All {len(reading.rows)} targets are up and were scraped lately", reading, worst)


def _jobs(reading: Reading) -> Iterator[Finding]:
    for job in dict.fromkeys(row["job"] for row in reading.rows):
        rows = [row for row in reading.rows if row["job"] == job]
        down = [row for row in rows if row["health"] == "down"]
        if down:
            said = (
                f"{job}: {len(down)} of {len(rows)} down ({down[0]['instance']}: {down[0]['why'] or 'no reason given'})"
            )
            yield (Verdict.CRITICAL if len(down) == len(rows) else Verdict.WARNING), said
        ages = [MISSED.judge(row["missed"]) for row in rows if row["health"] == "up"]
        old: list[Verdict] = [verdict for verdict in ages if verdict in (Verdict.WARNING, Verdict.CRITICAL)]
        if old:
            # All of a job's targets: else the rest of it is still looked at.
            worst = Verdict.worst(old) if len(old) == len(rows) else Verdict.WARNING
            yield worst, f"{job}: {len(old)} of {len(rows)} not scraped lately"
        if any(row["health"] not in ("up", "down") for row in rows):
            yield Verdict.UNKNOWN, f"{job}: not scraped yet"


targets = Check(
    name="observability-targets",
    title="What Prometheus scrapes is up, and was scraped lately",
    probe=probes.targets,
    judge=_judge_targets,
    remedy=(
        "The API answers 404: its route is gone; since its newest revision, disaster/recover-everything with "
        "services=api, back=previous brings back the one before. Other reasons stand at the target: refused (not "
        "running, another port), a body that is no metrics (redis:6379 is Redis itself, its exporter listens on 9121), "
        "a name that is gone. While a job is down, its alerts cannot fire."
    ),
    threshold=MISSED,
)
"""CRITICAL for a job of which nothing is up or fresh; WARNING where a part of it is."""


def _judge_dashboards(reading: Reading) -> Judgement:
    found = [_dashboard(row) for row in reading.rows]
    gone = [row for row in reading.rows if row["title"] is None]
    panels = sum(row["full"] for row in reading.rows)
    fine = f"All {len(found)} dashboards of the guide are there; {panels} panels have data"
    if gone and len(gone) == len(found):
        said = f"Grafana has none of the guide's dashboards ({', '.join(row['uid'] for row in gone)})"
        others = [f"{row['name']} has the uid {row['other_uid']}" for row in gone if row["other_uid"]]
        return Judgement(Verdict.CRITICAL, f"{'; '.join([said, *others])}.", 0.0, reading.rows)
    return _summed(found, fine, reading, float(panels))


def _dashboard(row: Row) -> Finding:
    where = f"/d/{row['uid']}"
    if row["title"] is None:
        other = f"; one of its title has the uid {row['other_uid']}" if row["other_uid"] else ""
        return Verdict.WARNING, f"{where} does not exist{other}"
    if not row["panels"]:
        return Verdict.WARNING, f"{where} has no panel"
    if row["empty"] or row["broken"]:
        named = [f"{what}: {', '.join(row[what])}" for what in ("empty", "broken") if row[what]]
        return Verdict.WARNING, f"{where} has panels without data ({'; '.join(named)})"
    if not row["full"]:
        return Verdict.UNKNOWN, f"{where}: none of its panels could be asked"
    return Verdict.OK, ""


dashboards = Check(
    name="observability-dashboards",
    title="The guide's dashboards exist, load and have data",
    probe=probes.dashboards,
    judge=_judge_dashboards,
    remedy=(
        "Give the dashboard the guide's uid (its JSON, provisioned), or correct the guide. A panel without data: "
        "export the series that it asks for, or ask for one that is there; an empty panel looks like a quiet one."
    ),
    items=("MON-DSH-01", "MON-DSH-02", "MON-DSH-03", "MON-DSH-04"),
)
"""WARNING for one that is missing or has panels without data; CRITICAL where there is none of them."""
