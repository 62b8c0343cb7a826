"""Agents: what stands still, what fails, who is turned away; and a tree in which each fault lights its own branch."""

import time

import pytest
import redis

from opslib.checks import agents as checks
from opslib.lab.broken.agents import FAULTS
from opslib.lab.broken.llm import FAULTS as LLM_FAULTS
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget
from tests.agents import begun
from tests.dependencies import elsewhere
from tests.llm import reading, router, usage, used

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL


def kind(begun, stuck, oldest=None, name="target", since=0):
    said = {"begun": begun, "failed": 0, "stuck": stuck, "oldest_stuck": oldest, "active": 9, "oldest_active": 99_999}
    return {"agent_type": name, "since_stuck": since, **said}


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([], UNKNOWN),
        ([kind(0, 0)], UNKNOWN),
        ([kind(10, 0)], OK),
        ([kind(1, 1, 400)], WARNING),
        ([kind(4, 4, 400)], WARNING),
        ([kind(50, 1, 400)], OK),
        ([kind(50, 3, 400)], WARNING),
        ([kind(50, 11, 400)], CRITICAL),
        ([kind(40, 0), kind(10, 10, 400, "integrity")], WARNING),
        ([kind(50, 11, 400, since=15)], CRITICAL),
        ([kind(50, 11, 400, since=16)], WARNING),
        ([kind(100, 21, 400, since=10), kind(70, 0, name="integrity", since=62)], WARNING),
        ([kind(100, 21, 400, since=10), kind(70, 0, name="integrity", since=63)], OK),
    ],
)
def test_a_session_of_which_nothing_comes_is_stuck(rows, verdict):
    judged = checks.sessions().judge(reading(*rows))
    assert judged.verdict is verdict
    assert all(row["agent_type"] in judged.summary for row in rows if row["stuck"])


def acted(actions, failed, since=0, action="respond", of=None):
    """``of``: the actions since the workers' newest revision runs, and how many of them failed."""
    said = {"agent_type": "target", "action": action, "actions": actions, "failed": failed, "since_failure": since}
    runs = {"deployment": "llm-worker", "revision": 2, "age": None if of is None else 300.0}
    of_revision = dict(zip(("of_revision", "of_revision_failed"), of or (None, None), strict=True))
    return {**said, **runs, **of_revision, "oldest_age": 600, "newest_age": 1, "failed_age": 60 if failed else None}


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([], UNKNOWN),
        ([acted(19, 19)], UNKNOWN),
        ([acted(200, 4)], OK),
        ([acted(200, 14)], WARNING),
        ([acted(200, 60)], CRITICAL),
        ([acted(20, 3)], WARNING),
        ([acted(20, 1)], OK),
        ([acted(200, 60, since=34)], CRITICAL),
        ([acted(200, 60, since=35)], WARNING),
        ([acted(200, 60, since=73)], OK),
        ([acted(200, 14, since=72)], WARNING),
        # What succeeds and never failed says nothing of what failed.
        ([acted(100, 60, since=10), acted(100, 0, since=100, action="plan")], CRITICAL),
    ],
)
def test_failed_actions_are_held_against_the_products_own_alerts(rows, verdict):
    assert checks.errors().judge(reading(*rows)).verdict is verdict


def test_what_ended_is_said_to_be_over_and_what_began_with_a_revision_names_it():
    over = checks.errors().judge(reading(acted(200, 60, since=73)))
    assert "it is over: 73 of these kinds succeeded since the last failure, 1 min" in over.summary
    began = checks.errors().judge(reading(acted(200, 40, of=(40, 40))))
    assert "since revision 2 of llm-worker, which runs for 5 min" in began.summary
    assert "100 % of its 40 actions failed, 0 % of the 160 before" in began.summary
    for of in ((100, 20), (0, 0), None):
        assert "revision" not in checks.errors().judge(reading(acted(200, 40, of=of))).summary


def answered(status, requests):
    return {"status": status, "about": "", "requests": requests, "age": 600.0}


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([answered(None, 0)], UNKNOWN),
        ([answered(200, 10), answered(429, 9)], UNKNOWN),
        ([answered(200, 99), answered(429, 1)], OK),
        ([answered(200, 98), answered(429, 2)], WARNING),
        ([answered(200, 80), answered(429, 20)], CRITICAL),
        ([answered(200, 80), answered(402, 20)], OK),
    ],
)
def test_who_is_turned_away_for_too_many_is_counted(rows, verdict):
    assert checks.limits().judge(reading(*rows)).verdict is verdict


def test_limits_are_read_from_the_chat_route_alone(lab):
    line = 'valuecanvas_http_requests_total{method="POST",route="%s",status_code="%s",tenant_id="a"} %s\n'
    text = line % ("/api/llm/chat", 200, 80) + line % ("/api/llm/chat", 429, 20) + line % ("/api/llm/stats", 429, 999)
    with router(200, text) as (url, _):
        target = PlanTarget(lab.settings.model_copy(update={"application_url": url}), "test")
        result = evaluate(checks.limits(), target)
        target.close()
    assert (result.verdict, result.value) == (CRITICAL, 20.0)


def lit(lab, tree):
    target = PlanTarget(lab.settings, "test")
    rows = tree.rows([evaluate(branch.check, target) for branch in tree.branches])
    target.close()
    return {row["check"]: row["state"] for row in rows}


ELSEWHERE = ("grown-prompts", "fallback-serves", "replica-wedged")
"""Faults that make nobody wait: no branch of this tree is theirs."""
CASES = {fault.name: fault for fault in (*FAULTS, *LLM_FAULTS) if fault.name not in ELSEWHERE}
MORE = {
    "providers-fail": {"llm-errors"},
    "together-key-revoked": {"application-ready"},
    "agent-workers-at-zero": {"cache-queue", "agents-sessions"},
}
"""What a fault causes besides: whoever asked had an error; the application's own look at Together.ai fails as well; and
where nobody takes jobs, they wait, and sessions with them."""


@pytest.mark.parametrize("fault", CASES.values(), ids=CASES)
def test_each_fault_lights_its_own_branch_of_the_tree_and_what_it_causes(lab, fault):
    with begun(lab, 10), used(lab.settings, usage(60)):
        before = lit(lab, checks.NOT_RESPONDING)
        fault.make(lab.settings)
        try:
            during = lit(lab, checks.NOT_RESPONDING)
        finally:
            fault.mend(lab.settings)
    explains = {name for name, state in during.items() if state == "explains"}
    already = {name for name, state in before.items() if state == "explains"}
    assert fault.check in explains
    assert explains - already - MORE.get(fault.name, set()) == {fault.check}


def test_without_database_and_application_nothing_of_them_is_excluded(lab):
    nowhere = type(lab.settings.read_database_url)("postgresql://nobody@127.0.0.1:9/none")
    gone = {"read_database_url": nowhere, "application_url": "http://127.0.0.1:9"}
    target = PlanTarget(lab.settings.model_copy(update=gone), "test")
    results = [evaluate(branch.check, target) for branch in checks.NOT_RESPONDING.branches]
    target.close()
    states = {row["check"]: row["state"] for row in checks.NOT_RESPONDING.rows(results)}
    seen = {name for name, state in states.items() if state == "excluded"}
    assert seen <= {"dependencies-llm", "llm-key-together", "llm-key-openai", "cache-queue", "agents-workers"}
    assert {"llm-key-together", "llm-key-openai"} <= seen


def test_the_trees_have_the_guides_codes_and_checks_of_different_names():
    assert [code for tree in checks.TREES for code in tree.codes] == ["AGENT_001", "AGENT_002"]
    for tree in checks.TREES:
        names = [branch.check.name for branch in tree.branches]
        assert len(set(names)) == len(names)


def test_an_incident_of_a_provider_lights_its_page_alone(lab):
    with begun(lab, 10), used(lab.settings, usage(60)), elsewhere(lab.settings) as there:
        before = lit(lab, checks.NOT_RESPONDING)
        there.incident("together", "Chat completions", status="downtime")
        during = lit(lab, checks.NOT_RESPONDING)
    changed = {name: state for name, state in during.items() if before[name] != state}
    assert changed == {"dependencies-llm": "explains"}


def test_a_job_that_nobody_works_off_lights_the_queue_alone(lab):
    with begun(lab, 10), used(lab.settings, usage(60)), redis.Redis.from_url(lab.settings.cache_url.reveal()) as cache:
        before = lit(lab, checks.NOT_RESPONDING)
        cache.hset("bull:llm-processing:job-of-a-test", "timestamp", int(time.time() - 3600) * 1000)
        cache.rpush("bull:llm-processing:wait", "job-of-a-test")
        try:
            during = lit(lab, checks.NOT_RESPONDING)
        finally:
            cache.lrem("bull:llm-processing:wait", 0, "job-of-a-test")
            cache.delete("bull:llm-processing:job-of-a-test")
    changed = {name: state for name, state in during.items() if before[name] != state}
    assert changed == {"cache-queue": "explains"}
