"""The API's name led to another site in the lab: planned, refused, followed to the end, broken off, undone."""

import pytest

from opslib.actions.dependencies import SwitchSite
from opslib.errors import Refused, Unreachable
from opslib.lab.broken.dependencies import DEAD, name_wrong
from opslib.model import Effect, Outcome, Repeat, Verdict
from opslib.runs.saved_plan import moved
from opslib.systems.target import PlanTarget
from tests.incidents import carry_out, places, quiet
from tests.scale import nightly
from tests.sites import HOST, alias, line, record, zone_doors

RECOVERY, OWN = "127.0.0.2", "127.0.0.1"


@pytest.fixture
def zone(lab):
    with zone_doors(lab.settings) as made:
        yield made


@pytest.fixture
def targets(lab, zone, tmp_path):
    made = places(lab.settings, tmp_path)
    yield made
    for target in made:
        target.close()


@pytest.fixture
def far(lab, zone, tmp_path):
    """The targets over a line that may fail, and the line."""
    with line(lab.settings) as (settings, made):
        found = places(settings, tmp_path)
        yield found, made
        for target in found:
            target.close()


@pytest.fixture
def described(lab, zone):
    """Return what a plan needs, of another description."""
    made = []

    def describe(**more):
        made.append(PlanTarget(lab.settings.model_copy(update=more), "test"))
        return made[-1]

    yield describe
    for target in made:
        target.close()


def switch(to="recovery", **more):
    return SwitchSite(to=to, **{"wait_seconds": 20.0, **more})


def test_a_plan_keeps_the_records_of_before_says_how_long_answers_are_kept_and_changes_nothing(zone, targets):
    zone.put(record("A", OWN, ttl=300), record("AAAA", "::1", ttl=120))
    before = zone.sets()
    plan = switch().plan(targets[0])
    assert zone.sets() == before
    assert (plan.effect, plan.repeat, plan.touches) == (Effect.CHANGE, Repeat.ONCE, 3)
    assert plan.before == {"A": f"{OWN} (TTL 300 s)", "AAAA": "::1 (TTL 120 s)"}
    assert plan.after == {"A": f"{RECOVERY} (TTL 60 s)"}
    assert plan.fingerprint["before"] == before
    assert "at the latest 300 s later" in plan.verification
    assert plan.observed["site"] == {RECOVERY: "ready"}
    assert plan.observed["the own site, now"] == {OWN: "ready"}
    assert plan.digest == switch().plan(targets[0]).digest


def test_a_name_that_leads_nowhere_is_led_to_the_recovery_site_for_everybody_and_the_undo_brings_back_what_was(
    lab, zone, targets
):
    name_wrong(lab.settings)
    zone.put(record("A", DEAD))
    plan, values, said = carry_out(switch(), targets)
    assert (said.verdict, values["drained"]) == (Verdict.OK, True), said.summary
    assert zone.leads() == {"A": [RECOVERY]}
    assert {row["answers"] for row in said.rows if row["role"] != "API"} == {RECOVERY}
    assert [row["asked"] for row in said.rows if row["role"] == "API"] == [RECOVERY]
    back = switch().undo(targets[2], plan, values, quiet)
    assert zone.sets() == plan.fingerprint["before"]
    # What was there before was dead, and coming back to it is not called well.
    assert (back.verdict, DEAD in back.summary) == (Verdict.CRITICAL, True)


def test_what_leads_there_already_is_nothing_to_do_and_is_asked_all_the_same(zone, targets, described):
    plan, values, said = carry_out(switch("own"), targets)
    assert (plan.touches, plan.before, values["change"], said.verdict) == (0, plan.after, None, Verdict.OK)
    with pytest.raises(Refused, match="OPS_SITE"):
        switch("own").plan(described(site=()))


def test_insync_is_not_believed_while_one_name_server_says_otherwise(zone, targets):
    switch().plan(targets[0])
    zone.serve(behind={"1": 3600})
    plan, values, said = carry_out(switch(wait_seconds=2.0), targets)
    assert said.verdict is Verdict.CRITICAL
    assert f"1 of 2 name servers do not answer so, though Route 53 says INSYNC: {RECOVERY[:-1]}3:" in said.summary
    zone.serve(behind={})
    assert switch().verify(targets[1], plan, {**values, "followed_seconds": None}).verdict is Verdict.OK


def test_route_53_that_says_pending_is_waited_for(far, zone):
    targets, made = far
    made.pending = 2
    _, values, said = carry_out(switch(), targets)
    assert (said.verdict, made.pending) == (Verdict.OK, 0)
    assert values["followed_seconds"] >= 2


def test_route_53_that_cannot_be_asked_of_a_change_does_not_break_it_off_and_is_no_ok(far, zone):
    targets, made = far
    made.mute = True
    _, values, said = carry_out(switch(wait_seconds=3.0), targets)
    assert (said.verdict, zone.leads()) == (Verdict.WARNING, {"A": [RECOVERY]})
    assert ("still says nothing" in said.summary, values["drained"]) == (True, False)


def test_a_resolver_that_keeps_the_old_answer_is_a_warning_with_its_name(zone, targets):
    before = switch().verify(targets[1], switch("own").plan(targets[0]), {"change": None, "followed_seconds": None})
    assert before.verdict is Verdict.OK
    zone.serve(kept_longer=3600)
    _, values, said = carry_out(switch(), targets)
    assert (said.verdict, values["drained"]) == (Verdict.WARNING, False)
    assert "2 of 2 resolvers answer as before, longer than they may" in said.summary


def test_a_name_server_that_is_silent_leaves_it_unknown(zone, targets):
    zone.serve(silent=[1])
    _, _, said = carry_out(switch(wait_seconds=1.0), targets)
    assert (said.verdict, "no answer within" in said.summary) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        ([], "there is no record"),
        ([record("A", OWN, SetIdentifier="one", Weight=10)], "routed (weighted"),
        ([record("A", OWN, SetIdentifier="p", Failover="PRIMARY")], "routed (failover"),
        ([record("A", OWN), record("HTTPS", "1 . alpn=h2")], "type HTTPS"),
    ],
    ids=["none", "weighted", "failover", "https"],
)
def test_records_that_are_routed_or_not_there_are_left_alone_and_the_reason_is_told(zone, targets, sets, why):
    zone.put(*sets)
    before = zone.sets()
    with pytest.raises(Refused, match="(?i)" + why.replace("(", "\\(")):
        switch().plan(targets[0])
    assert zone.sets() == before
    if "SetIdentifier" in str(sets):
        zone.put()


def test_a_site_that_does_not_serve_is_not_led_to(zone, targets, described):
    with pytest.raises(Refused, match=rf"does not serve at {DEAD} \(refused\)"):
        switch().plan(described(recovery_site=(RECOVERY, DEAD)))
    with pytest.raises(Refused, match="not say where the recovery site is"):
        switch().plan(described(recovery_site=()))
    assert zone.leads() == {"A": [OWN]}


@pytest.mark.parametrize(("data", "why"), [(None, "OPS_RECOVERY_DATA"), ("standby", "standby"), ("backup", "none")])
def test_data_of_an_unknown_age_is_refused_unless_it_is_accepted(described, data, why):
    target = described(recovery_data=data)
    with pytest.raises(Refused, match="nobody knows how old") as refused:
        switch().plan(target)
    assert why in refused.value.message
    assert "nobody looked" in switch(data_minutes=0.0).plan(target).observed["data"]


def test_a_zone_whose_name_servers_nobody_is_led_to_is_refused_for_there_may_be_two_of_one_name(zone, targets):
    given = targets[0].zones.zone(targets[0].settings.hosted_zone).name_servers
    zone.answered_by("ns-1.elsewhere.test.", "ns-2.elsewhere.test.")
    with pytest.raises(Refused, match=r"answered for by ns-1\.elsewhere\.test, ns-2") as told:
        switch().plan(targets[0])
    assert "HOSTED_ZONE_ID" in told.value.next_step
    zone.answered_by(*given)
    assert switch().plan(targets[0]).touches == 2


def test_an_alias_of_route_53s_own_is_replaced_and_comes_back_as_it_was(zone, targets):
    zone.put(record("A", OWN, name="balancer.valuecanvas.com"), name="balancer.valuecanvas.com")
    zone.put(alias("balancer.valuecanvas.com."))
    before = zone.sets()
    step = switch(wait_seconds=3.0)
    plan = step.plan(targets[0])
    assert plan.before == {"A": "alias of balancer.valuecanvas.com"}
    assert "at the latest 60 s later" in plan.verification
    values = step.apply(targets[2], plan, quiet)
    assert zone.leads() == {"A": [RECOVERY]}
    step.undo(targets[2], plan, values, quiet)
    assert zone.sets() == before
    zone.put(name="balancer.valuecanvas.com")


def test_somebody_elses_change_since_the_plan_is_refused_and_is_drift(zone, targets):
    plan = switch().plan(targets[0])
    zone.put(record("A", "127.0.0.5"))
    with pytest.raises(Refused, match="were changed since"):
        switch().apply(targets[2], plan, quiet)
    assert moved(plan, switch().plan(targets[0])) != []
    assert switch().settle(targets[2], plan, quiet).outcome is Outcome.UNKNOWN
    assert zone.leads() == {"A": ["127.0.0.5"]}


def test_a_change_at_that_very_moment_makes_the_whole_batch_fail(far, zone):
    targets, made = far
    made.meanwhile = lambda: zone.put(record("A", "127.0.0.5"))
    step = switch()
    plan = step.plan(targets[0])
    with pytest.raises(Refused, match="refused the whole batch"):
        step.apply(targets[2], plan, quiet)
    assert (zone.leads(), made.sent) == ({"A": ["127.0.0.5"]}, [["DELETE", "CREATE"]])


def test_route_53_that_asks_to_wait_is_asked_again(far, zone):
    targets, made = far
    made.codes = ["PriorRequestNotComplete"]
    _, _, said = carry_out(switch(), targets)
    assert (said.verdict, len(made.sent)) == (Verdict.OK, 2)


def test_credentials_that_may_not_change_it_change_nothing(far, zone):
    targets, made = far
    made.codes = ["AccessDenied"]
    step = switch()
    plan = step.plan(targets[0])
    with pytest.raises(Unreachable, match="may not do that"):
        step.apply(targets[2], plan, quiet)
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE
    assert zone.leads() == {"A": [OWN]}


def test_an_answer_that_is_lost_is_looked_up_and_one_that_was_never_heard_is_not_done(far, zone):
    targets, made = far
    made.cut = True
    step = switch()
    plan = step.plan(targets[0])
    with pytest.raises(Unreachable):
        step.apply(targets[2], plan, quiet)
    assert step.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE
    made.lost = True
    values = step.apply(targets[2], plan, quiet)
    said = step.verify(targets[1], plan, values)
    assert (values["change"], said.verdict, "was lost" in said.summary) == (None, Verdict.OK, True)
    settled = step.settle(targets[2], plan, quiet)
    assert settled.outcome is Outcome.DONE
    assert step.verify(targets[1], plan, settled.values).verdict is Verdict.OK


def test_an_undo_leaves_alone_what_somebody_changed_since(zone, targets):
    step = switch()
    plan, values, _ = carry_out(step, targets)
    zone.put(record("A", "127.0.0.5"))
    with pytest.raises(Refused, match="were changed since"):
        step.undo(targets[2], plan, values, quiet)
    assert zone.leads() == {"A": ["127.0.0.5"]}


def test_an_undo_that_was_done_already_only_looks(zone, targets):
    step = switch()
    plan, values, _ = carry_out(step, targets)
    assert step.undo(targets[2], plan, values, quiet).verdict is Verdict.OK
    assert step.undo(targets[2], plan, values, quiet).verdict is Verdict.OK
    assert zone.leads() == {"A": [OWN]}


@nightly
def test_the_reading_handles_change_no_record(targets, lab):
    client = targets[0].zones._client
    with pytest.raises(Refused, match="may not call route-53 ChangeResourceRecordSets"):
        client.change_resource_record_sets(HostedZoneId=lab.settings.hosted_zone, ChangeBatch={"Changes": []})
    with pytest.raises(Refused):
        targets[2].zones_writer._client.delete_hosted_zone(Id=lab.settings.hosted_zone)
    assert lab.settings.api_host == HOST
