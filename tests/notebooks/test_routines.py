"""The guide's routines in the lab: honest lines, nothing changed, and signed words where only people can know."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.guide.routines import lines_of
from opslib.headless import runner
from opslib.lab.vendors.github import MAIN
from opslib.model import now
from opslib.redaction import Redactor
from opslib.runs import sign_offs, witness
from opslib.runs.sign_offs import SignOff
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.shut import closed, closed_port
from tests.signing import Keys

SHARES = True


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def sign(house, keys):
    """Let Ben sign lines off; his key is in the lab's list meanwhile, and Ann's is not."""
    listed = house.settings.allowed_signers
    kept = listed.read_text()
    listed.write_text(kept + keys.line("ben", 'namespaces="opslib-witness"'))

    def signed(item, who="ben", **said):
        word = replace(SignOff("lab", item, f"{who}@valuecanvas", now(), "I looked, and it is so"), **said)
        folder = house.archive / sign_offs.FOLDER / item
        return witness.give(word, folder, key=keys[who], trust=None, form=sign_offs.FORM)

    yield signed
    listed.write_text(kept)


def of_lines(folder):
    """Return the verdict of each line, by item."""
    return {
        name.removeprefix("line-").upper(): word for name, word in verdicts(folder).items() if name.startswith("line-")
    }


def is_sound(house, result, folder, name):
    assert result["state"] == "finished", result["reason"]
    said = of_lines(folder)
    assert set(said) == {line.item for line in lines_of(name)}
    leaks = Redactor(house.settings.secrets()).leaks
    assert [path.name for path in folder.rglob("*") if path.is_file() and leaks(path.read_bytes())] == []
    return said


def test_a_weekly_run_ticks_what_was_signed_names_what_was_forged_and_changes_nothing(house, run, sign, fingerprint):
    before = fingerprint()
    word = sign("MNT-WK-01")
    sign("MNT-WK-03", "ann")
    result, folder = run("routines/weekly")
    said = is_sound(house, result, folder, "weekly")
    # Statements and trends of a lab that is minutes old may be too few to say.
    assert said["MNT-WK-01"] in ("OK", "UNKNOWN")
    assert (said["MNT-WK-02"], said["MNT-WK-03"], said["MNT-WK-04"]) == ("OK", "CRITICAL", "UNKNOWN")
    assert result["exit_code"] == 2
    kept = folder / "evidence" / sign_offs.FOLDER / "MNT-WK-01"
    assert (kept / word.name).read_bytes() == word.read_bytes()
    page = (folder / "report.html").read_text()
    assert "ops sign-off MNT-WK-04 --says …" in page
    assert "Not signed by a witness" in page
    assert fingerprint() == before
    assert verify(house.archive).ok


@nightly
def test_a_daily_run_says_since_when_a_line_is_not_well(house, run, fingerprint):
    before = fingerprint()
    first, folder = run("routines/daily")
    # The lab never had a backup.
    assert is_sound(house, first, folder, "daily") == {
        "MNT-DAY-01": "OK",
        "MNT-DAY-02": "OK",
        "MNT-DAY-03": "CRITICAL",
        "MNT-DAY-04": "OK",
    }
    _, folder = run("routines/daily")
    assert "Verify backup completion: CRITICAL since" in (folder / "report.html").read_text()
    assert fingerprint() == before


@nightly
def test_a_monthly_run_is_unknown_until_a_person_signs_and_then_says_what_the_checks_say(house, run, sign, fingerprint):
    before = fingerprint()
    said = is_sound(house, *run("routines/monthly"), "monthly")
    assert (said["MNT-MO-01"], said["MNT-MO-03"], said["MNT-MO-04"]) == ("UNKNOWN", "UNKNOWN", "CRITICAL")
    for line in lines_of("monthly"):
        sign(line.item)
    said = is_sound(house, *run("routines/monthly"), "monthly")
    # The product's template leads a secret into the browser, and its guide was not gone over for a year.
    assert (said["MNT-MO-01"], said["MNT-MO-03"], said["MNT-MO-04"]) == ("WARNING", "OK", "CRITICAL")
    assert fingerprint() == before


@nightly
def test_a_commit_is_no_go_with_what_keeps_it_back_first_and_words_are_of_this_commit_alone(
    house, run, sign, fingerprint
):
    before = fingerprint()
    first, folder = run("routines/production-readiness")
    said = is_sound(house, first, folder, "production-readiness")
    assert (first["exit_code"], said["CHK-PRE-01"], said["CHK-PRE-02"]) == (2, "OK", "OK")
    assert (said["CHK-PRE-03"], said["CHK-PRE-04"]) == ("UNKNOWN", "CRITICAL")
    page = (folder / "report.html").read_text()
    assert page.index("NO-GO for 5f0d0f6a7b1c") < page.index("Database migrations tested")
    for line in lines_of("production-readiness"):
        if line.word != "none":
            sign(line.item, of="1" * 40 if line.item == "CHK-PRE-03" else MAIN)
    said = is_sound(house, *run("routines/production-readiness", f"commit={MAIN}"), "production-readiness")
    assert (said["CHK-PRE-03"], said["CHK-SEC-07"], said["CHK-MON-02"]) == ("UNKNOWN", "OK", "OK")
    assert fingerprint() == before


@nightly
def test_after_a_deployment_the_looks_are_counted_and_the_rest_is_ticked(house, run, sign, fingerprint):
    before = fingerprint()
    first, folder = run("routines/post-deployment-watch")
    said = is_sound(house, first, folder, "post-deployment-watch")
    assert said == {
        "CHK-PST-01": "OK",
        "CHK-PST-02": "OK",
        "CHK-PST-03": "OK",
        "CHK-PST-04": "UNKNOWN",
        "CHK-PST-05": "UNKNOWN",
    }
    sign("CHK-PST-05", of=journalled(folder, "deployed")[0]["commit"])
    said = is_sound(house, *run("routines/post-deployment-watch"), "post-deployment-watch")
    assert (said["CHK-PST-04"], said["CHK-PST-05"]) == ("UNKNOWN", "OK")
    assert fingerprint() == before


def journalled(folder, probe):
    """Return the rows of a probe that a run journalled."""
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    found = [line["reading"] for line in lines if line["event"] == "reading"]
    return next(one["rows"] for one in found if one["probe"] == probe)


@nightly
@pytest.mark.parametrize("name", ["daily", "weekly", "monthly", "production-readiness", "post-deployment-watch"])
def test_where_no_system_answers_no_line_is_ticked(house, tmp_path, monkeypatch, name):
    with closed_port() as port:
        path = tmp_path / "target.env"
        path.touch(0o600)
        path.write_text(closed((house.lab.folder / "target.env").read_text(), port))
        monkeypatch.setenv("OPS_LAB", str(tmp_path))
        result = runner.run(f"routines/{name}", (), "lab", tmp_path / "archive")
    folder = Path(result["report"]).parent
    assert result["state"] == "finished", result["reason"]
    assert "OK" not in of_lines(folder).values(), of_lines(folder)
    assert set(of_lines(folder)) == {line.item for line in lines_of(name)}
