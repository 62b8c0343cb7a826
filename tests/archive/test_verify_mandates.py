"""What let a run apply its plan with nobody there: the mandates kept with it, and how they do not count."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from opslib.archive import verify_mandates
from opslib.archive.log import Entry
from opslib.model import Effect, Repeat
from opslib.runs.approval import SKEW
from opslib.runs.mandate import Mandate
from opslib.runs.saved_plan import sha256
from opslib.runs.signers import MANDATOR
from opslib.systems import ssh_keygen
from tests.signing import CREATED, WORK, Keys, plan, step

BASE = plan(steps=(step("take-backup", Effect.CHANGE), step("apply-retention", repeat=Repeat.IRREVERSIBLE, touches=2)))
SHA = sha256(BASE.encode())
LATER = CREATED + timedelta(days=1)
NEW = replace(
    BASE,
    run="20261124T020000Z-runbooks-restore-database-d4e5f6",
    created_at=LATER,
    expires_at=LATER + timedelta(hours=1),
)
SECOND = timedelta(seconds=1)
BEGUN = LATER + timedelta(minutes=1)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


class Applied:
    """The folder of a run that applied a plan under the mandates of another, by ben and cat."""

    def __init__(self, archive: Path, keys: Keys) -> None:
        self.archive, self.keys, self.run = archive, keys, f"{NEW.run}-apply"
        self.folder = archive / "runs" / self.run
        self.kept = self.folder / "approvals"
        self.kept.mkdir(parents=True)
        (self.folder / "plan.json").write_bytes(NEW.encode())
        self.names(mandate=SHA)
        (self.kept / "mandate-plan.json").write_bytes(BASE.encode())
        lines = [keys.line(who, f'namespaces="{MANDATOR}"') for who in ("ben", "cat")]
        (self.kept / "allowed_signers").write_text("".join([*lines, keys.line("dan", 'namespaces="opslib-approve"')]))
        self.give("ben")
        self.give("cat")

    def names(self, **said: str) -> None:
        (self.folder / "run.json").write_text(json.dumps({"started_at": f"{BEGUN:%Y-%m-%dT%H:%M:%S.%fZ}", **said}))

    def give(self, who: str, name: str = "", **more: object) -> Path:
        at = CREATED + timedelta(minutes=5)
        said: dict[str, object] = {"kind": "give", "work": WORK, "sha256": SHA, "principal": f"{who}@valuecanvas"}
        said |= {"signed_at": at, "expires_at": at + timedelta(days=30), "uses": 30, "most": (("apply-retention", 5),)}
        statement = Mandate(**{**said, **more}).encode()  # type: ignore[arg-type]
        path = self.kept / f"{name or who}@valuecanvas.mandate"
        path.write_bytes(statement)
        path.with_name(f"{path.name}.sig").write_bytes(ssh_keygen.sign(statement, MANDATOR, self.keys[who]))
        return path

    def said(self, state: str | None = "") -> list[str]:
        opened = Entry(2, "open", self.run, "2026-11-24T02:00:00.000000Z")
        closed = None if state is None else Entry(3, "close", self.run, "2026-11-24T02:02:00.000000Z", state)
        return [
            str(one).replace(f"runs/{self.run}/approvals", "A")
            for one in verify_mandates.check(self.archive, opened, closed)
        ]


@pytest.fixture
def applied(tmp_path: Path, keys: Keys) -> Applied:
    return Applied(tmp_path, keys)


def test_mandates_that_held_and_cover_the_plan_are_found_in_order(applied: Applied) -> None:
    assert applied.said() == applied.said("interrupted") == []


def test_a_run_that_was_cut_off_has_its_mandates_looked_at_too(applied: Applied) -> None:
    (applied.kept / "ben@valuecanvas.mandate.sig").unlink()
    assert len(applied.said("interrupted")) == 1


@pytest.mark.parametrize(("signed", "counts"), [(-SKEW, True), (timedelta(seconds=1), True), (-SKEW - SECOND, False)])
def test_it_was_signed_before_the_run_began_give_or_take_a_clock(
    applied: Applied, signed: timedelta, counts: bool
) -> None:
    at = BEGUN - signed
    applied.give("ben", signed_at=at, expires_at=at + timedelta(days=2))
    assert (applied.said() == []) is counts


def test_a_run_that_is_not_closed_or_names_none_and_holds_none_has_none_to_be_looked_at(applied: Applied) -> None:
    for path in applied.kept.iterdir():
        path.unlink()
    assert applied.said(None) == []
    # Cut off before they were kept, no step can have begun.
    assert applied.said("interrupted") == []
    assert applied.said() != []
    applied.names()
    assert applied.said() == []


def test_mandates_of_which_run_json_says_nothing_let_nothing_happen(applied: Applied) -> None:
    applied.names()
    assert applied.said() == ["error: A: holds mandates, and run.json names none"]
    applied.names(mandate=SHA)
    (applied.folder / "run.json").write_text("[]")
    assert applied.said() == ["error: A: holds mandates, and run.json names none"]


@pytest.mark.parametrize("name", ["mandate-plan.json", "allowed_signers", "../plan.json", "../run.json"])
def test_what_they_are_held_against_must_be_there(applied: Applied, name: str) -> None:
    (applied.kept / name).unlink()
    if name == "../run.json":
        assert applied.said() == ["error: A: holds mandates, and run.json names none"]
    else:
        assert applied.said() == ["error: A: lacks the plan of its mandate, its own plan, or the list of signers"]


def other_plan(one: Applied) -> None:
    (one.kept / "mandate-plan.json").write_bytes(NEW.encode())


def other_key(one: Applied) -> None:
    one.give("dan")


def anothers_name(one: Applied) -> None:
    one.give("ben", name="cat")


def of_another_plan(one: Applied) -> None:
    one.give("ben", sha256="0" * 64)


def over_by_then(one: Applied) -> None:
    one.give("ben", expires_at=BEGUN)


def not_yet(one: Applied) -> None:
    one.give("ben", signed_at=BEGUN + timedelta(hours=1), expires_at=BEGUN + timedelta(days=2))


def revocation(one: Applied) -> None:
    at: datetime = CREATED + timedelta(minutes=5)
    one.give("ben", kind="revoke", signed_at=at, expires_at=at, uses=0, most=())


def edited(one: Applied) -> None:
    path = one.kept / "ben@valuecanvas.mandate"
    path.write_bytes(path.read_bytes().replace(b"# uses 30\n", b"# uses 99\n"))


def unsigned(one: Applied) -> None:
    (one.kept / "ben@valuecanvas.mandate.sig").unlink()


def touches_more(one: Applied) -> None:
    one.give("ben", most=(("apply-retention", 1),))


def another_kind(one: Applied) -> None:
    (one.folder / "plan.json").write_bytes(replace(NEW, notebook="runbooks/other").encode())


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (other_plan, "A/mandate-plan.json: is not the plan that run.json names"),
        (other_key, "A/dan@valuecanvas.mandate: is no mandate of this run: Not signed by who may give mandates"),
        (anothers_name, "A/cat@valuecanvas.mandate: is no mandate of this run: it is not what its name says"),
        (of_another_plan, "A/ben@valuecanvas.mandate: is no mandate of this run: it is for another plan"),
        (over_by_then, "A/ben@valuecanvas.mandate: is no mandate of this run: it did not hold when the run began"),
        (not_yet, "A/ben@valuecanvas.mandate: is no mandate of this run: it did not hold when the run began"),
        (revocation, "A/ben@valuecanvas.mandate: is no mandate of this run: it is not what its name says"),
        (edited, "A/ben@valuecanvas.mandate: is no mandate of this run:"),
        (unsigned, "A/ben@valuecanvas.mandate: is no mandate of this run:"),
        (touches_more, "would touch 2"),
        (another_kind, "notebook is another"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_does_not_count_is_told(applied: Applied, forge: Callable[[Applied], None], why: str) -> None:
    forge(applied)
    said = applied.said()
    assert len(said) >= 1
    assert any(why in one for one in said), said
