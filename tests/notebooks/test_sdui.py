"""Server-driven pages as people look at them: all well, much amiss, and with the database and the rest away."""

import shutil

import pytest

from opslib.archive.verify import verify
from opslib.lab.broken.sdui import FAULTS
from opslib.redaction import Redactor
from tests.dependencies import elsewhere
from tests.notebooks.recorded import verdicts
from tests.scale import nightly

NAME = "diagnostics/sdui"
SHARES = True
STORED = ("sdui-version", "sdui-schema", "sdui-registry", "sdui-markup", "sdui-tenant")
CHECKS = {*STORED, "front-end-whole", "front-end-former-files", "sdui-opened", "sdui-unseen", "sdui-reported"}
UNSEEN = {} if shutil.which("chromium") else {"sdui-opened": "UNKNOWN"}
HOSTILE = "Component not found: <script>alert(1)</script>"


@pytest.fixture
def there(house):
    with elsewhere(house.settings) as made:
        yield made


def test_a_look_finds_all_well_changes_nothing_and_shows_no_secret(house, run, fingerprint, there):
    before = fingerprint()
    result, folder = run(NAME)
    assert result["state"] == "finished", result
    assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK") | UNSEEN
    page = (folder / "report.html").read_text()
    assert "what is behind the log-in is not seen" in page or UNSEEN
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []


@nightly
def test_what_is_amiss_is_found_each_by_its_own_check_and_hostile_words_stay_text(house, run, there):
    there.issue(title=HOSTILE, users=4)
    for fault in FAULTS:
        fault.make(house.settings)
    try:
        result, folder = run(NAME)
    finally:
        for fault in FAULTS:
            fault.mend(house.settings)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    found = verdicts(folder)
    assert {name: found[name] for name in {fault.check for fault in FAULTS} | {"sdui-reported"}} == (
        dict.fromkeys({fault.check for fault in FAULTS} | {"sdui-reported"}, "CRITICAL") | UNSEEN
    )
    assert (found["front-end-whole"], found["sdui-markup"]) == ("OK", "OK")
    page = (folder / "report.html").read_text()
    assert "<script>" not in page
    assert "alert(1)" in page


@nightly
def test_where_the_sources_are_away_nothing_of_theirs_is_green(house, run, there):
    target = house.lab.folder / "target.env"
    kept = target.read_text()
    lines = ["OPS_CHECKOUT=" if line.startswith("OPS_CHECKOUT=") else line for line in kept.splitlines()]
    target.write_text("\n".join(lines) + "\n")
    try:
        with there.doors.fault("sentry", "401"), there.doors.fault("vercel", "401"):
            result, folder = run(NAME)
    finally:
        target.write_text(kept)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    assert verdicts(folder) == dict.fromkeys(CHECKS, "UNKNOWN") | {"sdui-unseen": "OK"}
    assert verify(house.archive).ok
