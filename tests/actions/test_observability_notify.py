"""People told of an incident of any kind: once each, in fixed words, and read back at both."""

import json

import pytest
from pydantic import ValidationError

from opslib.actions.observability import TellNobody, TellOfIncident, tell
from opslib.errors import Refused, Unreachable, UsageError
from opslib.lab.doors import change, remembered
from opslib.model import Effect, Outcome, Verdict
from opslib.runs.work import Work
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.hostile_words import hostile
from tests.incidents import NOW, quiet
from tests.vendors import Doors

NAME = "INC-2026-1129"
KEY = f"lab/{NAME}"


@pytest.fixture
def doors(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        doors.forget()
        yield doors


def places(settings, folder, part="a1b2c3"):
    """Return the three kinds of target for a run of the workbench."""
    run = f"{NOW:%Y%m%dT%H%M%SZ}-reviews-incident-workbench-{part}"
    files = Work(run, "reviews/incident-workbench", settings, folder, "run").files("tell")
    return PlanTarget(settings, run), VerifyTarget(settings, run, files), WriteTarget(settings, run, files)


@pytest.fixture
def runs(lab, tmp_path):
    """Return the targets of one run after another."""
    made = []

    def new(**said):
        made.append(places(lab.settings.model_copy(update=said), tmp_path, f"a1b2c{len(made)}"))
        return made[-1]

    yield new
    for targets in made:
        for target in targets:
            target.close()


def news(what="began", **said):
    return TellOfIncident(incident=NAME, severity="error", news=what, **said)


def told(action, targets):
    plan = action.plan(targets[0])
    values = action.apply(targets[2], plan, quiet)
    return plan, values, action.verify(targets[1], plan, values)


def alerts(doors):
    return {key: alert["told"] for key, alert in doors.state()["pagerduty"]["alerts"].items()}


def messages(doors):
    return [message["text"] for message in doors.state()["slack"]["messages"]]


def test_a_plan_shows_who_is_told_and_the_exact_words_and_tells_nobody(runs, doors):
    targets = runs()
    plan = news(told_level=2).plan(targets[0])
    words = (
        f"{NAME} on lab, severity error: it has begun, and nobody says that they took it on. Told so far: level 2 "
        f"(Engineering Manager). What was done stands in run {targets[0].run}."
    )
    assert plan.after == {"PagerDuty": f"alert {KEY}: trigger; {words}", "Slack": words}
    assert plan.before == {"PagerDuty": "no alert of this incident", "Slack": "no message of this run"}
    assert (plan.observed["on call"], plan.touches, plan.effect) == ("Ann Archer", 2, Effect.CHANGE)
    assert (alerts(doors), messages(doors)) == ({}, [])


def test_one_incident_is_one_alert_from_its_beginning_to_its_end(runs, doors):
    stands = []
    for what in ("began", "acknowledged", "update", "mitigated", "resolved"):
        plan, _, said = told(news(what), runs())
        assert said.verdict is Verdict.OK, said.summary
        assert messages(doors)[-1] == plan.after["Slack"]
        stands.append(said.rows[0]["said"].rpartition(" ")[2])
    assert stands == ["triggered", "acknowledged", "acknowledged", "acknowledged", "resolved"]
    assert (list(alerts(doors)), len(messages(doors))) == ([KEY], 5)


def test_a_second_try_of_a_run_tells_nobody_again(runs, doors):
    targets = runs()
    plan, values, _ = told(news(), targets)
    assert news().apply(targets[2], plan, quiet) == values
    assert (list(alerts(doors)), len(messages(doors))) == ([KEY], 1)


def test_a_message_whose_answer_was_lost_is_found(runs, doors):
    targets = runs()
    plan = news().plan(targets[0])
    with doors.fault("slack", "lost", method="POST"), pytest.raises(Unreachable):
        news().apply(targets[2], plan, quiet)
    settled = news().settle(targets[2], plan, quiet)
    assert settled.outcome is Outcome.DONE
    assert news().verify(targets[1], plan, settled.values).verdict is Verdict.OK
    assert len(messages(doors)) == 1


@pytest.mark.parametrize("fault", ["500", "lost"])
@pytest.mark.parametrize("vendor", ["pagerduty", "slack"])
def test_what_broke_off_is_completed_and_told_once(runs, doors, vendor, fault):
    targets = runs()
    plan = news().plan(targets[0])
    with doors.fault(vendor, fault, method="POST"), pytest.raises(Unreachable):
        news().apply(targets[2], plan, quiet)
    settled = news().settle(targets[2], plan, quiet)
    values = settled.values or news().apply(targets[2], plan, quiet)
    assert news().verify(targets[1], plan, values).verdict is Verdict.OK
    assert (list(alerts(doors)), len(messages(doors))) == ([KEY], 1)


def test_a_run_that_goes_on_does_not_page_anew_where_somebody_resolved_it_meanwhile(runs, doors):
    targets = runs()
    plan = news().plan(targets[0])
    with doors.fault("slack", "500", method="POST"), pytest.raises(Unreachable):
        news().apply(targets[2], plan, quiet)
    targets[2].pager.resolve(KEY)
    values = news().apply(targets[2], plan, quiet)
    assert alerts(doors) == {KEY: 1}
    assert "resolved" in news().verify(targets[1], plan, values).rows[0]["said"]


@pytest.mark.parametrize("what", ["acknowledged", "update", "mitigated", "resolved"])
def test_news_of_what_never_began_is_refused_for_it_would_reach_nobody(runs, doors, what):
    with pytest.raises(Refused, match="no open incident"):
        news(what).plan(runs()[0])


def test_an_incident_that_is_over_is_not_opened_anew_under_its_name(runs, doors):
    for what in ("began", "resolved"):
        told(news(what), runs())
    with pytest.raises(Refused, match="would page people anew"):
        news().plan(runs()[0])


def test_what_cannot_be_read_back_is_critical(runs, doors, lab):
    targets = runs()
    plan, values, _ = told(news(), targets)
    kept = remembered(lab.settings, "slack")["messages"]
    change(lab.settings, "slack", messages=[{**kept[0], "text": kept[0]["text"].replace("error", "info")}])
    assert "not what was planned" in news().verify(targets[1], plan, values).summary
    change(lab.settings, "slack", messages=[])
    found = news().verify(targets[1], plan, values)
    assert (found.verdict, found.summary) == (Verdict.CRITICAL, "The message is not in the channel.")


def test_an_event_that_pagerduty_took_and_dropped_is_critical(runs, doors, lab):
    targets = runs()
    plan, values, _ = told(news(), targets)
    change(lab.settings, "pagerduty", alerts={})
    found = news(wait_seconds=0.0).verify(targets[1], plan, values)
    assert (found.verdict, f"has no incident of {KEY}" in found.summary) == (Verdict.CRITICAL, True)


@pytest.mark.parametrize(
    ("unset", "touches", "said"),
    [
        ({"pagerduty_key": None}, 1, "not told"),
        ({"slack_token": None}, 1, "incident #900: triggered"),
        ({"read_pagerduty_token": None}, 2, f"taken as {KEY}; not read back, for OPS_READ_PAGERDUTY_TOKEN is not set"),
    ],
)
def test_who_is_not_set_is_not_told_and_what_is_not_read_back_is_said(runs, doors, unset, touches, said):
    plan, _, found = told(news(), runs(**unset))
    assert (plan.touches, found.verdict, found.rows[0]["said"]) == (touches, Verdict.OK, said)


def test_where_nobody_is_set_or_the_channel_cannot_be_read_it_is_refused(runs, doors):
    with pytest.raises(Refused, match="nobody who could be told"):
        news().plan(runs(pagerduty_key=None, slack_token=None)[0])
    with doors.fault("slack", "403"), pytest.raises(Unreachable, match="does not let the token"):
        news().plan(runs()[0])


def test_nothing_of_a_secret_or_a_stranger_can_be_told(runs, doors, lab):
    told(news(), runs())
    sent = json.dumps([call for vendor in ("pagerduty", "slack") for call in doors.calls(vendor)])
    secrets = [secret.reveal() for secret in lab.settings.secrets()]
    in_body = [value for value in secrets if value in " ".join(messages(doors))]
    assert in_body == []
    assert NAME in sent
    for word in hostile(200):
        try:
            TellOfIncident(incident=word, severity="error", news="began")
        except ValidationError:
            continue
        assert set(word) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"), word


def test_told_is_told_and_the_undo_says_why(runs, doors):
    targets = runs()
    plan, values, _ = told(news(), targets)
    with pytest.raises(Refused, match="cannot be undone") as refused:
        news().undo(targets[2], plan, values, quiet)
    assert "who was told was told" in refused.value.next_step


def test_a_run_that_only_looks_asks_for_an_action_that_reads(runs, doors):
    action = tell("none", "critical", "nothing", 0)
    assert (type(action), action.effect) == (TellNobody, Effect.READ)
    assert told(action, runs())[2].verdict is Verdict.OK
    assert (alerts(doors), messages(doors)) == ({}, [])
    assert tell(NAME, "critical", "began", 1) == TellOfIncident(
        incident=NAME, severity="critical", news="began", told_level=1
    )
    with pytest.raises(UsageError, match="without a name"):
        tell("none", "critical", "began", 0)
