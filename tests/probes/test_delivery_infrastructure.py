"""What a saved plan would do: rows and digests of documents as Terraform writes them, never a value."""

import copy
import json

import pytest

from opslib.probes.delivery_infrastructure import content, counts, drift, outputs, rows, whole


def change(address, *actions, before=None, after=None, **more):
    kind = address.partition(".")[0]
    said = {"actions": list(actions), "before": before, "after": after, "after_unknown": {}, **more}
    return {"address": address, "mode": "managed", "type": kind, "name": address.partition(".")[2], "change": said}


DOCUMENT = {
    "format_version": "1.2",
    "terraform_version": "1.15.5",
    "variables": {"password": {"value": "hunter2"}},
    "resource_changes": [
        change("aws_instance.web", "update", before={"type": "m5", "ami": "a"}, after={"type": "m6", "ami": "a"}),
        change(
            "aws_db_instance.main", "delete", "create", before={"password": "hunter2"}, after={"password": "hunter3"}
        ),
        change("aws_iam_role.same", "no-op", before={}, after={}),
        change("data.aws_ami.newest", "read"),
        change("aws_iam_role.new", "create", after={"name": "x"}),
        change("aws_iam_role.old", "delete", before={"name": "y"}),
    ],
    "resource_drift": [{"address": "aws_instance.web"}],
    "output_changes": {"url": {"actions": ["update"]}, "same": {"actions": ["no-op"]}},
    "applyable": True,
    "complete": True,
    "errored": False,
}


def test_rows_say_what_becomes_of_each_resource_those_that_are_destroyed_first_and_no_value():
    found = rows(DOCUMENT)
    assert [(row["address"], row["what"]) for row in found] == [
        ("aws_db_instance.main", "replace"),
        ("aws_iam_role.old", "destroy"),
        ("aws_iam_role.new", "create"),
        ("aws_instance.web", "update"),
    ]
    assert [row["stateful"] for row in found] == [True, False, False, False]
    assert (found[0]["differs"], found[3]["differs"]) == ("password", "type")
    assert "hunter" not in json.dumps(found)
    assert counts(found) == {"create": 1, "destroy": 1, "replace": 1, "update": 1}
    assert (drift(DOCUMENT), outputs(DOCUMENT)) == (["aws_instance.web"], ["url"])


def test_an_action_that_nobody_knows_counts_as_a_destruction():
    (row,) = rows({"resource_changes": [change("aws_instance.web", "invoke", "something")]})
    assert row["what"] == "undetermined"


def test_the_digest_is_that_of_what_was_decided_and_not_of_when_or_of_marked_secrets():
    first = content(DOCUMENT, serial=1)
    assert content({**DOCUMENT, "timestamp": "2026-11-28T00:00:00Z"}, serial=1) == first
    assert content(DOCUMENT, serial=2) != first
    moved = copy.deepcopy(DOCUMENT)
    moved["resource_changes"][0]["change"]["after"]["type"] = "m7"
    assert content(moved, serial=1) != first
    marked = [copy.deepcopy(DOCUMENT), copy.deepcopy(DOCUMENT)]
    for one, password in zip(marked, ("hunter2", "hunter4"), strict=True):
        said = one["resource_changes"][1]["change"]
        said |= {"before_sensitive": {"password": True}, "after_sensitive": {"password": True}}
        said["after"]["password"] = password
    assert content(marked[0]) == content(marked[1])


@pytest.mark.parametrize(
    ("said", "why"),
    [({"errored": True}, "error"), ({"complete": False}, "later plan"), ({"applyable": False}, "cannot be applied")],
)
def test_a_plan_that_is_not_whole_says_so(said, why):
    assert why in whole(DOCUMENT | said)
    assert whole(DOCUMENT) == ""
