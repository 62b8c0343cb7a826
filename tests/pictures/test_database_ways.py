from datetime import UTC, datetime
from xml.etree import ElementTree

from opslib.model import Reading
from opslib.pictures import database


def way(name, open_, loses, promises):
    return {"way": name, "open": open_, "loses_seconds": loses, "promises_seconds": promises, "rpo_seconds": 3600.0}


ROWS = (
    way("failover", True, 0.0, None),
    way("point-in-time recovery", True, 9.0, 30.0),
    way("restore of a dump", True, 60.0, 86400.0),
    way("vendor's backup", None, None, None),
)


def reading(rows, unknown=None):
    return Reading("database-ways-back", "Ways", "lab", datetime.now(UTC), 0.1, rows, unknown=unknown)


def test_each_way_is_said_with_its_promise_against_the_rpo_and_its_loss_now():
    made = database.promises(reading(ROWS))
    ElementTree.fromstring(made.svg)
    assert made.alternative == (
        "The RPO is 1 h. failover: no promise, now 0 s; point-in-time recovery: at most 30.0 s, meets it, now "
        "9.00 s; restore of a dump: at most 1 d, can't meet it, now 1 min; vendor's backup: no promise, not seen."
    )
    assert "No bar: nothing is promised." in made.svg
    assert "now 0 s" in made.svg


def test_what_nobody_could_look_at_is_no_empty_picture():
    assert database.promises(reading((), unknown="no connection")).alternative == "Nobody could look: no connection."
