"""What the guide says of support, read from its own items."""

import re

import pytest

from opslib.guide.choices import PARTS, REPORT
from opslib.guide.support import channels, contacts, levels, points


def test_the_escalation_path_has_four_levels_without_a_gap():
    found = [(one.number, one.who, one.begins, one.ends) for one in levels()]
    assert found == [
        (1, "On-Call Engineer", 0, 15),
        (2, "Engineering Manager", 15, 30),
        (3, "CTO + Infrastructure Team", 30, 60),
        (4, "CEO + All Hands", 60, None),
    ]


def test_contacts_that_the_guide_leaves_open_are_told_from_those_that_it_has():
    assert {one.who for one in contacts() if one.missing} == {"Engineering manager", "CTO"}
    assert {one.who: one.reach for one in contacts()}["AWS Support"] == "1-866-947-7829"
    assert len(contacts()) == 6


def test_each_channel_has_its_promise_and_both_its_items():
    found = {word: (one.name, one.seconds, one.items) for word, one in channels().items()}
    assert found == {
        "slack": ("Slack #valuecanvas-support", 4 * 3600, ("SUP-CHN-01C", "SUP-CHN-01T")),
        "email": ("Email support@valuecanvas.app", 24 * 3600, ("SUP-CHN-02C", "SUP-CHN-02T")),
        "pagerduty": ("PagerDuty", 15 * 60, ("SUP-CHN-03C", "SUP-CHN-03T")),
        "github": ("GitHub Issues", 48 * 3600, ("SUP-CHN-04C", "SUP-CHN-04T")),
    }


def test_the_last_two_points_of_a_report_are_needed_only_where_they_apply():
    assert [(one.part, one.always) for one in points()] == [
        *((part, True) for part in PARTS[:3]),
        *((part, False) for part in PARTS[3:]),
    ]


@pytest.mark.parametrize("said", ["none", "stack:VC-7", "stack:VC-7,steps:issue-12,sentry:n-a"])
def test_a_report_is_parts_with_references(said):
    assert re.fullmatch(REPORT, said)


@pytest.mark.parametrize("said", ["", "stack", "stack:", "stack:-x", "stack:a b", "mail:x", "stack:x,", "stack:$(id)"])
def test_anything_else_is_no_report(said):
    assert not re.fullmatch(REPORT, said)
