"""Drills as people run them: one service by day, all of them by night; stopped, killed, and without recovery."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from opslib.archive import seal
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import Refused
from opslib.guide.promises import PROMISES
from opslib.headless import drill
from opslib.headless.drill_course import Place, look
from opslib.headless.drill_exercise import exercise
from opslib.headless.drill_lab import Broken
from opslib.headless.drill_scenarios import SCENARIOS, chosen
from opslib.lab.broken import find
from opslib.probes.backups_drill import FILE, Drill
from opslib.redaction import Redactor
from opslib.systems.postgres import connect
from tests.notebooks.conftest import ROWS
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.waiting import until

NAME = "disaster/recovery-drill"


def record(house, run):
    return Drill.model_validate_json((house.archive / "runs" / run / FILE).read_bytes())


def vouched(house, made):
    """Hold that the record names the seals of the runs that it began, and that the archive verifies."""
    for one in made.exercises:
        for run in one.runs:
            assert run.sha256 == seal.sha256(house.archive / "runs" / run.run / seal.MANIFEST)
    assert verify(house.archive).ok


def test_without_a_drill_nothing_is_green_and_without_a_steady_service_nothing_is_broken(house, run, fingerprint):
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result["reason"]
    assert set(verdicts(folder).values()) == {"UNKNOWN"}
    fault = find("deployment-incomplete")
    fault.make(house.settings)
    before, runs = fingerprint(), len(Archive(house.archive).runs())
    try:
        with pytest.raises(Refused, match="nothing was broken"):
            drill.drill(("frontend",), "lab", house.archive)
        assert (fingerprint(), len(Archive(house.archive).runs())) == (before, runs)
    finally:
        fault.mend(house.settings)


def test_a_drill_of_one_service_is_measured_recorded_sealed_and_shown(house, fingerprint):
    before = json.loads(fingerprint())
    result = drill.drill(("frontend",), "lab", house.archive)
    made = record(house, result["drill"])
    (one,) = made.exercises
    assert (made.state, one.trouble, one.why, one.mended) == ("finished", "", "", True)
    assert [run.what for run in one.runs] == ["plan", "apply"]
    vouched(house, made)
    times = one.moments
    assert 0 < times.broken <= times.detected <= times.acknowledged < times.mitigated
    assert times.acknowledged < times.ended <= times.resolved
    assert 0 < times.out < times.mitigated
    assert 0 < one.failed < one.tries
    assert (one.loss.counted, one.loss.lost, one.loss.acknowledged > 3) == ("deployments", 0, True)
    folder = Path(result["report"]).parent
    said = verdicts(folder)
    assert said["drill-frontend"] == said["drill-record"] == said["drill-compared"] == "OK"
    assert {said[f"drill-{name}"] for name in PROMISES if name != "frontend"} == {"UNKNOWN"}
    assert (said["drill-age"], said["drill-score"], result["exit_code"]) == ("UNKNOWN", "WARNING", 3)
    page = (folder / "report.html").read_text()
    assert "Front end: noticed after" in page
    own = (house.archive / "runs" / result["drill"] / "report.html").read_text()
    assert "Each of its exercises stands below" in own
    assert "breaking it: deployment-incomplete" in own
    # What the drill broke and moved is as it was: databases, keys and backups to the byte, production where it was.
    after = json.loads(fingerprint())
    assert after[:3] == before[:3]
    hosters = [taken[3][house.settings.hoster] for taken in (before, after)]
    assert hosters[0]["production"] == hosters[1]["production"]
    assert hosters[0]["deployments"] == hosters[1]["deployments"]
    redactor = Redactor(house.settings.secrets())
    written = [path for name in (result["drill"], folder.name) for path in (house.archive / "runs" / name).rglob("*")]
    assert [path.name for path in written if path.is_file() and redactor.leaks(path.read_bytes())] == []


def with_standby(house):
    """Make the house's lab anew with the second server that a failover needs: a lab that is there keeps what it has."""
    house.lab.down()
    os.environ["LAB_STANDBY"] = "1"
    try:
        house.lab.up(ROWS)
    finally:
        os.environ["LAB_STANDBY"] = "0"
    house.settings = house.lab.settings()


@nightly
def test_all_services_in_one_command_with_each_loss_as_it_was_stated(house):
    with_standby(house)
    done = ops("drill", "--json", house=house)
    said, _ = done.communicate(timeout=900)
    result = json.loads(said)
    made = record(house, result["drill"])
    assert [one.service for one in made.exercises] == list(PROMISES)
    drilled = {one.service: one for one in made.exercises if not one.why}
    for name, one in drilled.items():
        assert (one.trouble, one.mended, one.uncounted) == ("", True, ""), name
        assert one.loss.acknowledged > 0, name
        assert one.moments.mitigated is not None, name
    assert sorted(drilled) == sorted(PROMISES)
    assert {name for name, one in drilled.items() if one.loss.lost} <= {"database"}
    # Commits did not wait for the standby: what is lost was acknowledged within the time that the plan stated.
    loss = drilled["database"].loss
    assert loss.stated_seconds is not None
    assert loss.lost == 0 or 0 < loss.seconds <= loss.stated_seconds
    vouched(house, made)
    page = verdicts(Path(result["report"]).parent)
    assert {page[f"drill-{name}"] for name in drilled} == {"OK"}
    with connect(house.settings.database_url, "test") as database:
        assert database.execute("SELECT to_regnamespace('opslib_drill') AS there").fetchone() == {"there": None}


def ops(*words, house):
    return subprocess.Popen(
        [sys.executable, "-m", "opslib.cli", *words],
        env={**os.environ, "OPS_ARCHIVE": str(house.archive)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def broken(house):
    """Begin a drill of the cache and return its process once the recovery is under way, and its traffic's process."""
    process = ops("drill", "cache", "--json", house=house)
    until((house.lab.folder / "drill" / "open.json").is_file, 120)
    until(lambda: any("maintain-cache" in path.name for path in (house.archive / "running").iterdir()), 120)
    return process


@nightly
def test_one_that_is_stopped_mends_and_says_so_in_a_sealed_record(house):
    process = broken(house)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=300)
    result = json.loads(said)
    assert (result["drilled"], result["exit_code"], process.returncode) == ("interrupted", 5, 5)
    made = record(house, result["drill"])
    (one,) = made.exercises
    assert ("It was stopped" in one.trouble, one.mended, one.loss) == (True, True, None)
    assert Broken(house.lab.folder).left() is None
    steady(house, "cache")
    vouched(house, made)


@nightly
def test_one_that_is_killed_leaves_no_traffic_and_the_next_one_mends_what_it_left(house):
    process = broken(house)
    (going,) = list((house.lab.folder / "drill").glob("*.jsonl"))
    process.kill()
    process.wait()
    until(lambda: '"there"' in going.read_text() or '"uncounted"' in going.read_text(), 120)
    left = Broken(house.lab.folder).left()
    assert left["fault"] == "cache-overgrown"
    result = drill.drill(("frontend",), "lab", house.archive)
    made = record(house, result["drill"])
    assert made.found == (
        f"{left['drill']} was broken off and had left cache-overgrown: mended before this drill began.",
    )
    steady(house, "cache")
    assert verify(house.archive).ok
    assert "had left cache-overgrown" in (Path(result["report"]).parent / "report.html").read_text()
    # The killed one is sealed as broken off, and told as a drill without a record.
    assert Archive(house.archive).find(left["drill"]).state == "interrupted"


def steady(house, service):
    (one,) = chosen((service,))
    assert {found.verdict.value for found in look(house.settings, "test", one.steady())} == {"OK"}


@nightly
def test_a_notebook_that_does_not_recover_is_trouble_no_loss_is_counted_and_the_lab_is_mended(house, tmp_path):
    (tmp_path / "evidence").mkdir()
    (house.lab.folder / "drill").mkdir(exist_ok=True)
    place = Place(
        "20261129T110000Z-drill-a1b2c3",
        house.settings,
        house.archive,
        tmp_path,
        house.lab.folder / "drill",
        Broken(house.lab.folder),
        lambda text: None,
        Redactor(),
    )
    (cache,) = [one for one in SCENARIOS if one.service == "cache"]
    # The family holds next to nothing of this memory: clearing it helps nobody.
    one, interrupted = exercise(place, replace(cache, fault="cache-full"))
    assert not interrupted
    assert "It was not steady again" in one.trouble
    assert (one.mended, one.loss, one.moments.resolved, one.moments.mitigated) == (True, None, None, None)
    assert "not recovered by the notebook" in one.uncounted
    assert Broken(house.lab.folder).left() is None
    steady(house, "cache")
