"""What lets a run apply its plan: the sum in run.json, one run per plan, and approvals that are of this plan."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opslib import sshsig
from opslib.archive import keys, verify_approvals
from opslib.archive.log import Entry
from opslib.archive.verify_approvals import NAMESPACE, SIGNERS
from opslib.runs import approval

from . import build

WORK = "20261101T000600Z-runbooks-restore-database-000006"
AT = datetime(2026, 11, 1, 0, 6, 30, tzinfo=UTC)
ANN = "ann@valuecanvas"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys.create(path := tmp_path_factory.mktemp("keys") / "ann")
    return path


class Applied:
    """A run's folder with a plan and what let it apply that; ``run`` is its id, by default the plan's own run's."""

    def __init__(self, archive: Path, run: str = f"{WORK}-apply", plan: str = WORK) -> None:
        self.archive, self.run, self.folder = archive, run, archive / "runs" / run
        self.folder.mkdir(parents=True)
        self.plan = self.folder / "plan.json"
        self.plan.write_text(f'{{"requester":"ann","run":"{plan}","steps":[]}}')
        self.asked = self.folder / "run.json"
        self.asked.write_text(json.dumps({"applies": self.sha256}))
        self.applied: dict[str, str] = {}

    @property
    def sha256(self) -> str:
        return build.sha256(self.plan.read_bytes())

    @property
    def approvals(self) -> Path:
        return self.folder / "approvals"

    def approve(self, key: Path, name: str = ANN, work: str = WORK, sha256: str = "") -> Path:
        """Put an approval of the plan there, by a key that is listed for ann; returns its file."""
        self.approvals.mkdir(exist_ok=True)
        said = approval.Approval("approve", work, sha256 or self.sha256, name, AT, AT + timedelta(hours=1)).encode()
        path = self.approvals / f"{name}.approval"
        path.write_bytes(said)
        self.signature(path).write_bytes(sshsig.sign(said, NAMESPACE, key))
        (self.approvals / SIGNERS).write_text(f'{ANN} namespaces="{NAMESPACE}" {sshsig.Signer(key).public}\n')
        return path

    def signature(self, path: Path) -> Path:
        return path.with_name(f"{path.name}.sig")

    def said(self, state: str | None = "") -> list[str]:
        """What is found wrong, the run being sealed in this state; None: no entry closes it."""
        opened = Entry(2, "open", self.run, "2026-11-01T00:06:00.000000Z")
        closed = None if state is None else Entry(3, "close", self.run, "2026-11-01T00:07:00.000000Z", state)
        found = verify_approvals.check(self.archive, opened, closed, self.applied)
        return [str(one).replace(f"runs/{self.run}", "R") for one in found]


@pytest.fixture
def run(tmp_path: Path) -> Applied:
    return Applied(tmp_path)


UNNAMED = "error: R/run.json: does not name the plan that it applies"
OTHER = "error: R/plan.json: is not the plan that run.json names"


def wrong(what: str, name: str = ANN) -> list[str]:
    return [f"error: R/approvals/{name}.approval: {what}"]


UNREADABLE = "cannot be read, or lacks its signature or the list of signers"


def test_nothing_is_told_of_a_run_that_applied_its_plan_as_it_was_approved(run: Applied, key: Path) -> None:
    run.approve(key)
    assert run.said() == []
    assert run.applied == {run.sha256: run.run}


@pytest.mark.parametrize(
    "said", ["{", "[]", "[" * 200_000, "{}", '{"applies": 3}', '{"applies": "short"}', '{"applies": ""}', None]
)
def test_a_run_that_does_not_say_which_plan_it_applies_is_told_and_its_plan_is_free(
    run: Applied, said: str | None
) -> None:
    run.asked.unlink() if said is None else run.asked.write_text(said)
    assert run.said() == run.said(None) == [UNNAMED]
    assert run.applied == {}


def test_what_was_asked_is_read_up_to_its_greatest_size(run: Applied) -> None:
    text = run.asked.read_text()
    run.asked.write_text(text.ljust(1_000_000))
    assert run.said() == []
    run.asked.write_text(text.ljust(1_000_001))
    assert run.said() == [UNNAMED]


def test_a_plan_that_is_applied_a_second_time_is_told_with_the_run_that_applied_it(run: Applied) -> None:
    run.applied[run.sha256] = "another"
    assert run.said() == ["error: R/run.json: applies the plan that another applied"]
    assert run.applied == {run.sha256: "another"}


@pytest.mark.parametrize("state", ["", "interrupted", None])
def test_a_plan_that_is_another_than_the_one_named_is_told_whatever_became_of_the_run(
    run: Applied, state: str | None
) -> None:
    run.plan.write_text("{}")
    assert run.said(state) == [OTHER]


def test_the_plan_may_lack_only_where_the_run_was_cut_off(run: Applied) -> None:
    run.plan.unlink()
    assert run.said() == [OTHER]
    run.applied.clear()
    assert run.said("interrupted") == []
    run.applied.clear()
    assert run.said(None) == []


@pytest.mark.parametrize("name", [WORK, f"{WORK}-resume-1", f"{WORK}-undo-1"])
def test_only_a_run_that_applies_an_approved_plan_must_name_it(tmp_path: Path, name: str) -> None:
    run = Applied(tmp_path, name)
    run.asked.unlink()
    assert run.said() == []
    assert run.applied == {}


def test_the_approvals_of_a_run_that_is_still_open_are_not_looked_at_yet(run: Applied, key: Path) -> None:
    run.approve(key).write_text("rubbish")
    assert run.said(None) == []
    assert run.said("interrupted")[-1:] == wrong("does not have the form of an approval")


def test_what_is_no_approval_or_lacks_what_belongs_to_it_is_told(run: Applied, key: Path) -> None:
    path = run.approve(key)
    signature = run.signature(path).rename(run.archive / "signature")
    assert run.said() == wrong(UNREADABLE)
    shutil.copy(signature, run.signature(path))
    (run.approvals / SIGNERS).rename(run.archive / "signers")
    run.applied.clear()
    assert run.said() == wrong(UNREADABLE)
    shutil.copy(run.archive / "signers", run.approvals / SIGNERS)
    path.write_bytes(path.read_bytes() + b"\n")
    run.applied.clear()
    assert run.said() == wrong("does not have the form of an approval")


def test_every_approval_is_looked_at_and_its_name_is_shown_printable(run: Applied, key: Path) -> None:
    run.approve(key)
    (run.approvals / "b\x1b.approval").write_text("")
    (run.approvals / "a b.approval").write_text("")
    assert run.said() == wrong(UNREADABLE, "a?b") + wrong(UNREADABLE, "b?")


def test_an_approval_of_another_work_or_of_another_plan_is_told(run: Applied, key: Path) -> None:
    run.approve(key, work=WORK.replace("6", "7"))
    assert run.said() == wrong("is for another plan")
    run.approve(key, sha256="a" * 64)
    run.applied.clear()
    assert run.said() == wrong("is for another plan")


def test_an_approval_under_another_name_than_it_says_is_told(run: Applied, key: Path) -> None:
    path = run.approve(key)
    run.signature(path).rename(run.approvals / "bob.approval.sig")
    path.rename(run.approvals / "bob.approval")
    assert run.said() == wrong("is not by whom its name says", "bob")


def test_an_approval_by_a_key_that_is_not_listed_for_its_name_as_an_approvers_is_told(run: Applied, key: Path) -> None:
    run.approve(key, name="bob")
    (told,) = run.said()
    assert told.startswith(wrong("is not signed: Not signed by bob: ", "bob")[0])
    for path in run.approvals.iterdir():
        path.unlink()
    run.approve(key)
    signers = run.approvals / SIGNERS
    signers.write_text(signers.read_text().replace(f'namespaces="{NAMESPACE}" ', ""))
    run.applied.clear()
    (told,) = run.said()
    assert told.startswith(wrong(f"is not signed: Not signed by {ANN}: ")[0])


def test_the_reason_why_a_signature_does_not_count_is_printable(run: Applied, key: Path) -> None:
    path = run.approve(key)
    run.signature(path).write_bytes(sshsig.sign(path.read_bytes(), "opslib-\xfc", key))
    assert run.said() == wrong(
        "is not signed: The signature was made for the namespace 'opslib-?', not opslib-approve."
    )


@pytest.mark.parametrize(
    ("of", "most", "within"),
    [
        (lambda run, path: run.signature(path), 16 * 1024, "is not signed: The signature is no signature in OpenSSH"),
        (lambda run, path: run.approvals / SIGNERS, 1_000_000, ""),
    ],
)
def test_signatures_and_lists_are_read_up_to_their_greatest_size(
    run: Applied, key: Path, of: Callable[[Applied, Path], Path], most: int, within: str
) -> None:
    file = of(run, run.approve(key))
    text = file.read_text()
    file.write_text(text + "#" * (most - len(text)))
    assert [one.startswith(wrong(within)[0]) for one in run.said()] == [True] * bool(within)
    run.applied.clear()
    file.write_text(text + "#" * (most + 1 - len(text)))
    assert run.said() == wrong(UNREADABLE)


def test_an_undo_has_the_works_approvals_or_those_of_a_plan_of_its_own(tmp_path: Path, key: Path) -> None:
    own = WORK.replace("6", "8")
    works = Applied(tmp_path, f"{WORK}-undo-1")
    works.approve(key)
    assert works.said() == []
    undoes = Applied(tmp_path, f"{WORK}-undo-2", own)
    undoes.approve(key, work=own)
    assert undoes.said() == []
    undoes.approve(key)
    assert undoes.said() == wrong("is for another plan")


def test_the_plan_of_what_is_no_undo_is_its_works_whatever_it_says(tmp_path: Path, key: Path) -> None:
    for number, name in enumerate([f"{WORK}-apply", f"{WORK}-resume-2", WORK]):
        run = Applied(tmp_path / str(number), name, WORK.replace("6", "8"))
        run.approve(key)
        assert run.said() == []


def test_approvals_of_a_run_without_plan_are_for_another_plan(tmp_path: Path, key: Path) -> None:
    run = Applied(tmp_path, f"{WORK}-resume-1")
    run.approve(key)
    run.plan.unlink()
    assert run.said() == wrong("is for another plan")
