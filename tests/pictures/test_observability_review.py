from opslib.guide.review import Told
from opslib.pictures.gate import checked
from opslib.pictures.observability import timeline
from tests.incidents_told import BEGAN, after, did, reading, turn

TOLD = Told("INC-1", began=BEGAN, acknowledged=after(6), by="ann", resolved=after(30), shown_by="cache-memory")


def drawn(*rows, told=TOLD, **said):
    return timeline(told, reading(*rows, at=60, probe="incident-record", **said))


def test_each_moment_is_drawn_as_the_interval_in_which_it_lies():
    found = drawn(turn(("OK", -1), ("CRITICAL", 4)), did(12), did(5, "diagnostics/triage"))
    checked(found.svg)
    assert found.alternative == (
        "INC-1, 2026-11-29 (UTC): began between 09:59:00 and 10:01:00, detected between 09:59:00 and 10:04:00, "
        "acknowledged between 10:05:00 and 10:07:00, resolved between 10:29:00 and 10:31:00. 2 runs were made "
        "meanwhile, 1 of them changed something, 0 are not believed. It took at most 32 min."
    )
    for words in ("detected: 09:59:00 to 10:04:00", "10:12:00 OK", "runbooks/maintain-cache", "diagnostics/triage"):
        assert words in found.svg


def test_a_run_that_is_not_believed_says_so_and_of_many_those_that_changed_something_are_drawn():
    looks = [did(number, "diagnostics/cache") for number in range(1, 29)]
    found = drawn(*looks, did(12), did(14, untrusted="is not what was sealed", verdict="", steps=[]))
    checked(found.svg)
    assert "not believed" in found.svg
    assert "runbooks/maintain-cache" in found.svg
    assert "and 16 more" in found.svg


def test_without_a_beginning_or_an_archive_that_is_said():
    assert "nobody says when it began" in drawn(told=Told("none")).alternative
    assert "Nobody could look: There is no archive." in drawn(unknown="There is no archive.").svg
    assert "no run was made in that time" in drawn().svg
