"""The front end as people look at it: a healthy one, a broken deployment, and one that nobody can see."""

import shutil

import pytest

from opslib.archive.verify import verify
from opslib.redaction import Redactor
from tests.hosters import of
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.vendors import Doors

NAME = "diagnostics/frontend"
SHARES = True
PAINTED = "front-end-first-paint"
CHECKS = {
    *("front-end-live", "front-end-served", "front-end-whole", "front-end-former-files", "front-end-size"),
    *("front-end-growth", "front-end-compressed", "front-end-kept", "front-end-first-byte", PAINTED),
}
UNSEEN = {} if shutil.which("chromium") else {PAINTED: "UNKNOWN"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def hoster(house):
    doors = Doors(house.settings)
    with doors.restored():
        doors.forget()
        yield of(house.settings, doors, "vercel")


def test_a_look_finds_all_well_changes_nothing_and_shows_no_secret(house, run, fingerprint, hoster):
    before = fingerprint()
    result, folder = run(NAME)
    assert result["state"] == "finished", result
    assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK") | UNSEEN
    page = (folder / "report.html").read_text()
    for words in ("files, compressed", "65 KiB of scripts", "runbooks/roll-back-deployment"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    assert {call["method"] for call in hoster.doors.calls("vercel")} == {"GET", "HEAD"}


@nightly
def test_a_broken_deployment_is_found_each_thing_by_its_own_check_and_hostile_headers_stay_text(run, hoster):
    hoster.put(
        site={
            "heavy": 400,
            "missing": ["canvas"],
            "page_cache": f"max-age=90000, {HOSTILE}",
            "gzip": False,
            "keeps_old": False,
            "throws": True,
        }
    )
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert verdicts(folder) == {
        **dict.fromkeys(CHECKS, "CRITICAL"),
        "front-end-live": "OK",
        # The former deployment's own address serves what was built then.
        "front-end-served": "OK",
        "front-end-former-files": "WARNING",
        "front-end-compressed": "WARNING",
        "front-end-first-byte": "OK",
        **UNSEEN,
    }
    page = (folder / "report.html").read_text()
    assert "<script>" not in page
    assert "alert(1)" in page


@nightly
def test_where_the_hoster_lets_nobody_in_nothing_is_green(house, run, hoster):
    with hoster.doors.fault("vercel", "401"):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    assert verdicts(folder) == dict.fromkeys(CHECKS, "UNKNOWN")
    assert verify(house.archive).ok
