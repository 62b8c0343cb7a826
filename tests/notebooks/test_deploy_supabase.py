"""A deployment to Supabase as people run it: planned, applied as approved, taken back; and no value anywhere."""

import json
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.headless import agreement, resume
from opslib.headless.undo import undo
from tests.headless.canaries import traces
from tests.scale import nightly
from tests.supabase import digest, project
from tests.vaults import shelf

NAME = "runbooks/deploy-supabase"
OLD = "tg-v1-old-9f3Kq7Zr2Lm8"
NEW = "tg-cAnary7Kiwi9Qz-5Hd8Wq1Xv6Np"
"""Holds what the canaries' own search looks for."""


@pytest.fixture
def there(house):
    with project(house.settings) as made, shelf(house.settings) as kept:
        kept.put(TOGETHER_API_KEY=OLD)
        made.secret("TOGETHER_API_KEY", OLD)
        made.secret("OPENAI_API_KEY", None)
        kept.put(TOGETHER_API_KEY=NEW)
        yield made


def journal(folder):
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def versions(there):
    return {slug: one["version"] for slug, one in there.state["functions"].items()}


def test_a_plan_names_commit_and_versions_and_changes_nothing(run, fingerprint, there):
    before = fingerprint()
    result, folder = run(NAME, mode="plan")
    assert result["state"] == "finished", result["reason"]
    assert fingerprint() == before
    together, openai, deploy = json.loads((folder / "plan.json").read_text())["steps"]
    assert [step["plan"]["touches"] for step in (together, openai, deploy)] == [1, 1, 2]
    assert openai["plan"]["before"]["value"] == "not set"


def test_what_was_planned_is_applied_once_taken_back_and_no_byte_holds_a_value(run, house, there):
    before = there.state
    planned, _ = run(NAME, mode="plan")
    result = agreement.apply(planned["run"], "lab", house.archive)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert there.state["secrets"]["TOGETHER_API_KEY"]["value"] == digest(NEW)
    assert versions(there) == {"hello": 2, "llm-ready": 1, "summarise": 1}
    assert len(there.posts("/secrets")) == 2
    taken = undo(result["run"], house.archive)
    assert taken["exit_code"] == 0, taken["reason"]
    assert there.state["secrets"].keys() == before["secrets"].keys()
    assert there.state["secrets"]["TOGETHER_API_KEY"]["value"] == digest(OLD)
    assert versions(there) == {"hello": 3, "llm-ready": 1}
    assert there.state["functions"]["hello"]["files"] == before["functions"]["hello"]["files"]
    assert verify(house.archive).ok
    files = [path for path in house.archive.rglob("*") if path.is_file()]
    read = {str(path.relative_to(house.archive)): path.read_bytes() for path in files}
    assert len(read) > 20
    assert {name: found for name, data in read.items() if (found := traces(data))} == {}
    digests = [digest(OLD).encode(), digest(NEW).encode()]
    assert [name for name, data in read.items() if any(one in data for one in digests)] == []


def test_an_unhealthy_project_gets_nothing(run, there):
    there.change(status="ACTIVE_UNHEALTHY")
    result, _ = run(NAME)
    assert (result["state"], result["exit_code"], there.posts()) == ("refused", 4, [])
    assert "ACTIVE_UNHEALTHY" in result["reason"]


@nightly
def test_a_lost_answer_is_settled_in_the_same_run_and_a_failure_is_resumed(run, house, there):
    with (
        there.doors.fault("supabase", "lost", method="POST", path="/secrets", times=1),
        there.doors.fault("supabase", "500", method="POST", path="/deploy"),
    ):
        result, folder = run(NAME)
    assert result["exit_code"] == 5
    assert [line["outcome"] for line in journal(folder) if line["event"] == "settled"] == ["done", "not done"]
    again = resume.resume(result["run"], house.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    assert (len(there.posts("/secrets")), versions(there)["hello"]) == (2, 2)
    assert Path(again["report"]).is_file()
