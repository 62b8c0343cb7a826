"""The five services that the guide promises to recover, in its order, by checks that were made."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from opslib.checks import triage
from opslib.checks.cluster_standing import standing
from opslib.checks.triage_services import known
from opslib.guide.choices import chosen
from opslib.guide.recovery import promises
from opslib.headless.notebooks_kinds import KINDS
from opslib.model import Reading, Result, Verdict
from opslib.runs import reading

NOTHING = SimpleNamespace(environment="lab")
"""Handles on nothing: the check looks at no system."""


def result(check, verdict):
    taken = Reading(check.probe.name, check.title, "lab", datetime.now(UTC), 0.1)
    return Result(check.name, check.title, verdict, f"{check.name} says {verdict}.", taken)


def judged(**said):
    every = [check for one in known().values() for check in one.checks]
    results = {check.name: result(check, said.get(check.name.replace("-", "_"), Verdict.OK)) for check in every}
    check = triage.services(results)
    return reading.judge(check, reading.take(check.probe, NOTHING))


def test_the_guides_promises_are_read_from_its_items_in_the_order_of_priority():
    assert [(one.service, one.priority, one.recovery_seconds, one.loss_seconds) for one in promises()] == [
        ("Database", 0, 300, 3600),
        ("API Services", 0, 600, 0),
        ("LLM Services", 1, 900, 0),
        ("Redis Cache", 1, 300, None),
        ("Frontend", 2, 600, 0),
    ]


def test_each_promised_service_has_checks_and_a_way_back_and_they_are_asked_by_area():
    assert set(known()) == {one.service for one in promises()}
    asked = triage.service_checks()
    names = [check.name for checks in asked.values() for check in checks]
    assert len(names) == len(set(names)) == sum(len(one.checks) for one in known().values())


def test_a_service_is_out_by_its_first_check_alone_and_ill_by_the_others():
    said = judged(cache_reachable=Verdict.CRITICAL, cluster_standing_api=Verdict.CRITICAL, llm_replicas=Verdict.WARNING)
    states = {row["service"]: row["state"] for row in said.rows}
    assert states == {
        "Database": "well",
        "API Services": "ill",
        "LLM Services": "strained",
        "Redis Cache": "out",
        "Frontend": "well",
    }
    assert (said.verdict, "services=redis" in said.summary) == (Verdict.CRITICAL, True)
    assert said.rows[3]["may_lose"] == "not promised"


def test_what_nobody_looked_at_is_unknown_and_never_well():
    check = triage.services({})
    said = reading.judge(check, reading.take(check.probe, NOTHING))
    assert (said.verdict, {row["state"] for row in said.rows}) == (Verdict.UNKNOWN, {"not known"})
    assert judged(database_server=Verdict.UNKNOWN).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ({}, Verdict.OK),
        ({"wanted": 0, "available": 0}, Verdict.CRITICAL),
        ({"available": 0}, Verdict.CRITICAL),
        ({"available": 1, "not_ready": "pod starting"}, Verdict.WARNING),
        ({"template_is_broken": True, "not_ready": "pod ImagePullBackOff"}, Verdict.CRITICAL),
    ],
)
def test_a_deployment_that_nobody_serves_or_that_cannot_start_is_critical(more, verdict):
    row = {"deployment": "api", "wanted": 2, "available": 2, "not_ready": "", "template_is_broken": False}
    row |= {"revision": 2, "images": "a:2", **more}
    assert standing("api").judge(Reading("x", "x", "lab", datetime.now(UTC), 0.1, (row,))).verdict is verdict


@pytest.mark.parametrize("said", ["none", "api", "api,redis", "infrastructure,worker,api,redis"])
def test_what_is_chosen_is_a_closed_list_of_words(said):
    assert KINDS["services"].pattern.fullmatch(said)
    assert chosen(said, "api") is ("api" in said)


@pytest.mark.parametrize("said", ["", "api,", "api, redis", "none,api", "database", "api;redis", "api\n"])
def test_other_words_are_no_choice(said):
    assert not KINDS["services"].pattern.fullmatch(said)
