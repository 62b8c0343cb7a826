"""Pictures of the database: well-formed, with every figure as text, and honest about what is unknown."""

from datetime import UTC, datetime
from xml.etree import ElementTree

from opslib.model import Reading
from opslib.pictures.database import blocking_tree, connection_budget, migrations


def reading(*rows, unknown=None):
    return Reading("p", "P", "lab", datetime(2026, 11, 23, tzinfo=UTC), 0.1, tuple(rows), unknown=unknown)


def texts(picture):
    return " ".join(ElementTree.fromstring(picture.svg).itertext())


def budget(name, used, usable, idle_in_transaction=0):
    return {
        "budget": name,
        "used": used,
        "usable": usable,
        "slots": usable + 3,
        "reserved": 3,
        "used_percent": round(100 * used / usable, 1),
        "active": used - idle_in_transaction,
        "idle": 0,
        "idle_in_transaction": idle_in_transaction,
        "other": 0,
    }


def waiting(pid, depth, **more):
    base = {"pid": pid, "depth": depth, "application": "app", "state": "active", "transaction_seconds": 12.0}
    return base | {"waiting_seconds": 6.0, "waits_for": "a lock", "victims": 0, "victims_seconds": 0.0} | more


def test_the_budget_shows_each_limit_its_parts_and_the_guides_lines():
    drawn = connection_budget(reading(budget("server", 74, 97, 4), budget("role <pool>", 3, 20)))
    said = texts(drawn)
    for part in ("server", "role <pool>", "active 70", "idle in transaction 4", "free 23", "80 %", "90 %"):
        assert part in said
    assert drawn.alternative.startswith("server: 74 of 97 usable connections in use (76.3 %)")


def test_the_tree_says_what_ending_each_root_frees():
    root = waiting(11, 0, state="idle in transaction", victims=2, victims_seconds=65.0)
    drawn = blocking_tree(reading(root, waiting(12, 1), waiting(13, 2)))
    said = texts(drawn)
    assert "end this one: frees 2" in said
    assert "waits for 6.00 s: a lock" in said
    assert drawn.alternative == "process 11 (app, idle in transaction) blocks 2, who have waited 1 min 5 s together."


def test_a_crowd_is_counted_rather_than_drawn_to_the_last_one():
    rows = [waiting(1, 0, victims=99), *(waiting(pid, 1) for pid in range(2, 101))]
    assert "and 60 more sessions" in texts(blocking_tree(reading(*rows)))


def test_nobody_waiting_and_nobody_looking_are_told_apart():
    assert blocking_tree(reading()).alternative == "Nobody waits for a lock."
    for draw in (blocking_tree, connection_budget):
        assert draw(reading(unknown="it refuses connections")).alternative == "Unknown: it refuses connections"


def test_a_picture_of_the_lab_can_be_drawn(lab):
    from opslib.probes import database as probes
    from opslib.runs.reading import take

    assert "97 usable connections" in connection_budget(take(probes.connection_budget, lab.target)).alternative
    assert blocking_tree(take(probes.blocking, lab.target)).alternative == "Nobody waits for a lock."


def version(number, state, note=""):
    return {"version": f"202604{number:02}090000", "name": f"m{number}", "state": state, "note": note}


def test_the_strip_of_versions_marks_each_and_names_what_is_wrong():
    rows = [version(1, "applied"), version(2, "half applied", "table <x> is there"), version(3, "pending")]
    drawn = migrations(reading(*rows))
    said = texts(drawn)
    assert drawn.alternative == "1 applied (=), 1 pending (+), 1 not as they should be (!)."
    assert "! 20260402090000 m2: half applied, table <x> is there" in said
    assert [mark in said for mark in "=+!"] == [True] * 3
    many = migrations(reading(*(version(n, "applied") for n in range(40))), most=10)
    assert "30 older ones are not drawn." in texts(many)


def test_without_migrations_or_knowledge_the_strip_says_so():
    assert migrations(reading()).alternative == "There is no migration."
    assert migrations(reading(unknown="no folder")).alternative == "Unknown: no folder"
