"""Game days of an archive: sealed drills and runs, and words that their own people signed; whatever else is told."""

import subprocess
from datetime import timedelta
from types import SimpleNamespace

import pytest

from opslib.archive import drills, game_days
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.probes.backups_drill import FILE
from opslib.runs import witness
from opslib.runs.steps import DRILL
from opslib.runs.words import Word
from tests.archive import build
from tests.drills import drill, exercise
from tests.signing import Keys

DAY = "2026-q4"
BEGAN = "2026-11-01T00:02:00Z"
"""When the drill of these archives broke something: with the run of number 2."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def place(keys, tmp_path):
    listed = tmp_path / "allowed_signers"
    listed.write_text(keys.line("ben", 'namespaces="opslib-witness"'))
    settings = SimpleNamespace(environment="lab", allowed_signers=listed, revoked_keys=None)
    return SimpleNamespace(archive=Archive(tmp_path / "archive"), settings=settings, keep=tmp_path / "run", keys=keys)


def drilled(place, day=DAY):
    name = "20261101T000200Z-drill-a1b2c3"
    made = drill(exercise("cache", began_at=BEGAN, runs=()), name=name, day=day)
    asked = build.asked(2, notebook="disaster/recovery-drill", run=name, mode=DRILL)
    build.opened_and_closed(place.archive, asked, lambda folder: (folder / FILE).write_text(made.model_dump_json()))
    return name


def said(place, moment="alerted", key="ben", day=DAY):
    at = build_time() + timedelta(seconds=30)
    one = Word("lab", day, "ben@valuecanvas", at, "cache", moment, at, 5)
    return witness.give(
        one, place.archive.folder / witness.FOLDER / day, key=place.keys[key], trust=None, form=witness.DAYS
    )


def build_time():
    return exercise("cache", began_at=BEGAN).began_at


def read(place, keep=None):
    return game_days.rows(place.archive.folder, place.settings, keep)


def kinds(rows):
    return [(row["day"], row["kind"]) for row in rows]


def test_an_archive_without_a_game_day_has_none_and_a_drill_of_the_tool_is_none(place):
    assert read(place) == []
    drilled(place, day="")
    assert read(place) == []


def test_a_day_is_its_drill_its_words_and_what_people_ran_meanwhile(place):
    build.sealed(place.archive, 1, notebook="diagnostics/triage")
    drilled(place)
    mine = build.sealed(place.archive, 3, notebook="runbooks/maintain-cache", mode="plan")
    build.sealed(place.archive, 4, notebook="reviews/game-day")
    build.sealed(place.archive, 5, notebook="runbooks/maintain-cache", environment="staging")
    build.sealed(place.archive, 500, notebook="runbooks/maintain-cache")
    said(place)
    rows = read(place)
    assert kinds(rows) == [(DAY, "drill"), (DAY, "word"), (DAY, "run"), (DAY, "run")]
    assert [row["notebook"] for row in rows[2:]] == ["runbooks/maintain-cache", "diagnostics/triage"]
    assert (rows[2]["run"], rows[2]["by"], rows[2]["untrusted"]) == (mine, "ada@ops-1", "")
    assert verify(place.archive.folder).ok


def test_a_run_that_was_changed_is_told_as_such(place):
    drilled(place)
    mine = build.sealed(place.archive, 3, notebook="runbooks/maintain-cache")
    (place.archive.folder / "runs" / mine / "evidence" / "take-backup.json").write_text("{}")
    (run,) = [row for row in read(place) if row["kind"] == "run"]
    assert run["untrusted"] == "is not what was sealed"


def test_a_drill_that_was_changed_stays_on_the_day_that_its_id_tells(place):
    name = drilled(place)
    said(place)
    file = place.archive.folder / "runs" / name / FILE
    file.write_text(file.read_text().replace('"mitigated":10.0', '"mitigated":1.0'))
    (row,) = [row for row in read(place) if row["kind"] == "drill"]
    assert (row["damage"], row["day"], row["service"]) == ("is not what was sealed", DAY, None)


def test_a_word_that_somebody_else_signed_is_told_and_not_heard(place):
    said(place, key="ann")
    (row,) = read(place)
    assert (row["kind"], "is unknown" in row["why"]) == ("refused", True)
    place.settings.allowed_signers = None
    assert kinds(read(place)) == [(DAY, "unverified")]


def test_what_was_heard_is_kept_in_the_run_and_an_auditor_verifies_it_with_nothing_of_ours(place):
    path = said(place)
    read(place, place.keep)
    folder = place.keep / "evidence" / "words" / DAY
    assert {one.name for one in folder.iterdir()} == {"allowed_signers", path.name, f"{path.name}.sig"}
    command = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", "ben@valuecanvas", "-n", "opslib-witness"]
    command += ["-O", "verify-time=20261101000230Z", "-s", f"{path.name}.sig"]
    done = subprocess.run(command, cwd=folder, input=path.read_bytes(), capture_output=True, timeout=20, check=False)
    assert done.stdout.startswith(b'Good "opslib-witness" signature for ben@valuecanvas')


def test_a_tool_that_drills_each_night_leaves_no_game_day_out(place):
    drilled(place)
    for number in range(10, 11 + drills.MOST):
        name = f"20261101T00{number}00Z-drill-a1b2c3"
        made = drill(exercise("cache", runs=()), name=name)
        asked = build.asked(number, notebook="disaster/recovery-drill", run=name, mode=DRILL)
        text = made.model_dump_json()
        build.opened_and_closed(place.archive, asked, lambda folder, text=text: (folder / FILE).write_text(text))
    assert kinds(read(place)) == [(DAY, "drill")]
    assert len(drills.drills(place.archive.folder, "lab")) == drills.MOST + 1


def test_what_many_cells_show_is_one_look(place):
    probe = game_days.probe(place.archive.folder, place.keep, place.settings)
    said(place)
    first = probe.read(None)
    said(place, "acknowledged", day="2026-q3")
    assert probe.read(None) is first
    assert (probe.by_executor, probe.name) == (True, game_days.NAME)
