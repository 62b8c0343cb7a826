"""Words as files: whose key counts, and what lies there that is none."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from opslib.errors import Refused, UsageError
from opslib.runs import witness
from opslib.runs.signed import trusted
from tests.game_days import BEGAN, DAY, word
from tests.signing import APPROVER, Keys

WITNESS = 'namespaces="opslib-witness"'
NOW = BEGAN + timedelta(hours=1)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def place(keys, tmp_path):
    """A folder for a day's words, and a target whose list lets Ann and Ben be witnesses, and Cat only approve."""
    listed = tmp_path / "allowed_signers"
    listed.write_text(keys.line("ann", WITNESS) + keys.line("ben", WITNESS) + keys.line("cat", APPROVER))
    settings = SimpleNamespace(environment="lab", allowed_signers=listed, revoked_keys=None)
    return SimpleNamespace(folder=tmp_path / "words" / DAY, settings=settings, trust=trusted(listed, None))


def give(place, keys, who="ben", by=None, trust=None, **said):
    said = word("alerted", by=by or f"{who}@valuecanvas", **said)
    return witness.give(said, place.folder, key=keys[who], trust=trust, form=witness.DAYS)


def heard(place):
    return witness.collect(place.folder, DAY, place.settings, NOW)


def test_a_word_that_its_own_person_signed_is_heard_in_the_order_of_what_it_tells(place, keys):
    give(place, keys, "ben", seconds=60, trust=place.trust)
    give(place, keys, "ann", seconds=30, trust=place.trust)
    found = heard(place)
    assert ([one.word.by for one in found.heard], found.refusals, found.unknown) == (
        ["ann@valuecanvas", "ben@valuecanvas"],
        (),
        "",
    )
    assert found.heard[0].statement == (place.folder / found.heard[0].name).read_bytes()


def test_nobody_speaks_for_somebody_else(place, keys):
    give(place, keys, "ann", by="ben@valuecanvas")
    assert heard(place).heard == ()
    assert "is ann@valuecanvas's, not ben@valuecanvas's" in heard(place).refusals[0]
    with pytest.raises(Refused, match="Not signed by a witness"):
        give(place, keys, "ann", by="ben@valuecanvas", seconds=1, trust=place.trust)


def test_who_may_approve_is_no_witness_and_a_strangers_key_is_nobodys(place, keys):
    give(place, keys, "cat")
    give(place, keys, "dan", seconds=1)
    assert heard(place).heard == ()
    assert [
        "is listed only for opslib-approve" in heard(place).refusals[0],
        "is unknown" in heard(place).refusals[1],
    ] == [True, True]


def test_a_word_that_was_changed_or_lies_on_another_day_does_not_count(place, keys):
    path = give(place, keys)
    path.write_bytes(path.read_bytes().replace(b"within 1 s", b"within 9 s"))
    give(place, keys, seconds=1, day="2026-q3")
    (place.folder / "notes.txt").write_text("what I remember")
    (place.folder / "lonely.word").write_bytes(word("alerted").encode())
    assert heard(place).heard == ()
    told = " ".join(heard(place).refusals)
    for why in (
        "does not belong to this text",
        "It is of another day: 2026-q3",
        "It is no word",
        "There is no signature",
    ):
        assert why in told, told


def test_a_revoked_key_counts_no_more_and_a_copied_word_counts_once(place, keys, tmp_path):
    path = give(place, keys)
    for suffix in ("", ".sig"):
        (path.parent / f"copy.word{suffix}").write_bytes((path.parent / f"{path.name}{suffix}").read_bytes())
    assert len(heard(place).heard) == 1
    place.settings.revoked_keys = tmp_path / "revoked"
    place.settings.revoked_keys.write_text(f"{keys.public('ben')}\n")
    assert heard(place).heard == ()
    assert "is revoked" in heard(place).refusals[0]


def test_a_word_of_another_targets_day_is_none_of_this_one_and_none_that_is_refused(place, keys):
    give(place, keys, environment="production")
    give(place, keys, "dan", environment="staging", seconds=1)
    assert (heard(place).heard, heard(place).refusals) == ((), ())
    place.settings.environment = "production"
    assert [one.word.environment for one in heard(place).heard] == ["production"]


def test_without_a_list_nobody_can_say_whose_a_word_is(place, keys):
    give(place, keys)
    place.settings.allowed_signers = None
    assert (heard(place).heard, heard(place).refusals) == ((), ())
    assert "OPS_ALLOWED_SIGNERS" in heard(place).unknown


def test_a_word_signed_in_the_future_is_none(place, keys):
    give(place, keys, seconds=2 * 3600)
    assert "signed in the future" in heard(place).refusals[0]


def test_the_name_is_the_keys_where_it_has_one_and_else_must_be_said(place, keys):
    assert witness.name_of(keys["ben"], None, place.trust) == "ben@valuecanvas"
    assert witness.name_of(keys["ben"], "ben", None) == "ben"
    with pytest.raises(UsageError, match="Who signs"):
        witness.name_of(keys["ben"], None, None)
    with pytest.raises(Refused, match="cannot be a witness's"):
        witness.name_of(keys["cat"], None, place.trust)


def test_a_word_without_a_form_is_not_signed(place, keys):
    with pytest.raises(UsageError, match="needs words"):
        witness.give(word("observed"), place.folder, key=keys["ben"], trust=None, form=witness.DAYS)
    assert not place.folder.exists()
