"""Where the API's name leads, broken in the lab in every way and found with its reason; and the other site."""

import pytest

from opslib.checks import dependencies as checks
from opslib.lab.broken.dependencies import DEAD
from opslib.model import Verdict
from opslib.probes.dependencies_sites import authoritative
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget
from opslib.systems.zones import Zone
from tests.dependencies import elsewhere
from tests.sites import HOST, record, zone_doors


@pytest.fixture
def zone(lab):
    with zone_doors(lab.settings) as made:
        yield made


def look(lab, check=checks.api_name, **said):
    target = ReadTarget(lab.settings.reading().model_copy(update=said), "test")
    try:
        return evaluate(check, target)
    finally:
        target.close()


def test_a_name_that_leads_everybody_to_an_api_that_serves_is_ok_with_a_row_for_each_who_was_asked(lab, zone):
    found = look(lab)
    assert (found.verdict, found.value) == (Verdict.OK, 1), found.summary
    assert [row["role"] for row in found.rows] == ["zone", *["name server"] * 2, *["resolver"] * 2]
    assert {(tuple(row["addresses"]), row["ready"]) for row in found.rows[1:]} == {(("127.0.0.1",), "ready")}


@pytest.mark.parametrize(
    ("sets", "verdict", "words"),
    [
        ([record("A", DEAD)], Verdict.CRITICAL, f"leads to {DEAD}, which is neither site; at an address"),
        ([record("A", "127.0.0.1", DEAD)], Verdict.CRITICAL, "the API is not ready (refused)"),
        ([], Verdict.CRITICAL, "there is no record of it"),
        ([record("A", "127.0.0.2")], Verdict.WARNING, "it leads to the recovery site"),
        ([record("A", "127.0.0.1", ttl=300)], Verdict.WARNING, "may be kept for 300 s"),
        # What a lab's name leads to outside is not asked from there, and says so.
        ([record("A", "192.0.2.1")], Verdict.CRITICAL, "leads to 192.0.2.1, which is neither site"),
    ],
    ids=["dead", "half-dead", "gone", "recovery", "long", "outside"],
)
def test_what_is_amiss_with_the_record_is_told(lab, zone, sets, verdict, words):
    zone.put(*sets)
    found = look(lab)
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary
    assert "disaster/recover-everything" in found.remedy


def test_a_name_server_that_is_behind_is_critical_and_a_resolver_that_keeps_is_a_warning(lab, zone):
    assert look(lab).verdict is Verdict.OK
    zone.serve(kept_longer=3600)
    zone.put(record("A", "127.0.0.2"))
    found = look(lab, site=("127.0.0.2",), recovery_site=())
    assert (found.verdict, "the resolver 127.0.0.4" in found.summary) == (Verdict.WARNING, True), found.summary
    zone.serve(behind={"0": 3600})
    found = look(lab, site=("127.0.0.2",), recovery_site=())
    assert found.verdict is Verdict.CRITICAL
    assert "the name server 127.0.0.2" in found.summary
    assert "answers 127.0.0.1, not what the zone has" in found.summary


def test_who_cannot_be_asked_is_unknown_and_the_others_are_shown(lab, zone):
    zone.serve(silent=[0])
    found = look(lab)
    assert (found.verdict, "no answer within" in found.summary) == (Verdict.UNKNOWN, True)
    assert [row["ready"] for row in found.rows[2:]] == ["ready"] * 3
    assert look(lab, hosted_zone=None).verdict is Verdict.UNKNOWN
    assert "HOSTED_ZONE_ID" in look(lab, hosted_zone=None).summary
    assert look(lab, hosted_zone="Z0NOSUCHZONE").verdict is Verdict.UNKNOWN


def test_the_recovery_site_is_asked_by_the_apis_name_and_its_data_has_an_age_or_is_unknown(lab, zone):
    assert look(lab, checks.recovery_site).verdict is Verdict.OK
    dead = look(lab, checks.recovery_site, recovery_site=("127.0.0.2", DEAD))
    assert (dead.verdict, f"{DEAD} is refused" in dead.summary) == (Verdict.CRITICAL, True)
    assert look(lab, checks.recovery_site, recovery_site=()).verdict is Verdict.UNKNOWN
    unknown = look(lab, checks.recovery_site, recovery_data=None)
    assert (unknown.verdict, "OPS_RECOVERY_DATA" in unknown.summary) == (Verdict.UNKNOWN, True)


def test_without_name_servers_described_those_are_asked_that_route_53_names(lab):
    target = ReadTarget(lab.settings.reading().model_copy(update={"name_servers": ()}), "test")
    zone = Zone("Z1", "valuecanvas.com", False, ("api.together.test", "api.openai.test"))
    with elsewhere(lab.settings):
        found = authoritative(target, zone)
    target.close()
    assert [(one.name, one.port) for one in found] == [("api.together.test", 53), ("api.openai.test", 53)]
    assert {one.address.startswith("192.0.2.") for one in found} == {True}
    assert lab.settings.api_host == HOST
