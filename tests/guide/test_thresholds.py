import math
import re
from pathlib import Path

import opslib
from opslib.guide import catalogue
from opslib.guide.thresholds import COLUMNS, contradictions, policy, threshold
from opslib.model import Verdict


def test_every_row_of_the_policy_has_limits_in_their_order_a_unit_and_a_source():
    assert len(policy()) > 30
    for figure, rows in policy().items():
        assert len({one.source for one in rows}) == len(rows), figure
        for one in rows:
            assert one.source, figure
            assert one.unit or figure, figure
            limits = [limit for limit in (one.warning, one.critical) if limit is not None]
            assert limits, figure
            assert all(map(math.isfinite, limits)), figure
            assert limits == sorted(limits, reverse=not one.above), figure


def test_the_columns_are_as_the_table_names_them():
    from importlib.resources import files

    head = files("opslib.guide").joinpath("policy.tsv").read_text().splitlines()[0]
    assert tuple(head.split("\t")) == COLUMNS


def test_the_guides_value_counts_and_what_others_say_is_shown():
    assert (threshold("error-rate").warning, threshold("error-rate").critical) == (0.1, 1)
    assert threshold("error-rate").judge(2) is Verdict.CRITICAL
    (row,) = [row for row in contradictions() if row["figure"] == "error-rate"]
    assert "5 %" in row["others_say"]
    assert "alert rules" in row["others_say"]


def test_each_guide_item_that_a_source_names_exists():
    words = [w.strip(",;:()") for rows in policy().values() for one in rows for w in one.source.split()]
    named = {word for word in words if word[:1].isupper() and word.count("-") >= 2}
    assert named
    assert [word for word in named if not any(item.startswith(word) for item in catalogue.items())] == []


def test_a_runs_own_limit_is_said_to_be_one_and_the_same_value_is_not():
    known = threshold("session-waits")
    assert threshold("session-waits", warning=known.warning, critical=known.critical) == known
    own = threshold("session-waits", warning=7)
    assert (own.warning, own.critical) == (7, known.critical)
    assert own.source == f"this run's own limit; else {known.source}"


def test_no_check_and_no_action_has_a_limit_that_the_policy_does_not_know():
    package = Path(opslib.__file__).parent
    places = [path for name in ("checks", "actions", "probes", "pictures") for path in (package / name).glob("*.py")]
    assert len(places) > 50
    assert [path.name for path in places if re.search(r"\bThreshold\(", path.read_text())] == []
