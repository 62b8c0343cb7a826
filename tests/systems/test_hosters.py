"""The hosters' clients against the lab's stand-ins: one behaviour, three vendors, each failure in its own words."""

import re
import time

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.lab.production import BUILDS
from opslib.systems import hosters
from opslib.systems.hosting import Stage, State
from opslib.systems.target import PlanTarget, ReadTarget, VerifyTarget, WriteTarget
from tests import specs
from tests.hosters import STAND_INS, of
from tests.vendors import Doors
from tests.waiting import until

DESCRIBED = {
    "vercel": ("vercel.json", "/vercel"),
    "netlify": ("netlify-swagger.json", "/netlify/api/v1"),
    "cloudflare": ("cloudflare.json", "/cloudflare/client/v4"),
}
CREDENTIAL = {"vercel": "vercel_token", "netlify": "netlify_token", "cloudflare": "cloudflare_token"}
UNDESCRIBED = ("no query parameter rollbackInfo", "/rollback/dpl_")
"""What Vercel's published description of 2025-10 leaves out: its command line asks for both."""


@pytest.fixture(params=STAND_INS)
def hoster(request, lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield of(lab.settings, doors, request.param)


@pytest.fixture
def vercel(lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield of(lab.settings, doors, "vercel")


@pytest.fixture
def reading(hoster):
    with hoster.looking() as handle:
        yield handle


@pytest.fixture
def writing(hoster):
    with hoster.moving() as handle:
        yield handle


def asked(hoster, method):
    return [call for call in hoster.doors.calls(hoster.name) if call["method"] == method]


def test_deployments_are_listed_newest_first_and_each_is_what_it_is(hoster, reading):
    listed = {one.id: one for one in reading.deployments()}
    assert [one.created for one in listed.values()] == sorted((o.created for o in listed.values()), reverse=True)
    ids = hoster.ids
    assert reading.current().deployment == ids["now"]
    assert (listed[ids["now"]].state, listed[ids["now"]].served) == (State.READY, True)
    assert (listed[ids["before"]].state, listed[ids["before"]].production) == (State.READY, True)
    assert listed[ids["failed"]].state is State.FAILED
    assert ids["gone"] not in listed or listed[ids["gone"]].state is State.GONE
    preview = reading.deployment(ids["preview"])
    assert (preview.production, preview.served) == (False, False)
    assert reading.deployment(ids["older"]).commit == listed[ids["older"]].commit


def test_previews_do_not_hide_what_was_built_for_production(hoster, reading):
    (preview,) = [one for one in hoster.state["deployments"] if one["kind"] == "preview"]
    many = [preview | {"id": f"{preview['id'][:-4]}{n:04}", "created": preview["created"] + n} for n in range(250)]
    hoster.put(deployments=[*hoster.state["deployments"], *many])
    assert {one.id for one in reading.deployments()} >= {hoster.ids["now"], hoster.ids["before"]}
    assert all(one.production for one in reading.deployments())


def test_what_was_deleted_is_missing(hoster, reading):
    with pytest.raises(Unreachable) as told:
        reading.deployment(hoster.ids["gone"])
    assert told.value.kind == "missing"


def test_variables_of_production_are_named_with_their_time_and_without_value(hoster, reading):
    found = reading.variables()
    assert [one.name for one in found] == sorted(["SENTRY_AUTH_TOKEN", "VITE_SUPABASE_URL", *BUILDS])
    kinds = {"vercel": "sensitive encrypted", "netlify": "secret plain", "cloudflare": "secret_text plain_text"}
    assert list(dict.fromkeys(one.kind for one in found)) == kinds[hoster.name].split()
    assert {one.updated is None for one in found} == {hoster.name == "cloudflare"}


def test_a_deployment_is_served_under_its_own_address_and_production_under_another(hoster, reading, lab):
    with_scheme = [one.address for one in reading.deployments() if one.state is State.READY]
    pages = [lab.target.web.get(address) for address in with_scheme]
    assert {page.status for page in pages} == {200}
    assert len({page.text for page in pages}) == len(pages)
    production = lab.target.web.get(hoster.settings.front_end_url)
    assert production.text == lab.target.web.get(reading.deployment(hoster.ids["now"]).address).text
    files = re.findall(r"\./(assets/[^\"]+)", production.text)
    assert [lab.target.web.get(f"{hoster.settings.front_end_url}/{file}").status for file in files] == [200] * 3
    assert lab.target.web.get(f"{hoster.settings.front_end_url}/assets/index-x.js").status == 404
    assert lab.target.web.get(f"{hoster.doors.url}/{hoster.name}/sites/{hoster.ids['gone']}/").status == 404


def test_a_rollback_moves_production_and_a_promotion_moves_it_back(hoster, writing):
    ids = hoster.ids
    hoster.put(move_seconds=0.05)
    writing.roll_back(ids["before"])
    until(lambda: writing.current().deployment == ids["before"])
    assert bool(writing.current().pinned) is writing.pins
    writing.promote(ids["now"])
    until(lambda: writing.current().deployment == ids["now"])
    assert not writing.current().pinned


def test_vercels_request_is_followed_from_pending_to_its_end(vercel):
    with vercel.moving() as writing:
        assert writing.current().move is None
        vercel.put(move_seconds=30)
        writing.roll_back(vercel.ids["before"])
        move = writing.current().move
        assert (move.source, move.target, move.stage) == (vercel.ids["now"], vercel.ids["before"], Stage.UNDER_WAY)
        assert abs(move.at.timestamp() - time.time()) < 60
        with pytest.raises(Unreachable) as told:
            writing.promote(vercel.ids["now"])
        assert told.value.kind == "conflict"
        vercel.put(request={**vercel.state["request"], "seconds": 0, "fails": True})
        failed = writing.current()
        assert (failed.deployment, failed.move.stage) == (vercel.ids["now"], Stage.FAILED)


def test_what_production_may_not_point_at_is_refused_by_the_hoster_with_its_words(hoster, writing):
    kinds = {"failed": "rejected", "preview": "rejected", "gone": "missing"}
    for name, kind in kinds.items():
        with pytest.raises(Unreachable) as told:
            writing.roll_back(hoster.ids[name])
        assert told.value.kind == kind
        assert "deployment" in told.value.message
    assert hoster.state["request"] is None


def test_on_vercels_hobby_plan_production_goes_back_one_step_only(vercel):
    vercel.put(hobby=True)
    with vercel.moving() as writing:
        allowed = {one.id for one in writing.deployments() if one.allowed}
        assert allowed == {vercel.ids["before"]}
        with pytest.raises(Unreachable, match="hobby plan") as told:
            writing.roll_back(vercel.ids["older"])
    assert told.value.kind == "unpaid"


def test_without_its_team_vercel_lets_a_token_do_nothing(vercel):
    alone = vercel.settings.model_copy(update={"vercel_team": None})
    with pytest.raises(Unreachable) as told:
        hosters.looking(alone, alone).current()
    assert told.value.kind == "forbidden"
    assert "VERCEL_TOKEN" in told.value.next_step


def test_vercels_project_may_be_named_and_another_projects_deployment_is_missing(vercel):
    named = vercel.settings.model_copy(update={"vercel_project": "valuecanvas"})
    reading = hosters.looking(named, named)
    assert reading.deployment(vercel.ids["before"]).id == vercel.ids["before"]
    assert reading.deployments()
    other = hosters.looking(vercel.settings.model_copy(update={"vercel_project": "prj_other"}), vercel.settings)
    with pytest.raises(Unreachable, match="another project's") as told:
        other.deployment(vercel.ids["before"])
    assert told.value.kind == "missing"


def test_without_a_hoster_a_project_or_a_token_nothing_is_asked(hoster):
    hoster.doors.forget()
    for field in ("hoster", CREDENTIAL[hoster.name]):
        lacking = hoster.settings.model_copy(update={field: None})
        for opened in (hosters.looking, hosters.moving):
            with pytest.raises(SettingsError, match="is not in the target description"):
                opened(lacking, lacking)
    project = {"vercel": "vercel_project", "netlify": "netlify_site", "cloudflare": "cloudflare_project"}[hoster.name]
    lacking = hoster.settings.model_copy(update={project: None})
    with pytest.raises(SettingsError, match="is not in the target description"):
        hosters.looking(lacking, lacking)
    assert hoster.doors.calls(hoster.name) == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("400", "rejected"),
        ("401", "unauthorized"),
        ("402", "unpaid"),
        ("403", "forbidden"),
        ("404", "missing"),
        ("409", "conflict"),
        ("422", "rejected"),
        ("malformed", "malformed"),
        ("empty", "malformed"),
    ],
)
@pytest.mark.parametrize("ask", ["current", "deployments", "deployment", "variables"])
def test_each_failure_is_told_from_the_others_and_asked_once(hoster, reading, ask, fault, kind):
    hoster.doors.forget()
    given = (hoster.ids["now"],) if ask == "deployment" else ()
    with hoster.doors.fault(hoster.name, fault), pytest.raises(Unreachable) as told:
        getattr(reading, ask)(*given)
    assert told.value.kind == kind
    assert told.value.next_step
    assert hoster.name in told.value.message.lower()
    if kind not in ("malformed",):
        assert f"The lab answers {fault} on purpose" in told.value.message
    assert len(hoster.doors.calls(hoster.name)) == 1


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut"])
def test_what_passes_is_asked_again(hoster, reading, fault):
    with hoster.doors.fault(hoster.name, fault, times=1, seconds=0.1):
        assert reading.current().deployment == hoster.ids["now"]


@pytest.mark.parametrize(("fault", "kind"), [("429", "limited"), ("500", "broken"), ("cut", "closed")])
def test_what_does_not_pass_is_told(hoster, reading, fault, kind):
    reading._api.seconds = 0.8
    with hoster.doors.fault(hoster.name, fault, seconds=60), pytest.raises(Unreachable) as told:
        reading.current()
    assert told.value.kind == kind


def test_a_slow_answer_is_given_up(hoster, reading):
    reading._api.seconds = 0.5
    with hoster.doors.fault(hoster.name, "slow", seconds=5), pytest.raises(Unreachable) as told:
        reading.current()
    assert told.value.kind == "slow"


@pytest.mark.parametrize(("fault", "moved"), [("500", 0), ("cut", 0), ("lost", 1), ("malformed", 0), ("402", 0)])
def test_a_call_that_moves_production_is_never_sent_twice(hoster, writing, fault, moved):
    hoster.doors.forget()
    with hoster.doors.fault(hoster.name, fault, method="POST", times=1):
        try:
            writing.roll_back(hoster.ids["before"])
        except Unreachable:
            pass
        else:
            # Nothing of the answer to this call is read: what came of it is looked up.
            assert fault == "malformed"
    assert len(asked(hoster, "POST")) == 1
    assert (hoster.state["request"] is not None) is bool(moved)


def test_a_call_that_was_refused_for_its_number_is_sent_again(hoster, writing):
    with hoster.doors.fault(hoster.name, "429", method="POST", times=1, seconds=0.1):
        writing.roll_back(hoster.ids["before"])
    assert hoster.state["request"]["to"] == hoster.ids["before"]


def test_what_only_looks_has_no_way_to_move_production(hoster, reading):
    assert not hasattr(reading, "roll_back")
    assert not hasattr(reading._api, "send")
    assert not hasattr(ReadTarget, "hosting")
    for kind in (PlanTarget, VerifyTarget):
        assert hasattr(kind, "hosting")
        assert not hasattr(kind, "hosting_writer")
    assert hasattr(WriteTarget, "hosting_writer")


def test_what_is_sent_and_answered_is_as_the_hoster_describes_it(hoster, writing):
    spec = specs.load(*DESCRIBED[hoster.name])
    hoster.doors.forget()
    writing.current(), writing.deployments(), writing.deployment(hoster.ids["failed"])
    writing.deployment(hoster.ids["preview"]), writing.roll_back(hoster.ids["before"])
    writing.current(), writing.variables()
    hoster.put(request={**hoster.state["request"], "seconds": 0})
    writing.promote(hoster.ids["now"])
    calls = [call for call in hoster.doors.calls(hoster.name) if "/sites/dpl" not in call["path"]]
    assert len(calls) == (9 if hoster.name == "netlify" else 8)
    faults = [fault for call in calls for fault in spec.faults(call)]
    assert [fault for fault in faults if not any(known in fault for known in UNDESCRIBED)] == []
