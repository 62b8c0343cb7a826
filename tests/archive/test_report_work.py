"""What ties a run to others and to people: links, approvals, break-glass, and steps that an earlier run had done."""

import json

import pytest

from opslib.archive import index, report, summary
from opslib.model import Verdict
from tests.archive import samples
from tests.archive.harmless import Page, assert_harmless

WORK = "20261123T130614Z-runbooks-restore-database-a1b2c3"
ALARM = "Break-glass: one person let this run, post-approval is due within 24 h"
AGREED = [
    {"principal": "ann@valuecanvas", "kind": "approve", "signed_at": "2026-11-23T13:10:00Z", "reason": ""},
    {
        "principal": "bob@valuecanvas",
        "kind": "break-glass",
        "signed_at": "2026-11-23T13:11:00Z",
        "reason": "It is down.",
    },
]


def applying(folder, ended=None, **run):
    """A run of the work that is closed with ``ended`` in its result.json; returns its folder and journal's story."""
    story = samples.Story(folder, "runbooks/restore-database", work=WORK, **run)
    story.code("take-backup", "run.step(a)", samples.evidence())
    story.close()
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | (ended or {})))
    return folder


def steps(text):
    return text[text.index('id="steps"') : text.index('id="notebook"')]


def test_break_glass_stands_in_red_above_everything_else(tmp_path):
    text = report.render(applying(tmp_path / "run", {"break_glass": True, "approvals": AGREED}))
    assert_harmless(text)
    assert f'<p class="alarm"><strong>{ALARM}</strong></p>' in text[: text.index("<h1>")]
    assert ALARM not in report.render(applying(tmp_path / "usual", {"break_glass": False}))
    assert ALARM not in report.render(applying(tmp_path / "odd", {"break_glass": "yes"}))


def test_break_glass_stands_in_the_row_of_the_index_too(tmp_path):
    for name, ended in ((f"{WORK}-apply", {"break_glass": True}), (WORK, {})):
        applying(tmp_path / "runs" / name, ended)
    glass, usual = (index.render([summary.read(tmp_path, name)], 0, 0) for name in (f"{WORK}-apply", WORK))
    assert f'<strong class="alarm">{ALARM}</strong>' in glass
    assert ALARM not in usual


def test_approvals_are_listed_with_who_when_and_why(tmp_path):
    text = report.render(applying(tmp_path / "run", {"approvals": AGREED, "published": "head 17 in s3://heads"}))
    part = text[text.index('id="approvals"') : text.index('id="timings"')]
    for said in (
        "ann@valuecanvas",
        "approve",
        "2026-11-23 13:10:00 UTC",
        "bob@valuecanvas",
        "break-glass",
        "It is down.",
    ):
        assert said in part
    assert "Outside this machine: head 17 in s3://heads." in text


def test_a_run_leads_to_the_others_of_its_work_that_lie_beside_it(tmp_path):
    samples.planned(tmp_path / WORK)
    applying(tmp_path / f"{WORK}-apply")
    folder = applying(
        tmp_path / f"{WORK}-resume-1",
        applies="ab" * 32,
        resumes=f"{WORK}-apply",
        requester="ann",
    )
    (tmp_path / f"{WORK}0").mkdir()
    text = report.render(folder)
    assert_harmless(text)
    links = [dict(attrs)["href"] for tag, attrs in Page(text).elements if tag == "a" and dict(attrs)["href"][0] == "."]
    assert links == [f"../{name}/report.html" for name in (WORK, f"{WORK}-apply") * 2]
    assert f'<code title="{"ab" * 32}">abababababab</code>' in text[: text.index('id="results"')]
    assert f"<code>{WORK}-resume-1" not in text[text.index("Runs of the same work") :]


def test_a_run_that_is_not_there_is_named_and_not_linked(tmp_path):
    text = report.render(applying(tmp_path / f"{WORK}-undo-1", undoes=f"{WORK}-apply"))
    assert f"<dt>Undoes</dt><dd><code>{WORK}-apply</code></dd>" in text
    assert 'href="../' not in text


def told(tmp_path, *lines):
    """The steps of a report whose journal has these lines of the step ``swap``."""
    story = samples.Story(tmp_path / "run", "runbooks/x")
    story.cell = "swap"
    for event, said in lines:
        story.journal.append(event, step="swap", **said)
    return steps(report.render(story.leave()))


PLANNED = ("planned", {"plan": samples.plan(), "digest": samples.plan().digest})
INTENT = ("intent", {"action": "swap-databases", "digest": samples.plan().digest})
LOOKED = {"verification": samples.Verification(Verdict.OK, "It is there.")}


@pytest.mark.parametrize(
    ("lines", "status", "sentence"),
    [
        ([("kept", {"from": WORK, "evidence": samples.evidence()})], "KEPT", f"Done before, by {WORK}."),
        ([PLANNED, INTENT], "IN DOUBT", ""),
        (
            [PLANNED, ("settled", {"outcome": "done", "why": "It is there.", "values": {}})],
            "SETTLED",
            "Settled by a look at the target: done. It is there.",
        ),
        (
            [PLANNED, INTENT, ("settled", {"outcome": "done", "why": "Seen.", "values": {}}), ("verified", LOOKED)],
            "APPLIED",
            "Settled by a look at the target: done. Seen.",
        ),
        (
            [
                INTENT,
                ("settled", {"outcome": "unknown", "why": "Away.", "values": {}}),
                ("failed", {"message": "Lost."}),
            ],
            "IN DOUBT",
            "Lost. Settled by a look at the target: unknown. Away.",
        ),
        (
            [
                INTENT,
                ("settled", {"outcome": "not done", "why": "None.", "values": {}}),
                ("failed", {"message": "Lost."}),
            ],
            "FAILED",
            "not done. None.",
        ),
        (
            [INTENT, ("resolved", {"outcome": "done", "by": "ann@valuecanvas", "evidence": "seen.txt"})],
            "RESOLVED",
            "Resolved by ann@valuecanvas: done, as seen.txt shows.",
        ),
        ([("undoing", {"plan": samples.plan(), "digest": "d" * 64})], "UNDO IN DOUBT", ""),
        ([("undoing", {"plan": samples.plan(), "digest": "d" * 64}), ("undone", LOOKED)], "UNDONE", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_step_says_how_it_came_to_stand_where_it_stands(tmp_path, lines, status, sentence):
    said = told(tmp_path, *lines)
    assert f"</span> {status}</span>" in said
    assert sentence in said


def test_a_run_that_was_asked_to_stop_says_by_whom(tmp_path):
    story = samples.Story(tmp_path / "run", "runbooks/x")
    story.journal.append("stopping", by="ann@valuecanvas")
    text = report.render(story.close("interrupted", Verdict.UNKNOWN, "stopped by ann@valuecanvas", 5))
    assert "ann@valuecanvas asked the run to stop before its next step." in text[: text.index('id="results"')]


def test_an_undo_by_a_plan_of_its_own_names_that_plan_and_not_the_works(tmp_path):
    own = "20261123T140000Z-runbooks-restore-database-e5f6a7"
    folder = applying(tmp_path / f"{WORK}-undo-1", applies="5f" * 32, undoes=f"{WORK}-apply")
    (folder / "plan.json").write_bytes(samples.saved(own).encode())
    (tmp_path / WORK).mkdir()
    text = report.render(folder)
    assert_harmless(text)
    assert f"<code>{own}</code> <code" in text[: text.index("<main")]


def test_a_run_that_was_broken_off_in_its_steps_says_how_to_go_on(tmp_path):
    run = f"{WORK}-apply"
    broken = samples.Story(tmp_path / run, "runbooks/restore-database", work=WORK)
    broken.code("take-backup", "run.step(a)", samples.evidence())
    broken.close("interrupted", Verdict.UNKNOWN, "stopped by SIGINT", 5)
    said = f"ops resume {run}, or take it back: ops undo {run}"
    assert said in report.render(broken.folder)
    assert said not in report.render(applying(tmp_path / "20261123T130614Z-runbooks-restore-database-b2c3d4"))
