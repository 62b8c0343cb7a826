"""What production gets in the lab: broken at each place, found, mended and gone; a place lost, the others told."""

import base64
import json
import time
from contextlib import contextmanager

import pytest

from opslib.canonical import to_json
from opslib.checks import environment as checks
from opslib.lab.broken import find
from opslib.lab.cluster.planted import API_ENVIRONMENT
from opslib.lab.production import API_SECRETS, OWN
from opslib.model import Verdict
from opslib.pictures import environment as pictures
from opslib.runs.reading import evaluate
from opslib.systems.target import PlanTarget
from tests.hosters import STAND_INS, of
from tests.kubernetes import NAMESPACE, ClusterDoors
from tests.vaults import shelf
from tests.vendors import Doors

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL
CANARY = "canary-Zt8Lq2Vx7Nw4-Rb6Hy1Kd9Pf3"


def look(lab, check=checks.production, **changes):
    target = PlanTarget(lab.settings.model_copy(update=changes), "test")
    try:
        return evaluate(check, target)
    finally:
        target.close()


def standing(result, name):
    return next(row["standing"] for row in result.rows if row["variable"] == name)


def unknown(result):
    return {row["variable"] for row in result.rows if row["standing"] == UNKNOWN}


@contextmanager
def in_cluster(lab, plural, **data):
    """Let the API's config map or secret hold something else; None takes a key away."""
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        state = doors.cluster()
        held = state["objects"][plural][f"{NAMESPACE}/{API_ENVIRONMENT}"]["data"]
        for name, value in data.items():
            held.pop(name)
            if value is not None:
                held[name] = base64.b64encode(value.encode()).decode() if plural == "secrets" else value
        doors.put(kubernetes=state)
        yield doors


@pytest.fixture(params=STAND_INS)
def hoster(request, lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield of(lab.settings, doors, request.param)


def test_a_healthy_lab_gets_all_of_it_from_every_hoster(lab, hoster):
    result = look(lab, hoster=hoster.name)
    assert (result.verdict, len(result.rows)) == (OK, 34), result.summary
    assert "All 34 variables" in result.summary


def test_what_a_hoster_hides_is_unknown_and_what_it_lacks_is_critical(lab, hoster):
    hidden, lost = "VITE_SENTRY_DSN", "VITE_HTTPS_ONLY"
    before = hoster.state["variables"]
    made = [one | {"secret": one["name"] == hidden or one["secret"]} for one in before if one["name"] != lost]
    hoster.put(variables=made)
    result = look(lab, hoster=hoster.name)
    assert (result.verdict, standing(result, hidden), standing(result, lost)) == (CRITICAL, UNKNOWN, CRITICAL)
    assert f"{lost} is not set for builds of the front end" in result.summary
    assert f"nobody can say what is in {hidden}" in result.summary
    hoster.put(variables=before)
    assert look(lab, hoster=hoster.name).verdict is OK


@pytest.mark.parametrize(
    ("plural", "name", "value", "verdict", "said"),
    [
        ("configmaps", "RATE_LIMIT_PER_MINUTE", None, CRITICAL, "RATE_LIMIT_PER_MINUTE is not set for the API"),
        ("configmaps", "S3_BUCKET_NAME", "valuecanvas-others", WARNING, "in the description than in the cluster"),
        ("secrets", "REDIS_URL", "redis://cache.valuecanvas.com:6379/0", WARNING, "is without TLS (redis://)"),
        ("secrets", "JWT_SECRET", f"{CANARY}-of-last-year", WARNING, "another one in the vault than in the cluster"),
    ],
)
def test_what_the_api_must_not_start_with_is_found_and_gone_when_mended(lab, plural, name, value, verdict, said):
    with in_cluster(lab, plural, **{name: value}):
        result = look(lab)
    assert (result.verdict, standing(result, name)) == (verdict, verdict), result.summary
    assert said in result.summary
    assert "restart it by a rollout" in result.remedy
    assert look(lab).verdict is OK


@pytest.mark.parametrize(
    ("name", "first", "not_there"),
    [
        ("key-not-renewed", "A provider's key", "config map"),
        ("builds-call-localhost", "Builds: correct the variable at the hoster", "rotate-api-keys"),
        ("forged-requests-pass", "The API: correct the config map", "runbooks/"),
        ("secret-not-renewed", "The API: correct the config map or the secret", "runbooks/"),
        ("secret-for-browsers", "A secret under a name for browsers", "runbooks/"),
    ],
)
def test_the_remedy_is_that_of_what_is_amiss_and_names_no_runbook_for_another(lab, name, first, not_there):
    fault = find(name)
    fault.make(lab.settings)
    try:
        found = look(lab)
    finally:
        fault.mend(lab.settings)
    assert found.verdict is fault.verdict
    assert found.remedy.startswith(first)
    assert not_there not in found.remedy
    assert all(text in checks.production.remedy for text in found.remedy.split(": ", 1))


def test_a_config_map_that_is_not_there_is_critical_for_no_pod_starts(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        doors.remove("configmaps", API_ENVIRONMENT)
        result = look(lab)
    assert result.verdict is CRITICAL
    assert f"names what is not there, so that no pod starts: config map {API_ENVIRONMENT}" in result.summary


@pytest.mark.parametrize("place", ["cluster", "hoster", "vault"])
def test_a_place_that_nobody_reaches_is_told_and_the_others_are_still_judged(lab, place):
    changes = {
        "cluster": {"kubernetes_url": "https://127.0.0.1:9"},
        "hoster": {"hoster": None},
        "vault": {"aws_endpoint_url": "http://127.0.0.1:9"},
    }
    with in_cluster(lab, "configmaps", REDIS_ENABLED="no"):
        result = look(lab, **changes[place])
    assert f"Not seen: the {place}: " in result.summary
    others = {row["variable"] for row in result.rows if row["standing"] == OK}
    assert len(others) >= 9
    if place == "cluster":
        assert (result.verdict, standing(result, "REDIS_ENABLED")) == (UNKNOWN, UNKNOWN)
    else:
        assert (result.verdict, standing(result, "REDIS_ENABLED")) == (CRITICAL, CRITICAL)
    if place == "hoster":
        assert unknown(result) == {row["variable"] for row in result.rows if row["gets"] == "builds"}
    assert look(lab).verdict is OK


def test_a_secret_that_the_executor_may_not_read_is_unknown_and_its_config_map_is_judged(lab):
    result = look(lab, kubernetes_token=lab.settings.read_kubernetes_token)
    assert result.verdict is UNKNOWN
    assert f"secret {API_ENVIRONMENT}" in result.summary
    # What the vault has as well is judged, and still not known to be what the API gets.
    assert unknown(result) == {*API_SECRETS, "TOGETHER_API_KEY", "OPENAI_API_KEY", "SUPABASE_SERVICE_ROLE_KEY"}
    assert standing(result, "CSRF_PROTECTION_ENABLED") == OK


def test_no_value_and_no_digest_is_in_anything_that_is_recorded(lab):
    doors = Doors(lab.settings)
    with doors.restored(), shelf(lab.settings) as kept:
        hoster = of(lab.settings, doors, "vercel")
        made = [one | {"value": f"https://{CANARY}.valuecanvas.com"} for one in hoster.state["variables"]]
        hoster.put(variables=made)
        kept.put(JWT_SECRET=f"{CANARY}-vault-{CANARY}", ADMIN_TOKEN=CANARY)
        with in_cluster(lab, "secrets", JWT_SECRET=CANARY, REDIS_URL=f"redis://:{CANARY}@localhost"):
            result = look(lab)
    said = json.dumps(to_json(result)) + pictures.production(result.reading).svg
    values = [CANARY, *OWN.values(), *API_SECRETS.values()]
    assert (result.verdict, [value for value in values if value in said]) == (CRITICAL, [])


def test_the_items_of_the_guide_are_all_carried_out_by_it():
    assert len(set(checks.production.items)) == 22


def built(lab, hoster):
    return look(lab, checks.built, hoster=hoster.name)


def test_what_was_set_after_the_build_that_is_live_is_named_and_gone_when_it_is_built_anew(lab, hoster):
    name, before = "VITE_API_BASE_URL", hoster.state["variables"]
    told = built(lab, hoster)
    if told.verdict is UNKNOWN:
        # Cloudflare Pages says of no variable when it was set.
        assert "does not say when" in told.summary
        return
    assert (told.verdict, len(told.rows)) == (OK, 10), told.summary
    hoster.put(variables=[one | {"updated": time.time()} if one["name"] == name else one for one in before])
    late = built(lab, hoster)
    assert (late.verdict, [row["variable"] for row in late.rows if row["newer"]]) == (WARNING, [name])
    assert late.summary.startswith("Set after ")
    assert "runbooks/deploy-new-version" in late.remedy
    live = hoster.state["production"]
    made = [one | {"created": time.time()} if one["id"] == live else one for one in hoster.state["deployments"]]
    hoster.put(deployments=made)
    assert built(lab, hoster).verdict is OK
    assert "https://" not in json.dumps(to_json(late))


def test_what_no_build_publishes_needs_none_and_without_any_variable_nobody_can_say(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        hoster = of(lab.settings, doors, "vercel")
        secret = {"name": "SENTRY_AUTH_TOKEN", "secret": True, "updated": time.time()}
        others = [one for one in hoster.state["variables"] if one["name"] != secret["name"]]
        hoster.put(variables=[secret, *others])
        assert built(lab, hoster).verdict is OK
        hoster.put(variables=[secret])
        assert built(lab, hoster).verdict is UNKNOWN
