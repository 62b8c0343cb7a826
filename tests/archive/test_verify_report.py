"""What a report of a verification says as text, and what heads kept elsewhere let it say."""

from opslib.archive.verify_report import NOT_ANCHORED, VerifyReport, coverage
from opslib.archive.verify_run import Finding


def test_a_report_says_what_was_counted_and_how_it_ended() -> None:
    error, warning = Finding("error", "a", "is bad"), Finding("warning", "b", "is odd")
    report = VerifyReport((error, warning), 5, 7, "5:ff", ("x",), ("y", "z"), (), "A statement.")
    assert not report.ok
    assert str(report).splitlines() == [
        "error: a: is bad",
        "warning: b: is odd",
        "5 entries, 7 files, 1 runs sealed, 2 open, 0 in quarantine",
        "head 5:ff",
        "A statement.",
        "FAILED: see the errors above",
    ]
    fine = VerifyReport((warning,))
    assert fine.ok
    assert str(fine).splitlines()[1:] == [
        "0 entries, 0 files, 0 runs sealed, 0 open, 0 in quarantine",
        "head none",
        "",
        "OK: nothing in it contradicts the log",
    ]


def test_what_the_heads_kept_elsewhere_cover_is_said() -> None:
    assert coverage(0, 9) == NOT_ANCHORED
    assert coverage(9, 9) == "ANCHORED up to entry 9 of 9."
    assert coverage(8, 9) == (
        "ANCHORED up to entry 8 of 9; entries after it can be cut unseen, and rewritten by who holds the key."
    )
