"""One system does not answer: what asks it is UNKNOWN and says so, and every other check is as it was."""

import random

import pytest

from opslib.model import Verdict
from opslib.runs import surveying
from tests.scale import NIGHTLY
from tests.shut import SYSTEMS, closed_port, without
from tests.triaging import by_executor, decisive
from tests.waiting import until

AFFECTED: dict[str, set[str]] = {
    "database": {
        *("database", "dependencies", "supabase", "authentication", "llm", "agents", "sdui", "security", "costs")
    },
    "cache": {"cache", "dependencies"},
    "aws": {"backups", "dependencies", "costs", "llm", "environment", "security"},
    "application": {"application", "llm", "authentication", "security", "dependencies"},
    "server metrics": {"database"},
    "prometheus": {"application", "observability"},
    "alertmanager": {"observability"},
    "grafana": {"observability"},
    "jaeger": {"observability"},
    "status pages": {"dependencies"},
    "resolver": {"dependencies"},
    "sentry": {"dependencies", "environment", "sdui"},
    "front end": {"frontend", "authentication", "sdui", "security"},
    "vercel": {"environment", "frontend"},
    "github": {"delivery", "backups"},
    "supabase": {"supabase", "authentication", "environment", "backups"},
    "supabase site": {"supabase", "environment"},
    "kubernetes": {"cluster", "llm", "environment", "dependencies", "application"},
    "together": {"llm", "costs", "environment"},
    "openai": {"llm", "environment"},
}
"""The areas that ask each system."""
CRITICAL = {
    "database": {"database-reachable", "database-servers"},
    "cache": {"cache-reachable"},
    "application": {"dependencies-api-name"},
    # The list of redirects and the API's CORS name the front end's true address, not the one it is led to here.
    "front end": {"authentication-redirects", "security-cors"},
    "supabase site": {"supabase-reach", "environment-production"},
    **{name: {"observability-stack"} for name in ("prometheus", "alertmanager", "grafana", "jaeger")},
}
"""Checks whose matter it is that the system answers where it should."""
RESTLESS = {"application-health"}
"""It tells how long the application has run: another verdict a minute later is no effect."""


@pytest.fixture
def surveyed():
    """Return a function that makes every area's decisive checks of a target: area and result by check.

    By day without those that open a page in a browser.
    """

    def made(settings):
        found = surveying.look(decisive(), settings.reading(), "test", by_executor(settings), 120)
        return {result.check: (area, result) for area, result in found}

    return made


def test_every_system_has_its_areas():
    assert {*AFFECTED} == {*SYSTEMS}
    assert {*CRITICAL} < {*SYSTEMS}


@pytest.mark.parametrize("system", list(SYSTEMS) if NIGHTLY else random.Random(20261129).sample(list(SYSTEMS), 1))
def test_what_asks_it_is_unknown_and_says_so_and_all_others_are_as_before(lab, surveyed, system):
    critical = CRITICAL.get(system, set())

    def differs(port):
        before = surveyed(lab.settings)
        after = surveyed(without(lab.settings, system, port))
        assert {*after} == {*before}
        changed = {
            check: one
            for check, one in after.items()
            if one[1].verdict is not before[check][1].verdict and check not in RESTLESS
        }
        # What another test has left may be over by the second look; what asks a shut system does not get well.
        better = [check for check, one in changed.items() if one[1].verdict in (Verdict.OK, Verdict.WARNING)]
        # A busy machine makes an answer slow for once; an effect is there at each look.
        others[:] = [f"{check}: {one[1].summary}" for check, one in changed.items() if one[0] not in AFFECTED[system]]
        return None if better or others else changed

    others = []
    with closed_port() as port:
        changed = until(lambda: differs(port), 120, lambda: "; ".join(others) or "it did not come about")
        for check, (area, result) in changed.items():
            assert area in AFFECTED[system], f"{check}: {result.summary}"
            assert result.verdict is (Verdict.CRITICAL if check in critical else Verdict.UNKNOWN), result.summary
            assert result.remedy, check
            if result.verdict is Verdict.UNKNOWN:
                assert not {"KeyError", "TypeError", "AttributeError"} & {*result.summary.replace(":", " ").split()}
        assert changed
        assert critical <= {*changed}
