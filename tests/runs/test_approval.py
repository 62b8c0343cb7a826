from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.errors import Refused
from opslib.model import Effect, Repeat
from opslib.runs import approval
from opslib.runs.approval import Approval, decide, missing, needed, parse, require
from opslib.runs.saved_plan import sha256
from tests.scale import count
from tests.signing import CREATED, MOMENT, WORK, plan, step, verified

SOON = timedelta(minutes=1)
TIMES = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))
REASONS = st.from_regex(approval.REASON, fullmatch=True)
APPROVALS = st.builds(
    Approval,
    kind=st.sampled_from(["approve", "break-glass"]),
    work=st.from_regex(r"[0-9]{8}T[0-9]{6}Z(-[a-z0-9]{1,9}){1,4}", fullmatch=True),
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    principal=st.from_regex(approval.PRINCIPAL, fullmatch=True),
    signed_at=TIMES,
    expires_at=TIMES,
    reason=REASONS,
).flatmap(lambda one: st.sampled_from([one, one if one.kind == "break-glass" else replace(one, reason="")]))


def judge(*approvals, of=None, environment="production", requesters=(), unattended=(), moment=MOMENT, **more):
    of = of or plan()
    return decide(
        of,
        more.get("sha", sha256(of.encode())),
        approvals,
        environment=environment,
        requesters=frozenset(requesters),
        unattended=unattended,
        moment=moment,
        refusals=more.get("refusals", ()),
    )


# The statement


@settings(max_examples=count(50, 5000), deadline=None)
@given(APPROVALS)
def test_a_statement_is_read_back_as_it_was_written(one):
    assert parse(one.encode()) == one


@settings(max_examples=count(80, 20000), deadline=None)
@given(APPROVALS, st.data())
def test_a_statement_with_one_byte_changed_is_another_one_or_none(one, data):
    statement = bytearray(one.encode())
    at = data.draw(st.integers(0, len(statement) - 1))
    statement[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != statement[at]))
    try:
        other = parse(bytes(statement))
    except ValueError:
        return
    assert other != one
    assert other.encode() == bytes(statement)


@settings(max_examples=count(80, 20000), deadline=None)
@given(st.binary(max_size=600))
def test_other_bytes_end_in_a_value_error_and_in_nothing_else(data):
    with pytest.raises(ValueError):
        parse(data)


SAID = verified("ben", reason="as agreed", fingerprint="").encode()


@pytest.mark.parametrize(
    ("edited", "why"),
    [
        (SAID + b"\n", "exact form"),
        (SAID[:-1], "exact form"),
        (SAID.replace(b"\n", b"\r\n"), "exact form"),
        (b"\xef\xbb\xbf" + SAID, "not ASCII"),
        (SAID.replace(b"as agreed", "für später".encode()), "not ASCII"),
        (SAID.replace(b"approval 1", b"approval 2"), "exact form"),
        (SAID.replace(b"kind approve", b"kind blanket"), "exact form"),
        (SAID.replace(b"# reason as agreed\n", b"# reason as agreed\n# reason as agreed\n"), "exact form"),
        (SAID.replace(b"# reason as agreed", b"# reason as agreed "), "exact form"),
        (SAID.replace(b"# reason as agreed\n", b"").replace(b"approve\n", b"break-glass\n", 1), "without a reason"),
        (SAID.replace(b"11-23T13:07", b"13-23T13:07"), "month"),
        (SAID.replace(b"T13:07:14", b"T13:60:14"), "minute"),
        (SAID.replace(b"T13:07:14", b"T24:00:00"), "exact form"),
        (SAID.replace(b"2026-11-23T13:07", b"0000-11-23T13:07"), "year"),
        (SAID.replace(b".123456Z", b".123456+00:00"), "exact form"),
        (SAID.replace(b"ben@", b"../ben@"), "exact form"),
        (SAID.replace(b"ben@", b"-ben@"), "exact form"),
        (SAID.replace(b"ben@valuecanvas", b"*@valuecanvas"), "exact form"),
        (SAID.replace(b"  plan.json", b" *plan.json"), "exact form"),
        (SAID.ljust(4096, b"#"), "exact form"),
        (SAID.ljust(4097, b"#"), "more than 4096 bytes"),
    ],
)
def test_a_statement_in_any_other_form_is_refused_with_the_reason(edited, why):
    assert parse(SAID)
    with pytest.raises(ValueError, match=why):
        parse(edited)


@pytest.mark.parametrize(
    "changes",
    [
        {"signed_at": CREATED.replace(tzinfo=None)},
        {"reason": "two\nlines"},
        {"reason": "x" * 501},
        {"reason": " "},
        {"principal": "ben valuecanvas"},
        {"work": "latest"},
        {"kind": "break-glass", "reason": ""},
    ],
)
def test_what_has_no_form_in_a_statement_is_not_written(changes):
    with pytest.raises(ValueError):
        replace(parse(SAID), **changes).encode()


def test_a_statement_is_what_sha256sum_reads():
    *comments, last = SAID.decode().splitlines()
    assert all(line.startswith("# ") for line in comments)
    assert last == f"{sha256(plan().encode())}  plan.json"


# How many must have agreed


@pytest.mark.parametrize(
    ("environment", "effect", "repeat", "people"),
    [
        *[("lab", effect, repeat, 0) for effect in Effect for repeat in Repeat],
        *[(where, Effect.READ, repeat, 0) for where in ("staging", "production") for repeat in Repeat],
        *[(where, Effect.LOCAL, repeat, 0) for where in ("staging", "production") for repeat in Repeat],
        *[("staging", Effect.CHANGE, repeat, 0) for repeat in Repeat],
        *[("staging", Effect.DESTRUCTIVE, repeat, 1) for repeat in Repeat],
        ("production", Effect.CHANGE, Repeat.REPEATABLE, 1),
        ("production", Effect.CHANGE, Repeat.ONCE, 1),
        ("production", Effect.CHANGE, Repeat.IRREVERSIBLE, 2),
        *[("production", Effect.DESTRUCTIVE, repeat, 2) for repeat in Repeat],
        ("staging", "undetermined", Repeat.ONCE, 1),
        ("production", "undetermined", Repeat.ONCE, 2),
        ("production", Effect.CHANGE, "undetermined", 2),
        ("elsewhere", Effect.CHANGE, Repeat.ONCE, 1),
        ("elsewhere", Effect.DESTRUCTIVE, Repeat.ONCE, 2),
    ],
)
def test_how_many_others_must_approve_follows_from_effect_repeat_and_environment(environment, effect, repeat, people):
    assert needed(step(effect=effect, repeat=repeat).plan, environment) == people


def test_a_plan_says_in_words_what_it_still_needs():
    (said,) = missing(plan().steps, "production", ())
    assert said == (
        "Approvals by 2 other people for production: stage-restore is change, swap-databases is destructive."
    )
    assert missing(plan().steps, "staging", ()) == (
        "An approval by another person for staging: swap-databases is destructive.",
    )
    assert missing(plan().steps, "production", ("stage-restore", "swap-databases")) == ()
    assert missing(plan().steps, "lab", ()) == ()
    assert missing((), "production", ()) == ()
    (said,) = missing((step("drop-key", Effect.CHANGE, Repeat.IRREVERSIBLE),), "production", ())
    assert said.endswith("drop-key is change and irreversible.")
    (said,) = missing((step("drop-key", "undetermined", Repeat.IRREVERSIBLE),), "production", ())
    assert said.endswith("drop-key is undetermined.")


def test_a_direct_run_is_refused_unless_nothing_is_needed_or_the_owner_lets_it():
    one = step().plan
    require(one, "lab", ())
    require(one, "production", ("swap-databases",))
    with pytest.raises(Refused, match="destructive step on production and has no approval") as refused:
        require(one, "production", ("stage-restore",))
    for command in ("--plan", "ops approve", "--apply"):
        assert command in refused.value.next_step


# The decision


def test_two_others_let_a_destructive_plan_be_applied():
    decision = judge(verified("cat"), verified("ben"))
    assert [one.principal for one in decision.counted] == ["ben@valuecanvas", "cat@valuecanvas"]
    assert not decision.break_glass


def test_what_needs_nothing_is_applied_without_anybody():
    assert judge(of=plan(environment="lab"), environment="lab") == approval.Decision(False, (), plan().expires_at)
    assert judge(unattended=("stage-restore", "swap-databases")) == approval.Decision(False, (), plan().expires_at)


def test_one_person_can_break_the_glass_and_may_be_who_asked():
    glass = verified("ann", kind="break-glass", reason="the database is gone")
    assert judge(glass) == approval.Decision(True, (glass,), plan().expires_at)
    assert judge(glass, verified("ben")).counted == (verified("ben"), glass)


def test_glass_is_not_broken_where_enough_have_agreed():
    glass = verified("ann", kind="break-glass", reason="the database is gone")
    assert not judge(glass, verified("ben"), verified("cat")).break_glass


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (verified("ann"), "ann@valuecanvas: is by who asked"),
        (verified("ann", principal="ANN@ValueCanvas"), "is by who asked"),
        (verified("ben"), "is the same person as ben"),
        (verified("ben", fingerprint="SHA256:other"), "is the same person as ben"),
        (verified("cat", fingerprint="SHA256:ben"), "cat@valuecanvas: is the same person as ben"),
        (verified("cat", fingerprint="SHA256:ANN"), "is by a key of who asked"),
        (verified("cat", fingerprint=""), "was not verified"),
        (verified("cat", work=WORK + "-apply"), "is for the plan"),
        (verified("cat", sha256="0" * 64), "with another content"),
        (verified("cat", signed_at=CREATED - timedelta(microseconds=1)), "before the plan"),
        (verified("cat", signed_at=MOMENT + timedelta(minutes=2, microseconds=1)), "in the future"),
        (verified("cat", expires_at=MOMENT), "has expired"),
        (verified("cat", expires_at=CREATED), "has expired"),
        (verified("cat", signed_at=MOMENT + SOON, expires_at=MOMENT + SOON), "has expired"),
        (verified("cat", kind="blanket"), "unknown kind"),
        (verified("cat", kind="break-glass"), "without a reason"),
    ],
)
def test_an_approval_that_does_not_count_is_named_with_the_reason(second, why):
    assert judge(verified("ben"), verified("dan"))
    with pytest.raises(Refused, match=why) as refused:
        judge(verified("ben"), second, requesters=("ann@valuecanvas", "SHA256:ann"))
    assert "1 count (ben@valuecanvas)" in refused.value.message
    assert WORK in refused.value.next_step


def test_names_and_keys_that_overlap_in_turn_are_one_person():
    chain = [
        verified("ben", fingerprint="SHA256:1"),
        verified("dan", fingerprint="SHA256:2"),
        verified("cat", fingerprint="SHA256:1"),
        verified("cat", fingerprint="SHA256:2"),
    ]
    with pytest.raises(Refused, match="1 count"):
        judge(*chain)


def test_the_clock_of_an_approver_may_be_two_minutes_ahead():
    assert judge(verified("ben", signed_at=MOMENT + timedelta(minutes=2)), verified("cat"))


def test_a_plan_may_be_approved_and_applied_from_the_moment_that_it_was_made():
    assert judge(verified("ben", signed_at=CREATED), verified("cat", signed_at=CREATED), moment=CREATED)


def test_a_requester_without_a_mapping_is_known_by_the_operating_systems_name():
    for own in ({"requester": "ann"}, {"requester": ""}, {"requester": "", "requested_by": "ann"}):
        of = plan(**own)
        with pytest.raises(Refused, match="ann@elsewhere: is by who asked"):
            judge(verified("ann", of, principal="ann@elsewhere"), verified("ben", of), of=of)


def test_a_requester_who_asked_as_another_user_of_the_machine_is_known_by_the_own_name():
    of = plan(requester="ann", requested_by="root@bastion")
    with pytest.raises(Refused, match="ann@elsewhere: is by who asked"):
        judge(verified("ann", of, principal="ann@elsewhere"), verified("ben", of), of=of)


def test_who_applies_does_not_count_either():
    with pytest.raises(Refused, match="ben@valuecanvas: is by who asked"):
        judge(verified("ben"), verified("cat"), requesters=("ben@valuecanvas",))


def test_a_plan_is_not_applied_before_it_was_made_nor_after_its_end():
    both = verified("ben"), verified("cat")
    assert judge(*both, moment=CREATED + timedelta(minutes=1))
    assert judge(*both, moment=plan().expires_at - timedelta(microseconds=1))
    with pytest.raises(Refused, match="before the plan was made"):
        judge(*both, moment=CREATED - timedelta(microseconds=1))
    with pytest.raises(Refused, match="expired at"):
        judge(*both, moment=plan().expires_at)


def test_a_plan_that_says_it_lives_for_years_is_applied_for_a_day_at_most():
    of = plan(expires_at=CREATED + timedelta(days=3650))
    both = verified("ben", of), verified("cat", of)
    assert judge(*both, of=of, moment=CREATED + timedelta(hours=23))
    with pytest.raises(Refused, match="expired at 2026-11-24"):
        judge(*both, of=of, moment=CREATED + timedelta(hours=24))


def test_a_decision_holds_until_the_plan_ends_or_too_few_approvals_are_left():
    early, late, longest = (MOMENT + timedelta(minutes=minutes) for minutes in (5, 9, 600))
    ben, cat, dan = (verified(who, expires_at=at) for who, at in (("ben", early), ("cat", late), ("dan", longest)))
    assert judge(cat, dan).until == late
    assert judge(ben, cat, dan).until == late
    assert judge(ben, cat).until == early
    assert judge(dan, verified("eve", expires_at=longest)).until == plan().expires_at
    assert judge(verified("ann", kind="break-glass", reason="gone", expires_at=early), cat).until == early
    of = plan(expires_at=CREATED + timedelta(days=3650))
    assert judge(verified("ben", of), verified("cat", of), of=of).until == CREATED + timedelta(hours=24)


def test_a_plan_that_is_not_the_file_with_that_sum_is_refused():
    other = plan(parameters={"backup": "oldest"})
    with pytest.raises(Refused) as refused:
        judge(verified("ben"), verified("cat"), of=other, sha=sha256(plan().encode()))
    assert refused.value.message.endswith(f" is not the file with the SHA-256 {sha256(plan().encode())[:12]}…")


def test_a_plan_for_another_environment_is_refused():
    with pytest.raises(Refused, match="is for production, not for staging"):
        judge(verified("ben"), verified("cat"), environment="staging")


def test_a_refusal_says_what_is_needed_and_who_could_give_it():
    needs = f"{WORK} needs approvals by 2 other people for production"
    steps = "stage-restore is change, swap-databases is destructive"
    with pytest.raises(Refused) as refused:
        judge()
    assert refused.value.message == f"{needs} ({steps}); 0 count."
    assert refused.value.next_step == f"ops approve {WORK} (by somebody else than ann@valuecanvas)"
    of = plan(requester="")
    with pytest.raises(Refused) as refused:
        judge(verified("ben", of), verified("cat", of, sha256="a" * 64), of=of)
    other = f"is for a plan.json with another content ({'a' * 12}, this one is {sha256(of.encode())[:12]})"
    assert refused.value.message == (
        f"{needs} ({steps}); 1 count (ben@valuecanvas). Not counted: cat@valuecanvas: {other}."
    )
    assert refused.value.next_step == f"ops approve {WORK} (by somebody else than ann@bastion)"


def test_what_could_not_be_verified_is_named_in_the_refusal():
    with pytest.raises(Refused, match=r"eve\.approval: unknown key; "):
        judge(refusals=("eve.approval: unknown key.", "x: y."))
