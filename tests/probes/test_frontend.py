"""What is read of the hosters, and by whom; what production may go back to, by rule."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from opslib.probes import asked
from opslib.probes import frontend as probes
from opslib.probes.frontend_documents import Document, compared, look
from opslib.probes.frontend_targets import obstacle, previous
from opslib.runs.reading import take
from opslib.systems.hosting import Deployment, State
from opslib.systems.target import PlanTarget
from tests.hosters import STAND_INS, of
from tests.vendors import Doors

PROBES = (probes.live, probes.deployments, probes.documents, probes.migrations, probes.variables, probes.pipeline)


@pytest.fixture(params=STAND_INS)
def hoster(request, lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield of(lab.settings, doors, request.param)


def read(probe, one, **more):
    settings = one.settings.model_copy(update=more)
    with closing(PlanTarget(settings, "test")) as target:
        return take(probe, target)


def test_all_of_them_are_taken_by_the_executor_and_change_nothing(hoster):
    before = hoster.doors.state()
    hoster.doors.forget()
    for probe in PROBES:
        assert probe.by_executor
        assert asked.BY_NAME[probe.name] is probe
        assert read(probe, hoster).unknown is None
    assert hoster.doors.state() == before
    assert {call["method"] for call in hoster.doors.calls(hoster.name)} == {"GET"}


def test_who_is_live_is_read_with_the_last_request(hoster):
    row = read(probes.live, hoster).row
    assert (row["hoster"], row["deployment"], row["ready"]) == (hoster.name, hoster.ids["now"], True)
    assert (row["held_back"], row["move"]) == (False, None)
    if hoster.name == "vercel":
        with hoster.moving() as handle:
            handle.roll_back(hoster.ids["before"])
        row = read(probes.live, hoster).row
        assert (row["move_from"], row["move_to"]) == (hoster.ids["now"], hoster.ids["before"])


def test_each_deployment_says_what_stands_in_the_way(hoster):
    rows = {row["deployment"]: row for row in read(probes.deployments, hoster).rows}
    ids = hoster.ids
    assert [one for one, row in rows.items() if row["live"]] == [ids["now"]]
    assert [one for one, row in rows.items() if row["back"]] == [ids["before"]]
    assert {one for one, row in rows.items() if not row["obstacle"]} == {ids["before"], ids["older"]}
    assert "not ready" in rows[ids["failed"]]["obstacle"]


def test_both_documents_are_compared_without_a_credential(hoster):
    hoster.doors.forget()
    row = read(probes.documents, hoster).row
    assert (row["compared"], row["production_is"], row["own_is"]) == ("same", "served", "served")
    assert row["production_sha256"] == row["own_sha256"]
    hoster.put(protected=True)
    row = read(probes.documents, hoster).row
    assert (row["compared"], row["own_is"]) == ("unknown", "not allowed")


@pytest.mark.parametrize(
    ("fault", "word"),
    [("404", "absent"), ("401", "not allowed"), ("403", "not allowed"), ("429", "limited"), ("500", "unhealthy")],
)
def test_why_there_is_no_document_is_told_apart(hoster, fault, word):
    with hoster.doors.fault(hoster.name, fault, path="/sites/production"):
        assert read(probes.documents, hoster).row["production_is"] == word


def test_an_address_where_nobody_listens_is_told_and_not_raised(hoster):
    row = read(probes.documents, hoster, front_end_url="http://127.0.0.1:1").row
    assert (row["production_is"], row["compared"]) == ("unreachable", "unknown")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "ftp://a", "https://user:word@a", "https://", "//a", ""])
def test_an_address_that_is_none_is_told_and_not_raised(lab, address):
    found = look(lab.target.web, address)
    assert (found.word, found.sha256) == ("unreachable", None)
    assert "word" not in found.why


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
@pytest.mark.parametrize("fault", ["401", "403", "404", "empty", "malformed"])
def test_a_hoster_that_cannot_be_asked_makes_every_reading_unknown(hoster, probe, fault):
    with hoster.doors.fault(hoster.name, fault):
        assert read(probe, hoster).unknown


def test_a_description_without_a_hoster_or_an_address_is_unknown(hoster):
    for probe in PROBES:
        assert "OPS_HOSTER" in (read(probe, hoster, hoster=None).unknown or "")
    assert "VITE_APP_URL" in (read(probes.documents, hoster, front_end_url=None).unknown or "")


def test_migrations_that_are_newer_than_each_deployment_are_counted(hoster, lab):
    rows = {row["deployment"]: row for row in read(probes.migrations, hoster).rows}
    assert set(rows) == {hoster.ids["before"], hoster.ids["older"]}
    assert all((row["newer"], row["undated"]) == (0, 0) for row in rows.values())
    newest = f"{datetime.now(UTC) - timedelta(days=5):%Y%m%d%H%M%S}"
    with lab.admin() as session:
        table = "supabase_migrations.schema_migrations"
        session.execute(f"INSERT INTO {table} (version, name) VALUES (%s, 'x'), ('0001', 'y')", [newest])
        try:
            rows = {row["deployment"]: row for row in read(probes.migrations, hoster).rows}
        finally:
            session.execute(f"DELETE FROM {table} WHERE version IN (%s, '0001')", [newest])
    assert (rows[hoster.ids["before"]]["newer"], rows[hoster.ids["before"]]["undated"]) == (0, 1)
    assert rows[hoster.ids["older"]]["versions"] == [newest]


def test_variables_that_are_newer_than_each_deployment_are_named_and_no_value_is_read(hoster):
    then = datetime.now(UTC) - timedelta(days=5)
    variables = hoster.bare().state["variables"]
    hoster.put(variables=[variables[0] | {"updated": then.timestamp()}, variables[1]])
    reading = read(probes.variables, hoster)
    rows = {row["deployment"]: row for row in reading.rows}
    told = hoster.name != "cloudflare"
    assert rows[hoster.ids["before"]]["newer"] == []
    assert rows[hoster.ids["older"]]["newer"] == (["SENTRY_AUTH_TOKEN"] if told else [])
    assert rows[hoster.ids["before"]]["untold"] == ([] if told else ["SENTRY_AUTH_TOKEN", "VITE_API_BASE_URL"])
    assert rows[hoster.ids["before"]]["variables"] == 2
    assert "shown" not in str(reading)
    assert "eyJ2" not in str(reading)


def deployment(id="a", **more):
    plain = {"state": State.READY, "word": "READY", "production": True, "served": True}
    return Deployment(**{"id": id, **plain, "created": moment(1), "address": "https://a", **more})


def moment(day):
    return datetime(2026, 11, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"id": "live"}, "live already"),
        ({"state": State.GONE}, "deleted"),
        ({"state": State.FAILED, "word": "ERROR"}, "ERROR"),
        ({"state": State.BUILDING, "word": "A_NEW_WORD"}, "A_NEW_WORD"),
        ({"production": False}, "not built for production"),
        ({"served": False}, "never live"),
        ({"allowed": False}, "hobby"),
        ({"allowed": None}, ""),
        ({}, ""),
    ],
)
def test_each_obstacle_is_named(more, why):
    said = obstacle(deployment(**more), "live")
    assert (why in said) if why else said == ""


def test_the_previous_one_is_the_newest_before_the_live_one_that_may_come_back():
    every = [
        deployment("newer", created=moment(9)),
        deployment("live", created=moment(8)),
        deployment("failed", created=moment(7), state=State.FAILED),
        deployment("good", created=moment(6)),
        deployment("older", created=moment(5)),
    ]
    assert previous(every, "live").id == "good"
    assert previous(every, "older") is None
    # A live one that is not listed any more is older than all that are.
    assert previous(every[:1], "gone").id == "newer"
    assert previous([], None) is None


def test_a_document_that_something_changed_on_the_way_is_known_by_its_files():
    one = Document("a", "served", 200, "1" * 64, ("/assets/index-abc.js",))
    assert compared(one, one) == "same"
    assert compared(one, Document("b", "served", 200, "2" * 64, one.files)) == "same files"
    assert compared(one, Document("b", "served", 200, "2" * 64, ("/assets/index-def.js",))) == "different"
    bare = Document("a", "served", 200, "1" * 64)
    assert compared(bare, Document("b", "served", 200, "2" * 64)) == "different"
    for word in ("absent", "not allowed", "unhealthy", "unreachable"):
        assert compared(one, Document("b", word)) == "unknown"
