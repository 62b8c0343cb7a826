from opslib.pictures.gate import checked
from opslib.pictures.observability import trends
from tests.guide.test_trend import row
from tests.incidents_told import reading


def drawn(*rows, **said):
    return trends(reading(*rows, probe="trends-database", **said), area="database")


def test_each_check_has_its_line_its_limits_and_a_box_a_run():
    found = drawn(row([50, 52, 54, 56, 58, 60]), row([None] * 3, ["OK", "OK", "CRITICAL"], check="database-core"))
    checked(found.svg)
    assert found.alternative == ("database-core: worse, CRITICAL; database-disk: nearer to its limit, 60 %, OK.")
    for words in (
        "2026-11-03T00:00: CRITICAL",
        "limit in 5.0 d",
        "6 runs, 11-01 to 11-06",
        "How the checks of database",
    ):
        assert words in found.svg or words in found.title


def test_many_are_cut_and_hostile_names_are_text():
    rows = [row([1, 2, None, 4], check=f"<b>{number}") for number in range(20)]
    found = drawn(*rows)
    checked(found.svg)
    assert "<b>" not in found.svg
    assert "and 4 more" in found.svg


def test_without_runs_or_an_archive_that_is_said():
    assert "No run of this archive" in drawn().alternative
    assert "Nobody could look: There is no archive." in drawn(unknown="There is no archive.").svg
