"""Documents that the guide says it merged: found by their names, or said to be missing. Pure."""

from datetime import UTC, datetime

import pytest

from opslib.checks import delivery as checks
from opslib.errors import UsageError
from opslib.model import Reading, Verdict
from opslib.probes.delivery_sources import MERGED, row_of


def judged(name, *paths):
    rows = tuple(row_of(one, list(paths)) | {"commit": "c" * 40} for one in MERGED)
    return checks.merged(name).judge(Reading("merged-sources", "Sources", "lab", datetime.now(UTC), 0.1, rows))


def test_a_document_that_is_there_is_shown_with_its_place():
    said = judged("LOAD_TESTING_GUIDE.md", "docs/ops/LOAD_TESTING_GUIDE.md", "README.md")
    assert (said.verdict, "is at docs/ops/LOAD_TESTING_GUIDE.md" in said.summary) == (Verdict.OK, True)


def test_one_that_is_missing_is_a_warning_with_what_is_like_it_by_name():
    said = judged("CHAOS_ENGINEERING_GUIDE.md", "docs/chaos-engineering.md", "src/chaosEngineering.ts")
    assert said.verdict is Verdict.WARNING
    assert "by their names these are of it: docs/chaos-engineering.md." in said.summary
    assert "and no other like it" in judged("LOAD_TESTING_GUIDE.md", "README.md").summary


def test_another_document_is_not_looked_for():
    with pytest.raises(UsageError, match="is not looked for"):
        checks.merged("SECRETS.md")
