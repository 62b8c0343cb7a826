from datetime import UTC, datetime
from xml.etree import ElementTree

from opslib.model import Reading
from opslib.pictures import frontend, gate


def row(number, **more):
    made = datetime(2026, 11, number, 9, tzinfo=UTC).isoformat()
    plain = {"deployment": f"dpl_{number}", "live": False, "back": False, "obstacle": "", "created": made}
    return {**plain, "commit": "0123456789abcdef", **more}


def reading(*rows, unknown=None):
    return Reading("front-end-deployments", "Deployments", "lab", datetime.now(UTC), 0.1, rows, unknown=unknown)


ROWS = (
    row(9, live=True, obstacle="is live already"),
    row(8, obstacle="is not ready (ERROR)"),
    row(7, back=True),
    row(6, obstacle="was never live, so nobody has seen it work in production"),
    row(5),
    row(1, obstacle="was deleted (retention)"),
)


def test_each_deployment_is_a_cell_the_oldest_left_with_its_sign_and_story():
    svg = frontend.deployments(reading(*ROWS)).svg
    ElementTree.fromstring(svg)
    gate.checked(svg)
    cells = svg.partition("● live")[0]
    assert [sign for sign in cells if sign in "●↩○✗–·"] == ["–", "○", "·", "↩", "✗", "●"]
    assert "dpl_8, 2026-11-08 09:00 UTC, commit 01234567; is not ready (ERROR)" in svg


def test_the_alternative_says_who_is_live_and_where_production_can_go():
    said = frontend.deployments(reading(*ROWS)).alternative
    assert said == "Of 6 deployments dpl_9 is live; production can go back to 2, the newest of them dpl_7."
    said = frontend.deployments(reading(ROWS[0])).alternative
    assert said.endswith("production can go back to none.")


def test_what_could_not_be_looked_at_is_no_empty_strip():
    assert frontend.deployments(reading(unknown="no answer")).alternative == "Nobody could look: no answer."
    assert frontend.deployments(reading()).alternative == "There is no deployment."


def test_only_the_newest_are_drawn():
    many = [row(1 + number % 28, deployment=f"dpl_{number}") for number in range(60)]
    assert frontend.deployments(reading(*many)).alternative.startswith("Of 30 deployments none that is shown")
