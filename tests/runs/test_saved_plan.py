import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from opslib.canonical import canonical
from opslib.errors import UsageError
from opslib.model import UNKNOWN_UNTIL, Effect, Repeat
from opslib.runs.saved_plan import LARGEST, moved, parse, sha256, unknown
from tests.signing import plan, step

FOUND = step(
    parameters={"database": "valuecanvas", "deep": {"a": [1, 2, {"b": "c"}]}, "share": 0.5},
    before={"live": "valuecanvas", "oids": [16384, 16385], "free": 24},
    after={"live": "valuecanvas_a1b2c3", "kept": None},
    fingerprint={"oid": 16384, "etag": "abc", "goes": [["a.dump", "v1"], ["b.dump", "v2"]]},
).plan

DRIFT = {
    "another action": {"action": "drop-databases"},
    "another effect": {"effect": Effect.CHANGE},
    "another way to repeat it": {"repeat": Repeat.REPEATABLE},
    "more touched": {"touches": 2},
    "less touched": {"touches": 0},
    "how much is touched is not known any more": {"touches": None},
    "a parameter's value": {"parameters": {**FOUND.parameters, "database": "other"}},
    "a parameter's value deep down": {"parameters": {**FOUND.parameters, "deep": {"a": [1, 2, {"b": "d"}]}}},
    "a parameter is new": {"parameters": {**FOUND.parameters, "force": True}},
    "a parameter is gone": {"parameters": {"database": "valuecanvas"}},
    "a number became a truth": {"parameters": {**FOUND.parameters, "deep": {"a": [True, 2, {"b": "c"}]}}},
    "a fraction": {"parameters": {**FOUND.parameters, "share": 0.50001}},
    "what there was": {"before": {**FOUND.before, "live": "another"}},
    "what there was grew": {"before": {**FOUND.before, "oids": [16384, 16385, 16386]}},
    "what there was shrank": {"before": {**FOUND.before, "oids": [16384]}},
    "what there was changed places": {"before": {**FOUND.before, "oids": [16385, 16384]}},
    "what there was is nothing": {"before": {}},
    "what there was is a text of it": {"before": {**FOUND.before, "free": "24"}},
    "what will be": {"after": {**FOUND.after, "live": "valuecanvas_ffffff"}},
    "what will be is something where nothing was": {"after": {**FOUND.after, "kept": "old"}},
    "the identity": {"fingerprint": {**FOUND.fingerprint, "oid": 99999}},
    "the version": {"fingerprint": {**FOUND.fingerprint, "etag": "abd"}},
    "one of several objects": {"fingerprint": {**FOUND.fingerprint, "goes": [["a.dump", "v1"], ["b.dump", "v3"]]}},
    "one object more": {
        "fingerprint": {**FOUND.fingerprint, "goes": [["a.dump", "v1"], ["b.dump", "v2"], ["c.dump", "v3"]]}
    },
    "the identity is not known any more": {"fingerprint": {**FOUND.fingerprint, "oid": f"{UNKNOWN_UNTIL}restore"}},
    "an object became a list": {"parameters": {**FOUND.parameters, "deep": ["a"]}},
    "a list became an object": {"fingerprint": {**FOUND.fingerprint, "goes": {}}},
}


@pytest.mark.parametrize("name", DRIFT)
def test_whatever_drifts_from_what_was_approved_is_named(name):
    (path,) = DRIFT[name]
    differences = moved(FOUND, replace(FOUND, **DRIFT[name]))
    assert differences
    assert all(text.startswith(path) for text in differences)


def test_there_are_at_least_twenty_kinds_of_drift():
    assert len(DRIFT) >= 20


def test_what_is_the_same_has_not_moved_also_when_it_was_read_back_from_its_file():
    saved = plan(steps=(replace(step(), plan=FOUND),))
    assert moved(FOUND, FOUND) == []
    assert moved(parse(saved.encode()).steps[0].plan, FOUND) == []
    assert moved(FOUND, replace(FOUND, before={**FOUND.before, "free": 24.0})) == []


def test_texts_that_follow_from_the_code_and_what_was_only_observed_may_differ():
    assert moved(FOUND, replace(FOUND, title="Another", observed={"sessions": 7}, undo="Otherwise.", reason="x")) == []


def test_what_an_earlier_step_only_would_know_may_be_anything_then():
    marker = f"{UNKNOWN_UNTIL}restore-into-new-database"
    before = replace(FOUND, parameters={**FOUND.parameters, "database": marker}, touches=None)
    assert unknown(marker)
    assert not unknown("valuecanvas")
    assert not unknown(7)
    assert moved(before, FOUND) == []
    assert moved(before, replace(FOUND, touches=5)) == []
    assert moved(replace(before, touches=1), replace(FOUND, touches=None)) == ["touches was 1 and is null"]


def test_differences_are_told_with_their_place_and_both_values():
    changed = replace(FOUND, before={"live": "x" * 200, "oids": [16384, 7], "new": 1})
    assert moved(FOUND, changed) == [
        "before.free is gone",
        f'before.live was "valuecanvas" and is "{"x" * 76}…',
        "before.new is new",
        "before.oids[1] was 16385 and is 7",
    ]
    assert moved(FOUND, replace(FOUND, before={**FOUND.before, "live": "y" * 78})) == [
        f'before.live was "valuecanvas" and is "{"y" * 78}"'
    ]
    assert moved(FOUND, replace(FOUND, before={**FOUND.before, "live": "ä" * 79})) == [
        f'before.live was "valuecanvas" and is "{"ä" * 76}…'
    ]


def test_a_saved_plan_is_read_back_as_it_was_written():
    saved = plan()
    data = saved.encode()
    assert parse(data).encode() == data
    assert parse(data).created_at == saved.created_at
    assert sha256(data) == sha256(parse(data).encode())
    assert data.endswith(b"}\n")
    assert saved.step("swap-databases") is saved.steps[1].plan
    assert saved.step("other") is None


def edited(**more):
    return canonical({**json.loads(plan().encode()), **more}) + b"\n"


def without(name):
    said = json.loads(plan().encode())
    del said[name]
    return canonical(said) + b"\n"


def with_step(**more):
    said = json.loads(plan().encode())
    said["steps"][0] |= more
    return canonical(said) + b"\n"


DAMAGE = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]\n",
    "a number": b"7\n",
    "not canonical": json.dumps(json.loads(plan().encode()), indent=1).encode() + b"\n",
    "without its last line's end": plan().encode()[:-1],
    "something behind it": plan().encode() + b"\n",
    "another form": edited(form="opslib plan 2"),
    "another environment": edited(environment="moon"),
    "a field more": edited(force=True),
    "a field less": without("target"),
    "no steps": without("steps"),
    "steps of no kind": edited(steps=[7]),
    "a time of no kind": edited(created_at="soon"),
    "a time of another form": edited(created_at="2026-11-23T14:06:14.123456+01:00"),
    "a digest of another plan": with_step(digest="0" * 64),
    "a step with another plan": with_step(plan={}),
    "deep": b"[" * 100_000,
    "no text": b"\xff\xfe\n",
    "missing of no kind": edited(missing=None),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_whatever_is_not_the_exact_form_is_no_plan(name):
    with pytest.raises(UsageError, match="no saved plan"):
        parse(DAMAGE[name])


def test_another_form_and_a_place_of_no_name_are_told():
    with pytest.raises(UsageError, match="its form is 'opslib plan 2'"):
        parse(DAMAGE["another form"])
    for more in ({"target": 7}, {"notebook": None}, {"parameters": [["backup", "newest"]]}):
        with pytest.raises(UsageError, match="of another type"):
            parse(edited(**more))
    with pytest.raises(UsageError, match="names no planning run"):
        parse(edited(run="newest"))
    assert LARGEST == 16 * 2**20
    with pytest.raises(UsageError, match="names no environment"):
        parse(DAMAGE["another environment"])
    with pytest.raises(UsageError, match="canonical form, or a step's digest"):
        parse(DAMAGE["a digest of another plan"])


@pytest.mark.parametrize(
    "change",
    [
        {"run": "20261123T130614Z-runbooks-restore-database-ffffff"},
        {"notebook": "runbooks/other"},
        {"notebook_sha256": "f" * 64},
        {"code_sha256": "f" * 64},
        {"environment": "staging"},
        {"target": "f" * 64},
        {"parameters": {"backup": "other"}},
        {"requested_by": "eve@bastion"},
        {"requester": "eve@valuecanvas"},
        {"created_at": datetime(2026, 11, 23, 13, 7, tzinfo=UTC)},
        {"expires_at": datetime(2026, 11, 24, 13, 7, tzinfo=UTC)},
        {"steps": (step(),)},
        {"missing": ("something",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_in_a_plan_counts_for_its_digest(change):
    assert sha256(replace(plan(), **change).encode()) != sha256(plan().encode())
