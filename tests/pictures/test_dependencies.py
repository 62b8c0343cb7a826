"""Vendors at a glance, and certificates' days: each figure is said in words too, and hostile words stay words."""

from datetime import UTC, datetime

from opslib.model import Reading
from opslib.pictures.dependencies import certificates, vendors


def reading(*rows, unknown=None):
    return Reading("dependencies", "Dependencies", "lab", datetime.now(UTC), 0.1, tuple(rows), unknown=unknown)


def row(vendor, what, name="", state="", word="", why=""):
    return {"vendor": vendor, "what": what, "name": name, "state": state, "word": word, "why": why}


def test_each_vendor_has_what_is_needed_of_it_and_what_is_open():
    drawn = vendors(
        reading(
            row("github", "page", "GitHub"),
            row("github", "component", "Actions", "operational"),
            row("github", "component", "API Requests", "outage", "major_outage"),
            row("github", "incident", "Elevated errors", "outage", "investigating"),
            row("aws", "page", "AWS"),
            row("together", "page", "together", why="The status page of together does not have this."),
        )
    )
    assert drawn.alternative == (
        "github: API Requests: outage, incident Elevated errors; aws: nothing open; "
        "together: unknown, The status page of together does not have this."
    )
    for word in (
        "Actions: operational",
        "API Requests: outage",
        "incident: Elevated errors (investigating)",
        "not read",
    ):
        assert word in drawn.svg


def test_what_could_not_be_looked_at_is_said():
    for draw in vendors, certificates:
        assert draw(reading(unknown="No status page")).alternative.startswith("Unknown: No status page")
        assert draw(reading()).alternative.startswith("Unknown")


def test_hostile_titles_stay_text():
    drawn = vendors(
        reading(row("github", "page", "x"), row("github", "incident", "<script>alert(1)</script>\u202e", "outage", "x"))
    )
    assert "<script" not in drawn.svg
    assert "\u202e" not in drawn.svg + drawn.alternative


def test_certificates_are_bars_with_their_state():
    shown = {"host": "app.valuecanvas.test:443", "days": 12.5, "state": "trusted"}
    drawn = certificates(reading(shown, {**shown, "host": "old:443", "days": -3.0, "state": "not trusted"}))
    assert drawn.alternative == "app.valuecanvas.test:443 12.5 days (trusted), old:443 -3 days (not trusted)."
    assert "30 d" in drawn.svg
