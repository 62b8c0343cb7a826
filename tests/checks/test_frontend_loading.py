"""The front end's files and its speed, at each hoster of the lab and in a real browser where there is one."""

import base64
import hashlib
import os
import shutil
from contextlib import closing

import pytest

from opslib.checks import frontend as checks
from opslib.checks.frontend_loading import lifetime
from opslib.model import Verdict
from opslib.pictures import frontend as pictures
from opslib.probes import frontend as probes
from opslib.runs.reading import evaluate, take
from opslib.systems.target import PlanTarget
from tests.hosters import STAND_INS, of
from tests.vendors import Doors

FILES = (checks.whole, checks.size, checks.kept, checks.compressed)
ALL = (*FILES, checks.former, checks.grown, checks.timing(5))
browser = pytest.mark.skipif(
    not shutil.which("chromium") and not os.environ.get("CI"), reason="no chromium: pages are not opened"
)


@pytest.fixture
def hoster(request, lab):
    doors = Doors(lab.settings)
    with doors.restored():
        yield of(lab.settings, doors, getattr(request, "param", "vercel"))


def results(hoster, *made, **more):
    with closing(PlanTarget(hoster.settings.model_copy(update=more), "test")) as target:
        return [evaluate(check, target) for check in made]


@pytest.mark.parametrize("hoster", STAND_INS, indirect=True)
def test_a_healthy_front_end_is_ok_at_each_hoster_and_asked_without_changing_anything(hoster):
    hoster.doors.forget()
    found = results(hoster, *ALL)
    assert {one.check: one.verdict for one in found} == {check.name: Verdict.OK for check in ALL}
    assert "65 KiB" in found[1].summary
    assert {call["method"] for call in hoster.doors.calls(hoster.name)} <= {"GET", "HEAD"}


def test_scripts_are_found_where_the_page_names_them_and_none_lies_where_the_guide_looks(hoster):
    (found,) = results(hoster, checks.size)
    folders = {row["file"].rsplit("/", 2)[-2] for row in found.rows}
    assert (folders, found.verdict) == ({"assets"}, Verdict.OK), found.rows


SITES = [
    ({"heavy": 130}, checks.size, Verdict.WARNING, "KiB of scripts"),
    ({"heavy": 400}, checks.size, Verdict.CRITICAL, "KiB of scripts"),
    ({"heavy": 130}, checks.grown, Verdict.CRITICAL, "+"),
    ({"heavy": 12}, checks.grown, Verdict.WARNING, "+"),
    ({"missing": ["canvas"]}, checks.whole, Verdict.CRITICAL, "loaded later"),
    ({"missing": ["vendor"]}, checks.whole, Verdict.CRITICAL, "named by the page"),
    ({"missing": ["vendor"]}, checks.size, Verdict.UNKNOWN, "could not be measured"),
    ({"missing": ["vendor"]}, checks.grown, Verdict.UNKNOWN, "could be measured"),
    ({"missing": ["canvas"], "fallback": True}, checks.whole, Verdict.CRITICAL, "the document in its place"),
    ({"page_cache": "public, max-age=86400"}, checks.kept, Verdict.CRITICAL, "86\u202f400 s"),
    ({"page_cache": "max-age=60"}, checks.kept, Verdict.WARNING, "60 s after a deployment"),
    ({"page_cache": ""}, checks.kept, Verdict.WARNING, "does not say"),
    ({"file_cache": "no-store"}, checks.kept, Verdict.WARNING, "again and again"),
    ({"file_cache": "max-age=7776000"}, checks.kept, Verdict.WARNING, "immutable"),
    ({"gzip": False}, checks.compressed, Verdict.WARNING, "4 of 4 files"),
    ({"keeps_old": False}, checks.former, Verdict.WARNING, "are gone"),
]


@pytest.mark.parametrize(("site", "check", "verdict", "said"), SITES)
def test_what_is_amiss_with_the_files_is_found_and_gone_when_mended(hoster, site, check, verdict, said):
    hoster.put(site=site)
    (found,) = results(hoster, check)
    assert (found.verdict, said in found.summary, bool(found.remedy)) == (verdict, True, True), found.summary
    hoster.put(site={})
    assert results(hoster, check)[0].verdict is Verdict.OK


def test_a_file_of_another_host_is_named_and_not_asked(hoster):
    page = b'<script src="https://cdn.example.com/a.js"></script><script src="assets/i-12345678.js"></script>'
    digest = hashlib.sha256(page).hexdigest()
    live = {**hoster.state["deployments"][0], "files": {"/index.html": digest}}
    hoster.put(deployments=[live], blobs={digest: base64.b64encode(page).decode()})
    whole, size = results(hoster, checks.whole, checks.size)
    assert [row["state"] for row in whole.rows] == ["elsewhere", "missing"]
    assert (whole.verdict, size.verdict) == (Verdict.CRITICAL, Verdict.UNKNOWN)


@pytest.mark.parametrize("fault", ["404", "500", "cut"])
def test_a_document_that_does_not_come_leaves_everything_unknown_but_the_time_says_so(hoster, fault):
    with hoster.doors.fault("vercel", fault, path="/sites/production"):
        found = results(hoster, *ALL)
    assert {one.verdict for one in found} == {Verdict.UNKNOWN}
    hoster.doors._ask("POST", "faults", {"vendor": "vercel", "fault": "500", "path": "/sites/production", "times": 2})
    (some,) = results(hoster, checks.timing(5))
    assert (some.verdict, "2 of 5 were not answered" in some.summary) == (Verdict.CRITICAL, True)


def test_without_the_hoster_only_what_needs_it_is_unknown(hoster):
    with hoster.doors.fault("vercel", "401", path="/vercel/v"):
        found = results(hoster, *ALL)
    assert {one.check for one in found if one.verdict is Verdict.UNKNOWN} == {checks.former.name, checks.grown.name}


def test_the_first_byte_comes_before_the_last_and_never_in_no_time(hoster):
    with closing(PlanTarget(hoster.settings, "test")) as target:
        rows = take(probes.timing(5), target).rows
    assert len(rows) == 5
    assert all(0 < row["first"] <= row["total"] for row in rows)


def test_few_shots_and_few_visits_prove_nothing(hoster):
    assert results(hoster, checks.timing(3))[0].verdict is Verdict.UNKNOWN
    assert {one.verdict for one in results(hoster, *ALL, front_end_url=None)} == {Verdict.UNKNOWN}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *((None, None), ("", None), ("public", None), ("no-cache", 0), ("max-age=0, must-revalidate", 0)),
        *(("public, MAX-AGE=60", 60), ("s-maxage=5, no-store", 0), ("max-age=x", None), ("max-age=" + "9" * 40, None)),
    ],
)
def test_how_long_an_answer_may_be_kept_is_read_from_its_header(header, seconds):
    assert lifetime(header) == (seconds if header != "max-age=" + "9" * 40 else 999_999_999_999)


def test_the_picture_names_the_first_scripts_and_what_is_missing(hoster):
    hoster.put(site={"missing": ["canvas"]})
    with closing(PlanTarget(hoster.settings, "test")) as target:
        picture = pictures.bundle(take(probes.bundle, target))
    assert all(word in picture.svg for word in ("vendor-", "index-", "missing", "warning 170 KiB"))
    assert "65 KiB of scripts come first, of 4 files" in picture.alternative
    with closing(PlanTarget(hoster.settings.model_copy(update={"front_end_url": None}), "test")) as target:
        assert pictures.bundle(take(probes.bundle, target)).alternative.startswith("Unknown")


@browser
def test_a_real_browser_says_when_something_was_painted(hoster):
    (good,) = results(hoster, checks.painted(3))
    assert (good.verdict, "3 visits" in good.summary) == (Verdict.OK, True), good.summary
    assert all(0 < row["first_paint"] < 30_000 and row["transferred"] > 60_000 for row in good.rows)


def test_where_no_browser_is_installed_the_visit_is_unknown_with_the_reason_and_the_rest_is_seen(hoster, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    painted, whole = results(hoster, checks.painted(3), checks.whole)
    assert (painted.verdict, "No Chromium is installed" in painted.summary) == (Verdict.UNKNOWN, True)
    assert whole.verdict is Verdict.OK
