"""Each line of the guide's lists: ticked with evidence, and never without."""

from dataclasses import replace

import pytest

from opslib.checks import triage
from opslib.errors import UsageError
from opslib.guide.routines import ROUTINES, lines, lines_of
from opslib.model import Verdict
from tests.routines import COMMIT, NOW, OTHER, deployed, reading, result, results, signed, word, words

GO = "production-readiness"


def judged(check):
    return check.judge(reading(check.probe.read(None)))


def line(item, made, said=None, commit=COMMIT):
    own = lines()[item]
    return judged(triage.lines(own.routine, made, said if said is not None else words(), commit).line(item))


@pytest.mark.parametrize("item", list(lines()))
def test_a_line_is_ticked_with_its_evidence_and_its_word_and_not_without_either(item):
    own = lines()[item]
    made, said = results(own.routine), signed(own.routine)
    assert line(item, made, said).verdict is Verdict.OK
    for check in own.checks:
        without = {name: one for name, one in made.items() if name != check}
        lacking = line(item, without, said)
        assert (lacking.verdict, "nobody made this check" in lacking.summary) == (Verdict.UNKNOWN, True)
        for verdict in ("WARNING", "CRITICAL"):
            bad = line(item, {**made, check: result(check, verdict, "It burns.")}, said)
            assert (bad.verdict, bad.summary) == (verdict, f"{check}: It burns.")
    if own.word in ("also", "only"):
        assert line(item, made).verdict is Verdict.UNKNOWN
    assert line(item, {}).verdict is Verdict.UNKNOWN


def test_without_a_word_the_line_says_how_to_give_one():
    made = triage.lines("weekly", results("weekly"), words())
    row = next(row for row in made.table() if row["item"] == "MNT-WK-04")
    assert (row["verdict"], row["shown_by"]) == ("UNKNOWN", "no machine can know; nobody has said so")
    assert row["next"] == "ops sign-off MNT-WK-04 --says …"
    said = line("CHK-PRE-03", results(GO))
    assert said.summary == "sign-off: nobody has said so."
    one = triage.lines(GO, results(GO), words(), COMMIT).line("CHK-PRE-03")
    assert one.remedy == f"ops sign-off CHK-PRE-03 --of {COMMIT} --says …"


@pytest.mark.parametrize(
    ("item", "given", "verdict", "says"),
    [
        ("MNT-WK-04", word("MNT-WK-04", days=6.9), "OK", "ben@valuecanvas signed at 2026-11-22T14:24"),
        ("MNT-WK-04", word("MNT-WK-04", days=7.1), "UNKNOWN", "is 7 d 2 h old, and counted for 7 days"),
        ("MNT-MO-04", word("MNT-MO-04", days=30), "OK", "signed at"),
        ("MNT-MO-04", word("MNT-MO-04", days=32), "UNKNOWN", "and counted for 31 days"),
        ("CHK-PRE-03", word("CHK-PRE-03", of=COMMIT, days=90), "OK", "signed at"),
        ("CHK-PRE-03", word("CHK-PRE-03", of=OTHER), "UNKNOWN", f"signed off of {OTHER[:12]}, not of {COMMIT[:12]}"),
        ("MNT-WK-04", word("MNT-WK-01"), "UNKNOWN", "nobody has said so"),
    ],
)
def test_a_word_counts_for_its_time_for_its_commit_and_for_its_line(item, given, verdict, says):
    own = lines()[item]
    said = line(item, results(own.routine), words(given))
    assert (said.verdict, says in said.summary) == (verdict, True), said.summary


def test_of_a_commit_that_nobody_knows_no_word_counts():
    said = line("CHK-PRE-03", {}, words(word("CHK-PRE-03", of=COMMIT)), commit="newest")
    assert (said.verdict, "of which commit this is, is not known" in said.summary) == (Verdict.UNKNOWN, True)


def test_the_newest_commit_is_read_from_what_github_said_of_it():
    made = {**results(GO), "delivery-commit-tested": result("delivery-commit-tested")}
    seen = replace(made["delivery-commit-tested"].reading, rows=({"of": OTHER},))
    made["delivery-commit-tested"] = replace(made["delivery-commit-tested"], reading=seen)
    assert triage.lines(GO, made, words(), "newest").commit == OTHER
    assert triage.lines(GO, made, words(), COMMIT).commit == COMMIT
    assert (triage.commit_of(deployed(3)), triage.commit_of(deployed(3, commit="v1.2"))) == (COMMIT, "")


@pytest.mark.parametrize("item", ["MNT-WK-04", "MNT-WK-01", "CHK-PRE-02"])
def test_what_does_not_verify_is_critical_and_named_whatever_else_is_there(item):
    own = lines()[item]
    forged = {"item": item, "kind": "refused", "why": "x.word: Not signed by a witness: the key is unknown."}
    good = word(item, of=COMMIT if own.of_commit else "")
    said = line(item, results(own.routine), words(good, forged))
    assert (said.verdict, "the key is unknown" in said.summary) == (Verdict.CRITICAL, True)
    other = next(one for one in lines_of(own.routine) if one.item != item and one.word == "none")
    assert line(other.item, results(own.routine), words(good, forged)).verdict is Verdict.OK


def test_where_nobody_can_verify_words_only_the_lines_that_want_one_are_unknown():
    unverified = words({"item": "MNT-WK-04", "kind": "unverified", "why": "OPS_ALLOWED_SIGNERS is not set."})
    assert "OPS_ALLOWED_SIGNERS" in line("MNT-WK-04", results("weekly"), unverified).summary
    unread = words(unknown="There is no archive at hand.")
    assert line("MNT-WK-04", results("weekly"), unread).verdict is Verdict.UNKNOWN
    assert line("MNT-WK-02", results("weekly"), unread).verdict is Verdict.OK


def test_a_word_stands_in_for_what_a_check_cannot_tell_and_not_for_one_that_could_not_look():
    given = words(word("CHK-PRE-02", of=COMMIT))
    untold = {"verdict": "UNKNOWN", "says": "No pull request holds it."}
    assert line("CHK-PRE-02", results(GO, delivery_commit_reviewed=untold), given).verdict is Verdict.OK
    assert line("CHK-PRE-02", results(GO, delivery_commit_reviewed=untold)).verdict is Verdict.UNKNOWN
    shut = {**untold, "looked": False}
    assert line("CHK-PRE-02", results(GO, delivery_commit_reviewed=shut), given).verdict is Verdict.UNKNOWN
    assert line("CHK-PRE-02", results(GO, delivery_commit_reviewed="CRITICAL"), given).verdict is Verdict.CRITICAL


def test_a_check_that_nobody_could_make_leaves_the_other_lines_as_they_are():
    made = results("daily", costs_hour={"verdict": "UNKNOWN", "says": "nobody answered", "looked": False})
    said = {row["item"]: row["verdict"] for row in triage.lines("daily", made, words()).table()}
    assert said == {"MNT-DAY-01": "OK", "MNT-DAY-02": "OK", "MNT-DAY-03": "OK", "MNT-DAY-04": "UNKNOWN"}


@pytest.mark.parametrize("name", ROUTINES)
def test_with_nothing_looked_at_and_nothing_signed_no_line_is_green(name):
    made = triage.lines(name, {}, words())
    assert {row["verdict"] for row in made.table()} == {"UNKNOWN"}
    assert judged(made.all).verdict is Verdict.UNKNOWN


def test_go_is_said_only_where_every_line_is_ticked_and_what_keeps_it_back_stands_first():
    ready = triage.lines(GO, results(GO), signed(GO), COMMIT)
    assert judged(ready.all).summary == f"GO for {COMMIT[:12]}: 24 of 24 lines are ticked."
    bad = triage.lines(GO, results(GO, security_cors="CRITICAL", front_end_size="WARNING"), words(), COMMIT)
    said = judged(bad.all)
    assert said.verdict is Verdict.CRITICAL
    assert said.summary.startswith(f"NO-GO for {COMMIT[:12]}: ")
    assert said.rows[0]["line"] == "CORS configured for production only"
    assert [row["verdict"] for row in said.rows] == sorted(
        (row["verdict"] for row in said.rows), key=lambda word: -list(Verdict).index(Verdict(word))
    )
    warned = triage.lines(GO, results(GO, front_end_size="WARNING"), signed(GO), COMMIT)
    assert judged(warned.all).summary.startswith("GO with a warning for ")
    assert judged(warned.all).verdict is Verdict.WARNING


def test_another_item_or_routine_is_none():
    made = triage.lines("routines/daily", {}, words())
    with pytest.raises(UsageError, match="no line"):
        made.line("BAK-SBC-03")
    with pytest.raises(UsageError, match="no routine"):
        triage.lines("yearly", {}, words())


def test_when_it_was_looked_at_and_by_what_stands_with_the_evidence():
    said = line("MNT-DAY-01", results("daily"))
    assert said.summary == (
        f"dependencies-intake: It is well; dependencies-new-issues: It is well (looked at {NOW:%H:%M:%S} UTC)."
    )


def test_a_word_that_is_not_needed_is_not_asked_for_and_one_that_ticks_a_line_stands_first():
    def shown(**changed):
        made = triage.lines(GO, results(GO, **changed), words(word("CHK-PRF-03", of=COMMIT)), COMMIT)
        return {row["item"]: row["shown_by"] for row in made.table()}

    assert shown()["CHK-PRE-02"] == "1 check says OK at 12:00 UTC"
    untold = shown(front_end_images={"verdict": "UNKNOWN", "says": "No image is named."})
    assert untold["CHK-PRF-03"].startswith("ben@valuecanvas, 2026-11-29: I looked")
    assert untold["CHK-PRF-03"].endswith("front-end-images: No image is named")
