"""The picture of what production gets: every variable a line, each place a mark and a word."""

from opslib.model import Reading, now
from opslib.pictures.environment import production

PLACE = {"what": "place", "place": "hoster", "standing": "UNKNOWN", "finding": "403"}


def row(name, standing="OK", **cells):
    blank = dict.fromkeys(("cluster", "hoster", "vault", "description"), "")
    return {"what": "variable", "variable": name, "standing": standing, "finding": "", **blank, **cells}


def reading(*rows, unknown=None):
    return Reading("environment-production", "Given", "lab", now(), 0.1, (PLACE, *rows), unknown=unknown)


def test_each_variable_has_its_marks_and_its_verdict_in_words():
    drawn = production(
        reading(
            row("JWT_SECRET", "WARNING", cluster="given", vault="differs"),
            row("VITE_SENTRY_DSN", "UNKNOWN", hoster="hidden"),
            row("CSP_ENABLED", cluster="given"),
        )
    )
    assert drawn.alternative == (
        "1 of 3 variables are as they must be; not: JWT_SECRET WARNING, VITE_SENTRY_DSN UNKNOWN."
    )
    for said in ("JWT_SECRET, vault: differs", "VITE_SENTRY_DSN, hoster: hidden", ">WARNING<", ">UNKNOWN<", ">OK<"):
        assert said in drawn.svg
    assert "CSP_ENABLED, vault" not in drawn.svg
    assert "The hoster: UNKNOWN, 403" in drawn.svg


def test_what_could_not_be_read_is_said_instead_of_drawn():
    assert production(reading(unknown="no executor")).alternative == "Unknown: no executor"
    assert "no variable" in production(reading()).alternative


def test_a_hostile_name_is_drawn_as_text():
    drawn = production(reading(row("<script>", "CRITICAL", cluster="<b>")))
    assert "<script>" not in drawn.svg
    assert "<b>" not in drawn.svg
