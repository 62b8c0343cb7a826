from opslib.model import Reading, Result, Verdict, now
from opslib.pictures.gate import checked
from opslib.pictures.observability import alerts
from opslib.runs.display import Note


def seen(*rows, unknown=None):
    reading = Reading("x", "X", "lab", now(), 0.1, rows, unknown=unknown)
    return Result("observability-guide-alerts", "X", Verdict.WARNING, "said", reading, rows=rows)


def row(alert, state, rule=""):
    return {"item": "MON-ALC-01", "alert": alert, "rule": rule, "limit": None, "state": state, "query": ""}


def test_each_alert_has_a_line_and_what_its_rule_is_worth():
    drawn = alerts(
        seen(
            row("Uptime", "can fire", "UptimeBelow99"),
            row("Errors", "Five fires at 5 %, the guide at 1", "Five"),
            row("Payments", "there is no rule"),
        )
    )
    assert (
        drawn.alternative == "Uptime: can fire; Errors: Five fires at 5 %, the guide at 1; Payments: there is no rule."
    )
    assert "UptimeBelow99: can fire" in drawn.svg
    checked(drawn.svg)


def test_what_was_not_read_is_unknown():
    assert alerts(seen(unknown="Prometheus is away.")).alternative == "Unknown: Prometheus is away."
    assert alerts(seen()).alternative.startswith("Unknown")
    assert alerts(Note("x")).alternative.startswith("Unknown")
