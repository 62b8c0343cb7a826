"""What an archive tells a routine: sign-offs that verify, what lies there and is none, and its own earlier runs."""

import subprocess
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from opslib.archive import routines
from opslib.archive.store import Archive
from opslib.model import Verdict, now
from opslib.redaction import Redactor
from opslib.runs import sign_offs, witness
from opslib.runs.journal import Journal
from opslib.runs.sign_offs import SignOff
from tests.archive import build
from tests.signing import Keys

WITNESS = 'namespaces="opslib-witness"'


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def place(keys, tmp_path):
    signers = tmp_path / "allowed_signers"
    signers.write_text(keys.line("ben", WITNESS))
    settings = SimpleNamespace(environment="lab", allowed_signers=signers, revoked_keys=None)
    return SimpleNamespace(archive=Archive(tmp_path / "archive"), keys=keys, settings=settings)


def give(place, item="MNT-WK-04", who="ben", folder="", **said):
    word = replace(SignOff("lab", item, f"{who}@valuecanvas", now(), "it is so"), **said)
    where = place.archive.folder / sign_offs.FOLDER / (folder or item)
    return witness.give(word, where, key=place.keys[who], trust=None, form=sign_offs.FORM)


def signed(place, name="weekly", keep=None):
    return routines.signed(place.archive.folder, name, place.settings, keep)


def test_nothing_is_there_before_anybody_signed(place):
    assert signed(place) == []
    assert routines.runs(place.archive.folder, "weekly", "lab") == []


def test_a_sign_off_is_told_with_who_and_when_and_only_to_its_own_routine(place):
    give(place, of="")
    (row,) = signed(place)
    assert (row["item"], row["kind"], row["by"], row["says"]) == ("MNT-WK-04", "word", "ben@valuecanvas", "it is so")
    assert signed(place, "monthly") == []


def test_what_somebody_else_signed_or_lies_at_another_line_is_told_and_not_heard(place):
    give(place, who="ann")
    give(place, "MNT-WK-01", folder="MNT-WK-03")
    found = {row["item"]: (row["kind"], row["why"]) for row in signed(place)}
    assert found["MNT-WK-04"][0] == found["MNT-WK-03"][0] == "refused"
    assert "is unknown" in found["MNT-WK-04"][1]
    assert "It is of another line: MNT-WK-01" in found["MNT-WK-03"][1]


def test_without_a_list_of_keys_no_sign_off_can_be_verified(place):
    give(place)
    place.settings.allowed_signers = None
    (row,) = signed(place)
    assert (row["kind"], "OPS_ALLOWED_SIGNERS" in row["why"]) == ("unverified", True)


def test_what_was_heard_is_kept_in_the_run_and_an_auditor_verifies_it_with_nothing_of_ours(place, tmp_path):
    path = give(place)
    signed(place, keep=tmp_path)
    kept = tmp_path / "evidence" / sign_offs.FOLDER / "MNT-WK-04"
    assert sorted(one.name for one in kept.iterdir()) == sorted(["allowed_signers", path.name, f"{path.name}.sig"])
    command = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", "ben@valuecanvas", "-n", "opslib-witness"]
    done = subprocess.run(
        [*command, "-s", f"{path.name}.sig"], input=(kept / path.name).read_bytes(), cwd=kept, check=False
    )
    assert done.returncode == 0


def sealed(place, hours, notebook="routines/daily", lines=None, verdict="OK", **said):
    started = now() - timedelta(hours=hours)
    run = f"{started:%Y%m%dT%H%M%SZ}-{notebook.replace('/', '-')}-a1b2c3"
    asked = build.asked(1, notebook=notebook, run=run, started_at=f"{started:%Y-%m-%dT%H:%M:%SZ}") | said
    folder = place.archive.open(asked)
    build.fill(folder, verdict)
    (folder / "journal.jsonl").unlink()
    journal = Journal(folder / "journal.jsonl", Redactor())
    for item, word in (lines or {}).items():
        journal.append("result", result={"check": f"line-{item.lower()}", "verdict": word})
    journal.append("closed", state="finished", verdict=verdict)
    journal.close()
    place.archive.close(run, Redactor([build.SECRET]))
    return run


def runs(place, own=""):
    return routines.runs(place.archive.folder, "daily", "lab", own)


def test_earlier_runs_come_newest_first_with_the_verdict_of_each_line(place):
    old = sealed(place, 48, lines={"MNT-DAY-01": "OK", "MNT-DAY-03": "CRITICAL"}, verdict="CRITICAL")
    new = sealed(place, 24, lines={"MNT-DAY-01": "WARNING"}, verdict="WARNING")
    sealed(place, 12, "routines/weekly")
    sealed(place, 11, environment="staging")
    sealed(place, 10, mode="plan")
    own = sealed(place, 1)
    found = runs(place, own)
    assert [row["run"] for row in found] == [new, old]
    assert found[1]["lines"] == {"MNT-DAY-01": "OK", "MNT-DAY-03": "CRITICAL"}
    assert (found[0]["verdict"], found[0]["untrusted"]) == (Verdict.WARNING, "")


def test_a_run_that_was_changed_is_told_and_its_lines_are_not_believed(place):
    run = sealed(place, 2, lines={"MNT-DAY-01": "OK"})
    report = place.archive.folder / "runs" / run / "journal.jsonl"
    report.chmod(0o600)
    report.write_text(report.read_text().replace("OK", "NO"))
    (row,) = runs(place)
    assert (bool(row["untrusted"]), row["lines"]) == (True, {})


def test_what_many_cells_show_is_one_look(place, tmp_path):
    found = routines.of_archive(place.archive.folder, tmp_path, place.settings, "")
    probe = found["sign-offs-weekly"]
    assert probe.read(None) == []
    give(place)
    assert probe.read(None) == []
