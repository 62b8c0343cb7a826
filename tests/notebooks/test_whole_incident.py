"""A whole incident on a target that calls itself production, recorded from triage to review.

The front end's newest deployment lacks a file: triage finds it, people are told, the rollback is planned, approved and
applied, triage is well again, and the review has every run and step of it, when and by whom, as the journals have them.
"""

import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from opslib.archive.verify import verify
from opslib.headless import agreement, runner
from opslib.headless.origin import where, who
from opslib.lab.broken import find
from opslib.model import now
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.vendors import Doors

TRIAGE, WORKBENCH, REVIEW = "diagnostics/triage", "reviews/incident-workbench", "reviews/post-incident-review"
BACK, SHOWN_BY = "runbooks/roll-back-deployment", "front-end-whole"
NAME = "incident=INC-2026-1130"
ENDS = ("applied", "verified")


def moment():
    return f"{now():%Y-%m-%dT%H:%M:%SZ}"


def journal(folder):
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def made(production, name, *given):
    """Run a notebook, and return its folder."""
    result = runner.run(name, given, "production", production.archive)
    assert result["state"] == "finished", result["reason"]
    return Path(result["report"]).parent


def approved(production, name, approver, *given):
    """Plan a notebook, have somebody else sign the plan, apply it; returns the folders of both runs."""
    planned = runner.run(name, given, "production", production.archive, mode="plan")
    folder = production.archive / "runs" / planned["run"]
    production.keys.sign(
        (folder / "plan.json").read_bytes(), production.archive / "approvals" / planned["run"], approver
    )
    result = agreement.apply(planned["run"], "production", production.archive)
    assert result["state"] == "finished", result["reason"]
    return folder, Path(result["report"]).parent


def readings(folders):
    """Return when each reading of the check was taken and what it said, oldest first, by the journals."""
    lines = [line["result"] for folder in folders for line in journal(folder) if line["event"] == "result"]
    return sorted((one["reading"]["taken_at"], one["verdict"]) for one in lines if one["check"] == SHOWN_BY)


def result_of(folder, check):
    (found,) = [
        line["result"] for line in journal(folder) if line["event"] == "result" and line["result"]["check"] == check
    ]
    return found


@nightly
def test_a_whole_incident_is_recorded_from_triage_to_review(production):
    fault = find("deployment-incomplete")
    with Doors(production.house.settings).restored():
        made(production, WORKBENCH)  # a look that tells nobody needs nobody's approval
        well = made(production, TRIAGE)
        assert verdicts(well)[SHOWN_BY] == "OK"
        started = moment()
        fault.make(production.house.settings)
        ill = made(production, TRIAGE)
        assert verdicts(ill)[SHOWN_BY] == "CRITICAL"
        taken = moment()
        told = approved(production, WORKBENCH, "cat", NAME, f"started_at={started}", "tell=began")
        back = approved(production, BACK, "ann")
        again = made(production, TRIAGE)
        assert verdicts(again)[SHOWN_BY] == "OK"
        words = (f"started_at={started}", f"acknowledged_at={taken}", "acknowledged_by=ben", f"resolved_at={moment()}")
        causes = ("root_cause=a-build-without-a-file", "contributing=no-check-before-it-went-live")
        agreed = "actions=look-at-drafts-first:ben:2099-01-01"
        review = made(production, REVIEW, NAME, *words, f"shown_by={SHOWN_BY}", *causes, agreed)
    assert verify(production.archive).ok
    during = [ill, *told, *back, again]
    each_run_and_step_is_there(review, during, {told[1].name: "cat", back[1].name: "ann"})
    its_times_are_those_of_the_readings(review, [well, *during])
    assert verdicts(review)["review-actions"] == verdicts(review)["review-causes"] == "OK"
    it_can_be_read_on_its_own(review, during)


def each_run_and_step_is_there(review, during, approvers):
    """Hold every line of the timeline against the journals: nothing is missing, and no time is another one."""
    lines = result_of(review, "review-timeline")["rows"]
    for folder in during:
        report, asked = f"runs/{folder.name}/report.html", json.loads((folder / "run.json").read_text())
        (begun,) = [line for line in lines if line["where"] == report and line["what"].endswith("begun")]
        approver = approvers.get(folder.name)
        by = f"requester {who()}@{where()}" + (f", approver {approver}@valuecanvas" if approver else "")
        assert (begun["at"], begun["who"]) == (asked["started_at"], by)
        assert begun["what"] == f"{asked['notebook']} ({asked['mode']}) begun"
        events = journal(folder)
        intents = {line["step"]: line["time"] for line in events if line["event"] == "intent"}
        steps = {
            line["where"].partition("#cell-id=")[2]: line for line in lines if line["where"].startswith(report + "#")
        }
        assert set(steps) == set(intents)
        for step, line in steps.items():
            ended = [one["time"] for one in events if one["event"] in ENDS and one.get("step") == step][-1]
            assert (line["at"], line["who"]) == (intents[step], by)
            assert f"ended {ended[11:19]} UTC" in line["what"]
            assert line["came_out"] == "applied, verified OK"
    assert sum("#cell-id=" in line["where"] for line in lines) >= 2
    times = [datetime.fromisoformat(line["at"]) for line in lines]
    assert times == sorted(times)


def its_times_are_those_of_the_readings(review, folders):
    """Detection lies between the last good and the first bad reading, mitigation between the last bad and the next."""
    said = {row["moment"]: row for row in result_of(review, "review-times")["rows"]}
    turns = [(a, b) for a, b in pairwise(readings(folders)) if a[1] != b[1]]
    (good, bad), (still, well) = turns
    assert (good[1], bad[1], well[1]) == ("OK", "CRITICAL", "OK")
    assert said["detected"]["not_after"] == bad[0]
    assert good[0] <= said["detected"]["not_before"] <= bad[0]
    assert (said["mitigated"]["not_before"], said["mitigated"]["not_after"]) == (still[0], well[0])


def it_can_be_read_on_its_own(review, during):
    document = (review / "evidence" / "post-incident-review.md").read_text()
    assert "evidence/post-incident-review.md" in (review / "MANIFEST.sha256").read_text()
    assert [folder.name for folder in during if folder.name not in document] == []
    for words in (
        "blameless",
        "INC-2026-1130",
        "a build without a file",
        "look at drafts first",
        "requester",
        "approver",
    ):
        assert words in document, words
    page = (review / "report.html").read_text()
    assert "The incident from its beginning to its end" in page
