"""Security as people look at it: a lab with what it honestly lacks, one with much amiss, one that does not answer."""

import pytest

from opslib.archive.verify import verify
from opslib.lab.broken.security import FAULTS
from opslib.lab.doors import change
from opslib.redaction import Redactor
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.vendors import Doors

NAME = "diagnostics/security"
SHARES = True
HONEST = {"security-tracked-env", "incident-rotation"}
"""What the lab itself lacks: its template leads a key into the browser, and its secret has no rotation function."""
CHECKS = {
    *("security-tenants", "security-rls", "security-views", "security-open-policies", "incident-definers"),
    *(
        "security-writes",
        "front-end-public",
        "security-bundle",
        "security-tracked-env",
        "incident-rotation",
        "security-headers",
    ),
    *("security-cors", "dependencies-certificates", "incident-networks"),
}
HOSTILE = "<script>alert(1)</script>\x1b[2J"


@pytest.fixture
def doors(house):
    made = Doors(house.settings)
    with made.restored():
        made.forget()
        yield made


def test_a_look_changes_nothing_shows_no_secret_and_finds_what_the_lab_honestly_lacks(house, run, fingerprint, doors):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 1), result
    assert fingerprint() == before
    assert verdicts(folder) == dict.fromkeys(CHECKS, "OK") | dict.fromkeys(HONEST, "WARNING")
    page = (folder / "report.html").read_text()
    for words in ("Who sees whose rows", "Headers that protect", "public.cases", "VITE_LLM_API_KEY"):
        assert words in page
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    assert {call["method"] for call in doors.calls("vercel")} == {"GET"}


@nightly
def test_what_is_amiss_is_found_each_by_its_own_check(house, run, doors):
    try:
        for fault in FAULTS:
            fault.make(house.settings)
        change(house.settings, "vercel", headers={"content-security-policy": f"default-src 'none' {HOSTILE[:25]}"})
        result, folder = run(NAME)
    finally:
        for fault in FAULTS:
            fault.mend(house.settings)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    found = verdicts(folder)
    red = {fault.check for fault in FAULTS} | {"security-open-policies"}
    assert {name for name, verdict in found.items() if verdict == "CRITICAL"} == red
    page = (folder / "report.html").read_text()
    assert "<script>" not in page
    assert "q7Zr2Lm89f3K" not in page
    assert "runbooks/respond-to-security-incident" in page


@nightly
def test_where_nobody_answers_nothing_of_it_is_green_and_the_rest_is_looked_at(run, doors):
    with doors.fault("vercel", "cut"):
        result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 3), result
    found = verdicts(folder)
    unknown = {name for name, verdict in found.items() if verdict == "UNKNOWN"}
    assert unknown == {"front-end-public", "security-bundle", "security-headers"}
    assert found["security-tenants"] == "OK"


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
