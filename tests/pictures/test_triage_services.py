"""The order of recovery as a picture: a lane per priority, each service with its state in words and texture."""

from datetime import UTC, datetime

from opslib.model import Reading
from opslib.pictures.triage import order


def reading(*rows, unknown=None):
    return Reading("triage-services", "Services", "lab", datetime.now(UTC), 0.1, rows, unknown=unknown)


def row(service, priority, state, **more):
    said = {"verdict": "OK", "saw": "all is well", "back_within": "5 min", "may_lose": "nothing"}
    return {"service": service, "priority": priority, "state": state, "recovered_by": "a notebook", **said, **more}


def test_each_service_is_said_with_its_state_promise_and_way_back():
    made = order(reading(row("Database", "P0", "well"), row("Redis", "P1", "out", saw="gone", may_lose="not promised")))
    assert made.alternative == "P0 Database well; P1 Redis out."
    for words in ("P0: first", "P1: then", "Redis: out", "back within 5 min, no loss promised", "a notebook · gone"):
        assert words in made.svg
    assert "<script" not in made.svg


def test_what_nobody_looked_at_is_unknown():
    assert order(reading(unknown="no way")).alternative == "Unknown: no way."
    assert "Unknown" in order(reading()).svg
