"""The grid of secrets says what is missing to those who cannot see it, and shows no more than names and days."""

from datetime import UTC, datetime

from opslib.model import Reading
from opslib.pictures.supabase import secrets_grid, tables_grid


def reading(*rows, unknown=None):
    names = ("secret", "set", "needed", "platform", "days")
    made = tuple(dict(zip(names, row, strict=True)) for row in rows)
    return Reading("supabase-secrets", "Secrets", "lab", datetime.now(UTC), 0.1, made, unknown=unknown)


def test_each_secret_has_its_line_and_what_is_missing_is_said():
    rows = [
        ("TOGETHER_API_KEY", True, True, False, 40.1),
        ("OPENAI_API_KEY", False, True, False, None),
        ("OLD_KEY", True, False, False, None),
        ("SUPABASE_URL", True, False, True, 40.1),
    ]
    drawn = secrets_grid(reading(*rows))
    assert drawn.alternative == "1 of 2 secrets that functions need are set; not set: OPENAI_API_KEY."
    for word in ("TOGETHER_API_KEY", "set, 40.1 days ago", "not set", "no function is said to need it"):
        assert word in drawn.svg


def test_what_could_not_be_looked_at_is_said():
    assert secrets_grid(reading(unknown="Supabase does not know the token")).alternative.startswith("Unknown: Supabase")
    assert secrets_grid(reading()).alternative.startswith("Unknown")


def tables(*rows, unknown=None):
    names = ("table", "read_by", "anybody_may", "members_may", "rls", "anybody_policies", "members_policies")
    made = tuple(dict(zip((*names, "status", "code", "rows"), row, strict=True)) for row in rows)
    return Reading("supabase-tables", "Tables", "lab", datetime.now(UTC), 0.1, made, unknown=unknown)


def test_each_table_shows_where_the_way_to_its_rows_ends():
    drawn = tables_grid(
        tables(
            ("billing_plans", "everybody", True, True, True, 0, 1, 200, "", 0),
            ("cases", "members", True, False, True, 0, 1, 401, "42501", None),
            ("agents", "members", True, True, False, 0, 0, None, "", None),
        )
    )
    assert drawn.alternative == (
        "billing_plans: grant there, policy none, answer empty list; "
        "cases: grant missing, policy 1, answer 401 42501; agents: grant there, policy off, answer not seen."
    )
    assert "cases (members)" in drawn.svg


def test_tables_that_nobody_saw_are_said_to_be_unknown():
    assert tables_grid(tables(unknown="The database is away")).alternative == "Unknown: The database is away"
    assert tables_grid(tables()).alternative.startswith("Unknown")
