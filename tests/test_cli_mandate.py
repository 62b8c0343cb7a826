"""``ops mandate`` as people use it: shown, signed, and taken back; what would not count is not signed."""

from datetime import timedelta

import pytest
from click.testing import CliRunner

from opslib.archive.log import Log
from opslib.archive.verify import verify
from opslib.cli_mandate import give_mandate
from opslib.model import Effect, Repeat, now
from opslib.runs import mandates
from tests.descriptions import description
from tests.signing import WORK, Keys, plan, step
from tests.test_cli_approve import Desk

ROLES = 'namespaces="opslib-mandate"'


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def desk(tmp_path, keys):
    desk = Desk(tmp_path, keys)
    desk.signers.write_text("".join([*(keys.line(who, ROLES) for who in ("ann", "ben")), keys.line("cat")]))
    moment = now() - timedelta(minutes=1)
    steps = (step("take-backup", Effect.CHANGE), step("apply-retention", repeat=Repeat.IRREVERSIBLE))
    desk.saved = plan(created_at=moment, expires_at=moment + timedelta(hours=1), steps=steps)
    desk.put()
    return desk


def ops(desk, *arguments, key="ben", typed=None):
    environment = {**desk.environment, "OPS_APPROVAL_KEY": str(desk.keys[key])}
    return CliRunner().invoke(give_mandate, [WORK, *map(str, arguments)], input=typed, env=environment)


def given(desk):
    settings = description("production", OPS_ALLOWED_SIGNERS=str(desk.signers))
    return mandates.collect(desk.archive / "mandates" / WORK, settings, now()).mandates


GOOD = ("--days", 30, "--uses", 31, "--step", "apply-retention=12")


def test_a_mandate_is_shown_and_signed_after_its_first_digits_were_typed_and_taken_back_at_once(desk):
    said = ops(desk, *GOOD, typed=f"{desk.sha[:6]}\n")
    assert said.exit_code == 0, said.output
    for part in ("runbooks/restore-database", "Mandate: 31 due times until", "apply-retention may touch 12 at most"):
        assert part in said.stderr
    (one,) = given(desk)
    assert (one.principal, one.uses, one.most) == ("ben@valuecanvas", 31, (("apply-retention", 12),))
    assert one.expires_at - one.signed_at == timedelta(days=30)
    said = ops(desk, "--revoke", "--reason", "the bucket moves", key="ann")
    assert said.exit_code == 0, said.output
    assert [one.kind for one in given(desk)] == ["revoke", "give"]
    (note,) = [entry.text for entry in Log(desk.archive).newest_first() if entry.event == "note"]
    assert note == f"mandate of {WORK} revoked by ann@valuecanvas"
    assert verify(desk.archive).ok


@pytest.mark.parametrize(
    ("arguments", "key", "code", "why"),
    [
        (GOOD, "ann", 4, "is by who asked for the plan"),
        (GOOD, "cat", 4, "This key cannot give mandates"),
        (GOOD, "eve", 4, "This key cannot give mandates"),
        (("--days", 30, "--uses", 31), "ben", 64, "apply-retention destroys something or cannot be undone"),
        (("--days", 30, "--uses", 31, "--step", "drop-all=1"), "ben", 64, "names no step of the plan"),
        (("--days", 30, "--uses", 31, "--step", "apply-retention=many"), "ben", 64, "or no number"),
        (("--step", "apply-retention=12"), "ben", 64, "Give --days and --uses"),
        (("--days", 91, "--uses", 31), "ben", 64, "91"),
        ((*GOOD, "--yes-digest", "000000"), "ben", 64, "not the first digits"),
    ],
)
def test_what_would_not_count_is_not_signed(desk, arguments, key, code, why):
    said = ops(desk, *arguments, key=key, typed=f"{desk.sha[:6]}\n")
    # click itself ends with 2 where it is called alone.
    assert (said.exit_code if said.exit_code != 2 else 64) == code, said.output
    assert why in said.output
    assert given(desk) == ()
