"""What is deployed and since when, as hoster and cluster tell it; what the archive alone can tell."""

from contextlib import closing
from datetime import datetime

import pytest

from opslib.model import now
from opslib.probes import triage as probes
from opslib.runs.reading import take
from opslib.systems.target import PlanTarget
from tests.shut import without


def looked(settings):
    with closing(PlanTarget(settings, "test")) as target:
        return take(probes.deployed, target)


def test_front_end_and_api_each_say_since_when_they_are_deployed(lab):
    front, api = looked(lab.settings).rows
    assert (front["what"], len(front["commit"]), front["why"]) == ("front end", 40, "")
    assert (api["what"], api["why"]) == ("API", "")
    assert api["version"].startswith("revision ")
    assert all(datetime.fromisoformat(str(row["at"])) < now() for row in (front, api))


@pytest.mark.parametrize(("shut", "left"), [("vercel", "API"), ("kubernetes", "front end")])
def test_where_one_of_them_is_silent_the_other_still_tells(lab, shut, left):
    rows = looked(without(lab.settings, shut, 9)).rows
    assert [row["what"] for row in rows if row["at"]] == [left]
    assert all(row["why"] for row in rows if not row["at"])


def test_where_both_are_silent_nobody_knows(lab):
    said = looked(without(without(lab.settings, "vercel", 9), "kubernetes", 9))
    assert "Nobody can tell what was deployed when" in said.unknown


def test_without_an_archive_nobody_knows_of_sign_offs_and_earlier_runs(lab):
    with closing(PlanTarget(lab.settings, "test")) as target:
        for probe in (probes.sign_offs["daily"], probes.earlier_of("routines/daily")):
            assert "There is no archive at hand" in take(probe, target).unknown
