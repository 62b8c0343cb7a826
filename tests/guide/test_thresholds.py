import math

from opslib.guide import catalogue
from opslib.guide.thresholds import COLUMNS, contradictions, policy, threshold
from opslib.model import Verdict


def test_every_row_of_the_policy_has_limits_in_their_order_a_unit_and_a_source():
    assert len(policy()) >= 5
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
    words = [w.strip(",;()") for rows in policy().values() for one in rows for w in one.source.split()]
    named = {word for word in words if word[:1].isupper() and word.count("-") >= 2}
    assert named
    assert named - set(catalogue.items()) == set()
