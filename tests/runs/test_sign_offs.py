"""Sign-offs: their one form, whose they are, and what lies there that is none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from opslib.errors import Refused, UsageError
from opslib.runs import sign_offs, witness
from opslib.runs.sign_offs import SignOff
from opslib.runs.signed import trusted
from tests.game_days import BEGAN, DAY, word
from tests.signing import APPROVER, Keys

WITNESS = 'namespaces="opslib-witness"'
SIGNED = datetime(2026, 11, 29, 11, 0, tzinfo=UTC)
COMMIT = "5f0d0f6a7b1c4e3d9a8b7c6d5e4f3a2b1c0d9e8f"
SAID = SignOff("lab", "CHK-PRE-03", "ben@valuecanvas", SIGNED, "README and runbook are of this commit", COMMIT)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def place(keys, tmp_path):
    listed = tmp_path / "allowed_signers"
    listed.write_text(keys.line("ben", WITNESS) + keys.line("cat", APPROVER))
    settings = SimpleNamespace(environment="lab", allowed_signers=listed, revoked_keys=None)
    return SimpleNamespace(folder=tmp_path / "sign-offs" / "CHK-PRE-03", settings=settings, trust=trusted(listed, None))


def test_what_is_said_reads_back_and_a_byte_more_or_another_one_is_another_or_none():
    data = SAID.encode()
    assert sign_offs.parse(data) == SAID
    assert all(
        read(other) != SAID
        for at in range(len(data))
        for other in (data[:at] + b"~" + data[at + 1 :], data[:at] + data[at + 1 :])
    )


def read(data):
    """Return what a statement says, or that it is none."""
    try:
        return sign_offs.parse(data)
    except ValueError:
        return None


@pytest.mark.parametrize(
    "said",
    [{"item": "chk-pre-03"}, {"says": ""}, {"says": "two\nlines"}, {"of": COMMIT[:12]}, {"by": "../ben"}],
)
def test_what_has_no_form_is_not_written(said):
    with pytest.raises(ValueError):
        replace(SAID, **said).encode()


def give(place, keys, who="ben", trust=None, **said):
    word = replace(SAID, **said)
    return witness.give(word, place.folder, key=keys[who], trust=trust, form=sign_offs.FORM)


def heard(place):
    return witness.collected(place.folder, place.settings, SIGNED + timedelta(hours=1), sign_offs.FORM, lambda word: "")


def test_what_its_own_person_signed_is_heard(place, keys):
    give(place, keys, trust=place.trust)
    assert ([one.word for one in heard(place).heard], heard(place).refusals) == ([SAID], ())


def test_nobody_signs_off_for_somebody_else_and_an_approver_is_no_witness(place, keys):
    give(place, keys, "ann")
    give(place, keys, "cat", by="cat@valuecanvas")
    assert heard(place).heard == ()
    said = " ".join(heard(place).refusals)
    assert ("is unknown" in said, "is listed only for opslib-approve" in said) == (True, True)
    with pytest.raises(Refused, match="Not signed by a witness"):
        give(place, keys, "cat", by="cat@valuecanvas", trust=place.trust)


def test_a_word_of_a_game_day_is_no_sign_off_though_the_key_is_right(place, keys):
    witness.give(word("alerted"), place.folder, key=keys["ben"], trust=None, form=witness.DAYS)
    assert heard(place).heard == ()
    assert "is not in the form of a sign-off" in heard(place).refusals[0]
    give(place, keys)
    told = witness.collect(place.folder, DAY, place.settings, BEGAN + timedelta(hours=1))
    assert any("is not in the form of a word" in one for one in told.refusals)


def test_one_of_another_target_is_none_of_this_one(place, keys):
    give(place, keys, environment="production")
    assert (heard(place).heard, heard(place).refusals) == ((), ())


def test_without_a_form_nothing_is_signed(place, keys):
    with pytest.raises(UsageError, match="cannot be written"):
        give(place, keys, says="schön")
    assert not place.folder.exists()
