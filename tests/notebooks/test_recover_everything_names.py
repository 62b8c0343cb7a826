"""The API's name led elsewhere as people do it: looked at, planned, applied as planned, undone, broken off, killed.

The cells are those that disaster/recover-everything has for names, taken out of it: the others have tests of theirs.
"""

import json
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.headless import agreement
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.broken.dependencies import DEAD
from opslib.redaction import Redactor
from opslib.runs.saved_plan import parse
from tests.killing import killed
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.sites import line, record, zone_doors

NAME = "disaster/recover-everything"
SHARES = True
WHOLE = Path(__file__).resolve().parents[2] / "notebooks" / f"{NAME}.ipynb"
CELLS = ("what-this-is", "parameters", "begin", "api-name", "recovery-site", "switch-site", "api-name-after", "finish")
GIVEN = ("lead_api_to=recovery", "wait_seconds=20")
OWN, RECOVERY = {"A": ["127.0.0.1"]}, {"A": ["127.0.0.2"]}


@pytest.fixture(autouse=True)
def notebook(tmp_path, monkeypatch):
    place = tmp_path / "notebooks" / f"{NAME}.ipynb"
    place.parent.mkdir(parents=True)
    book = json.loads(WHOLE.read_text())
    book["cells"] = [cell for cell in book["cells"] if cell["id"] in CELLS]
    assert tuple(cell["id"] for cell in book["cells"]) == CELLS
    place.write_text(json.dumps(book))
    monkeypatch.setenv("OPS_NOTEBOOKS", str(tmp_path / "notebooks"))


@pytest.fixture
def zone(house):
    with zone_doors(house.settings) as made:
        yield made


@pytest.fixture
def broken(zone):
    """The API's name leads to where nothing is."""
    zone.put(record("A", DEAD))
    return zone


@pytest.fixture
def far(house, zone):
    """A line to Route 53 that may fail, in the description itself."""
    description = house.lab.folder / "target.env"
    kept = description.read_text()
    with line(house.settings) as (settings, made):
        description.write_text(kept.replace(house.settings.aws_endpoint_url, settings.aws_endpoint_url))
        yield made
    description.write_text(kept)


def events(folder, event):
    said = [json.loads(one) for one in (folder / "journal.jsonl").read_text().splitlines()]
    return [one for one in said if one["event"] == event]


def test_it_is_planned_with_the_way_back_applied_as_planned_verified_and_undone(house, run, broken, fingerprint):
    before = fingerprint(), broken.sets()
    result, folder = run(NAME, *GIVEN, mode="plan")
    assert result["state"] == "finished", result["reason"]
    assert (fingerprint(), broken.sets()) == before
    (step,) = parse((folder / "plan.json").read_bytes()).steps
    assert step.plan.fingerprint["before"] == before[1]
    assert (step.plan.effect.value, step.plan.touches) == ("change", 2)
    applied = agreement.apply(result["run"], "lab", house.archive)
    folder = Path(applied["report"]).parent
    # It serves again, and from the recovery site: a WARNING until it is led back.
    assert (applied["state"], applied["exit_code"]) == ("finished", 1), applied["reason"]
    assert broken.leads() == RECOVERY
    first, last = (one["result"]["verdict"] for one in events(folder, "result") if "api-name" in one["result"]["check"])
    assert (first, last, verdicts(folder)["dependencies-recovery-site"]) == ("CRITICAL", "WARNING", "OK")
    page = (folder / "report.html").read_text()
    assert "at the latest 1 s later" in step.plan.verification
    for words in ("2 name servers and 2 resolvers say so", "it leads to the recovery site"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    taken = undo(applied["run"], house.archive)
    assert broken.sets() == before[1]
    # The dead place of before is back, as it was asked for, and nobody calls that well.
    assert taken["exit_code"] != 0


@nightly
def test_a_look_alone_changes_nothing_and_is_ok(run, zone):
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert (zone.leads(), set(verdicts(folder).values())) == (OWN, {"OK"})


@nightly
def test_the_name_is_led_back_to_its_own_site(run, zone):
    zone.put(record("A", "127.0.0.2"))
    result, folder = run(NAME, "lead_api_to=own", "wait_seconds=20")
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert (zone.leads(), verdicts(folder)["dependencies-api-name"]) == (OWN, "OK")


@nightly
def test_a_name_server_that_lags_behind_insync_fails_the_step_and_is_undone(house, run, zone):
    assert run(NAME)[0]["exit_code"] == 0
    zone.serve(behind={"1": 3600})
    result, folder = run(NAME, "lead_api_to=recovery", "wait_seconds=2")
    assert (result["state"], result["exit_code"]) == ("failed", 5), result
    assert "though Route 53 says INSYNC" in (folder / "report.html").read_text()
    zone.serve(behind={})
    taken = undo(result["run"], house.archive)
    assert (taken["exit_code"], zone.leads()) == (0, OWN), taken["reason"]


@nightly
@pytest.mark.parametrize("fault", ["cut", "AccessDenied"])
def test_a_step_that_fails_once_is_gone_on_with_and_undone(house, run, zone, far, fault):
    if fault == "cut":
        far.cut = True
    else:
        far.codes = [fault]
    result, _ = run(NAME, *GIVEN)
    assert (result["state"], result["exit_code"]) == ("failed", 5), result
    assert zone.leads() == OWN
    again = resume(result["run"], house.archive)
    assert (again["state"], zone.leads()) == ("finished", RECOVERY), again["reason"]
    taken = undo(again["run"], house.archive)
    assert (taken["exit_code"], zone.leads()) == (0, OWN), taken["reason"]


@nightly
def test_somebody_who_is_quicker_is_not_overwritten(run, zone, far):
    far.meanwhile = lambda: zone.put(record("A", "127.0.0.5"))
    result, _ = run(NAME, *GIVEN)
    assert result["exit_code"] in (4, 5), result
    assert "refused the whole batch" in result["reason"]
    assert zone.leads() == {"A": ["127.0.0.5"]}


@nightly
def test_a_run_that_is_killed_while_it_follows_goes_on_sends_nothing_twice_and_is_undone(house, run, zone, far):
    far.pending = 10_000
    name, _ = killed(NAME, GIVEN, house.archive, lambda: zone.leads() == RECOVERY)
    far.pending = 0
    again = resume(name, house.archive)
    assert again["state"] == "finished", again["reason"]
    assert (zone.leads(), far.sent) == (RECOVERY, [["DELETE", "CREATE"]])
    taken = undo(again["run"], house.archive)
    assert (taken["exit_code"], zone.leads()) == (0, OWN), taken["reason"]


@nightly
def test_a_site_that_does_not_serve_is_refused(house, run, zone):
    description = house.lab.folder / "target.env"
    kept = description.read_text()
    description.write_text(kept.replace("OPS_RECOVERY_SITE=127.0.0.2", f"OPS_RECOVERY_SITE={DEAD}"))
    try:
        result, folder = run(NAME, *GIVEN)
    finally:
        description.write_text(kept)
    assert (result["state"], result["exit_code"], zone.leads()) == ("refused", 4, OWN), result
    assert "does not serve" in result["reason"]
    assert verdicts(folder)["dependencies-recovery-site"] == "CRITICAL"


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
