"""The steady state of each service: of one, of all, and of none that there is not."""

import pytest

from opslib.checks import triage
from opslib.checks.triage_steady import STEADY
from opslib.errors import UsageError
from opslib.guide.promises import PROMISES


def test_every_service_that_the_guide_promises_to_recover_has_one():
    assert list(triage.steady()) == list(PROMISES) == list(STEADY)
    assert [check.name for check in triage.steady("cache")["cache"]] == ["cache-reachable", "cache-memory"]
    assert list(triage.steady("llm")) == ["llm"]


def test_another_service_is_refused():
    with pytest.raises(UsageError, match="database, application, llm, cache, frontend"):
        triage.steady("redis")
