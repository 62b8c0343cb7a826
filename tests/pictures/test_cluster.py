"""Pictures of the cluster say in words what they draw, and pass the gate of what a page may hold."""

from opslib.model import Reading, now
from opslib.pictures import cluster as pictures
from opslib.pictures.gate import checked


def reading(*rows, unknown=None):
    return Reading("x", "x", "lab", now(), 0.1, rows, unknown=unknown)


def node(name, requested, planned, words, state="takes pods"):
    left = 4 - requested - planned
    said = {"node": name, "state": state, "planned": words, "pods_planned": 2 if words else 0, "cpu": 4.0}
    return {**said, "cpu_requested": requested, "cpu_planned": planned, "cpu_left": left, "memory_left": 2**33}


def test_planned_pods_are_drawn_in_and_what_finds_no_node_is_said():
    lost = {"node": pictures.NOWHERE, "state": "lacks cpu", "planned": "llm-worker", "pods_planned": 3}
    drawn = pictures.capacity(reading(node("a", 1.5, 1.0, "api-server 2"), node("b", 4.0, 0.0, "", "cordoned"), lost))
    assert drawn.alternative == (
        "2 planned pods find a place on 2 nodes, where 1.5 cores are left then; "
        "3 of llm-worker find no node: it lacks cpu."
    )
    for words in ("a, planned: api-server 2", "b (cordoned)", "planned 1", "3 of llm-worker find no node"):
        assert words in drawn.svg
    assert checked(drawn.svg)


def test_many_nodes_are_counted_rather_than_drawn():
    drawn = pictures.capacity(reading(*(node(f"n-{number}", 1.0, 0.0, "") for number in range(50))))
    assert "… and 20 more nodes" in drawn.svg
    assert checked(drawn.svg)


def test_connections_are_drawn_with_what_is_planned():
    row = {"budget": "server", "slots": 100, "reserved": 3, "usable": 97, "used": 10, "planned": 60, "left": 27}
    drawn = pictures.connections(reading({**row, "percent": 72.2}))
    assert drawn.alternative == "server: 10 in use and 60 planned of 97 usable (72.2 %)."
    assert "planned 60" in drawn.svg
    assert checked(drawn.svg)
    over = pictures.connections(reading({**row, "planned": 160, "left": -73, "percent": 175.3}))
    assert "planned 160" in over.svg
    assert checked(over.svg)


def test_what_nobody_could_look_at_is_said():
    for draw in (pictures.capacity, pictures.connections):
        assert draw(reading(unknown="no answer")).alternative == "Unknown: no answer"
