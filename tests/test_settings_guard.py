from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from opslib.settings_guard import Folder, Guard, shown, split

DAY = "2026-12-24T00:00Z/2026-12-27T00:00Z"


def guard(**said):
    return Guard.model_validate({f"OPS_{name.upper()}": word for name, word in said.items()})


def test_a_guard_that_says_nothing_lets_nobody_approve_and_nothing_run_unattended():
    plain = Guard()
    assert (plain.unattended_actions, plain.freeze, plain.operators, plain.most) == ((), (), {}, {})
    assert (plain.allowed_signers, plain.revoked_keys, plain.lease_bucket, plain.anchor_bucket) == (None,) * 4
    assert (plain.anchor_aws_access_key_id, plain.anchor_aws_secret_access_key, plain.kernel_user) == (None,) * 3
    assert (plain.timestamp_url, plain.timestamp_ca) == (None, None)
    assert (plain.plan_life, plain.run_minutes, plain.anchor_days) == (timedelta(hours=1), 1440, 400)


def test_names_and_pairs_are_parted_by_commas_and_blanks_round_them_do_not_count():
    said = guard(
        unattended_actions=" take-backup,, warm-cache ", operators="ann = ann@x , bob=b=c,", most="apply-retention= 40"
    )
    assert said.unattended_actions == ("take-backup", "warm-cache")
    assert said.operators == {"ann": "ann@x", "bob": "b=c"}
    assert said.most == {"apply-retention": 40}
    assert split(("as", "is")) == ("as", "is")
    assert guard(operators={"ann": "a"}, freeze=()).operators == {"ann": "a"}


@pytest.mark.parametrize(("text", "whole"), [("/srv/a", True), ("srv/a", False), ("/srv/../a", False), ("", False)])
def test_a_folder_is_said_whole_or_refused(text, whole):
    folder = TypeAdapter(Folder)
    if whole:
        assert folder.validate_python(text) == Path(text)
        return
    with pytest.raises(ValidationError, match="is no whole path"):
        folder.validate_python(text)


@pytest.mark.parametrize("text", ["ann", "=ann", "ann=", "ann=a,bob"])
def test_a_pair_without_name_or_word_is_refused(text):
    with pytest.raises(ValidationError, match="is not of the form name=value"):
        guard(operators=text)


def test_a_freeze_is_from_its_beginning_to_just_before_its_end_whatever_zone_it_is_written_in():
    said = guard(freeze=f"{DAY}, 2026-12-31T20:00+02:00/2027-01-01T02:00+02:00 ,")
    begin, end = datetime(2026, 12, 24, tzinfo=UTC), datetime(2026, 12, 27, tzinfo=UTC)
    assert said.frozen_until(begin) == end
    assert said.frozen_until(end - timedelta(seconds=1)) == end
    assert said.frozen_until(end) is said.frozen_until(begin - timedelta(seconds=1)) is None
    night = datetime(2027, 1, 1, tzinfo=UTC)
    assert said.frozen_until(night - timedelta(hours=1)) == night
    assert said.freeze[1] == (night - timedelta(hours=6), night)
    assert said.freeze[1][1].tzinfo is UTC
    assert guard(freeze=said.freeze).freeze == said.freeze


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tomorrow", "is not of the form"),
        ("2026-12-24T00:00Z/later", "is not of the form"),
        ("2026-12-24T00:00/2026-12-27T00:00Z", "two times with a zone"),
        ("2026-12-24T00:00Z/2026-12-27T00:00", "two times with a zone"),
        ("2026-12-27T00:00Z/2026-12-24T00:00Z", "the earlier first"),
        ("2026-12-24T00:00Z/2026-12-24T00:00Z", "the earlier first"),
    ],
)
def test_a_freeze_that_is_no_time_with_a_zone_is_refused_and_named(text, why):
    with pytest.raises(ValidationError, match=why) as refused:
        guard(freeze=f"{DAY},{text}")
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("plan_minutes", [0.5, 1440], [0, 1440.5]),
        ("run_minutes", [0.5, 10**6], [0]),
        ("anchor_days", [1], [0]),
        ("most", ["a=0"], ["a=many"]),
        ("lease_bucket", ["abc", "ops-1.leases", "a" * 63], ["ab", "Ops", "ops_", "-ops", "ops-", "a" * 64]),
        ("kernel_user", ["notebooks", "_n-1", "n" * 32], ["1n", "N", "n n", "", "n" * 33]),
        (
            "timestamp_url",
            ["https://t.example", "http://[::1]:318/tsa/", "https://t.example/" + "a" * 482],
            [
                "ftp://t.example",
                "https://u:p@t.example",
                "https://t.example/?q",
                "https://t/../",
                "https://t/" + "a" * 491,
            ],
        ),
    ],
)
def test_what_is_out_of_bounds_is_refused(name, good, bad):
    for value in good:
        guard(**{name: value})
    for value in bad:
        with pytest.raises(ValidationError):
            guard(**{name: value})


def test_reports_show_pairs_and_freezes_as_they_are_written_in_the_description():
    said = guard(freeze=f"{DAY},2026-12-31T20:00+02:00/2027-01-01T02:00+02:00", operators="bob=b,ann=a")
    assert shown(said.operators) == "ann=a, bob=b"
    assert shown(said.freeze) == f"{DAY}, 2026-12-31T18:00Z/2027-01-01T00:00Z"
    assert shown(said.freeze[:1]) == DAY
    assert shown(("b", "a")) == "b, a"
    assert shown(()) == ""
    assert shown(60.0) == "60.0"


def test_a_freeze_lies_in_time_and_not_in_the_words_of_a_zone():
    moment = datetime(2026, 12, 24, 1, tzinfo=timezone(timedelta(hours=2)))
    assert guard(freeze=DAY).frozen_until(moment) is None
