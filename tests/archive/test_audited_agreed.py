"""Who had agreed to what changed something, judged again from the archive alone, as the executor judged it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from opslib.archive import audited_agreed
from opslib.archive.store import Archive
from opslib.canonical import to_json
from opslib.checks.observability import runs_agreed
from opslib.model import Verdict
from opslib.redaction import Redactor
from opslib.runs.journal import Journal
from opslib.runs.saved_plan import sha256
from opslib.runs.undoing import UNDO
from opslib.systems import ssh_keygen
from tests.archive import build
from tests.archive.test_audited import judged, look
from tests.signing import WORK, Keys, approval, plan

STEP = "swap-databases"


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def sign(folder, people, saved, *who, **said):
    """Leave a plan and approvals of it as the executor keeps them, with the list of whose keys count."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in who:
        one = approval(name, saved, **said)
        (folder / f"{one.principal}.approval").write_bytes(one.encode())
        armour = ssh_keygen.sign(one.encode(), "opslib-approve", people[name])
        (folder / f"{one.principal}.approval.sig").write_bytes(armour)
    (folder / "allowed_signers").write_text("".join(people.line(name) for name in ("ann", "ben", "cat", "dan")))
    (folder / "allowed_signers").chmod(0o600)


def applied(archive, saved, fill, run=f"{WORK}-apply", event="intent", **said):
    """Seal a production run that carried the steps of a plan out; ``fill`` leaves what lets it."""
    asked = build.asked(1, "runbooks/restore-database", environment="production", run=run)
    asked |= {"requested_by": "ann@bastion", "requester": "ann@valuecanvas", "target": {}} | said
    if run.endswith("-apply"):
        asked["applies"] = sha256(saved.encode())
    folder = archive.open(asked)
    build.fill(folder)
    (folder / "plan.json").write_bytes(saved.encode())
    (folder / "journal.jsonl").unlink()
    journal = Journal(folder / "journal.jsonl", Redactor())
    for one in saved.steps:
        journal.append("planned", step=one.step, plan=to_json(one.plan))
        journal.append(event, step=one.step)
    journal.close()
    fill(folder)
    archive.close(run, Redactor())
    return run


@pytest.fixture
def saved():
    """A plan made now, for the journal's times are of now."""
    from opslib.model import now

    return plan(created_at=now() - timedelta(minutes=5), expires_at=now() + timedelta(minutes=55))


def seen(archive):
    rows = audited_agreed.agreed(look(archive.folder))
    return judged(runs_agreed, rows), rows[1:]


def test_what_two_others_signed_is_agreed_to(archive, people, saved):
    applied(archive, saved, lambda folder: sign(folder / "approvals", people, saved, "ben", "cat"))
    (verdict, said), rows = seen(archive)
    assert (verdict, rows) == (Verdict.OK, [])
    assert said == "1 runs where others must agree, 2 steps that needed it."


@pytest.mark.parametrize(
    ("who", "words"),
    [
        (("ann", "ben"), "is by who asked for the plan"),
        (("ben",), "needs approvals by 2 other people"),
        ((), "needs approvals by 2 other people"),
    ],
)
def test_too_few_and_the_one_who_asked_are_named(archive, people, saved, who, words):
    run = applied(archive, saved, lambda folder: sign(folder / "approvals", people, saved, *who))
    (verdict, said), rows = seen(archive)
    assert (verdict, {row["run"] for row in rows}) == (Verdict.CRITICAL, {run})
    assert words in rows[0]["says"]
    assert run in said


def test_an_approval_that_had_expired_does_not_count(archive, people, saved):
    early = {"expires_at": saved.created_at + timedelta(minutes=2)}
    applied(archive, saved, lambda folder: sign(folder / "approvals", people, saved, "ben", "cat", **early))
    assert "has expired" in seen(archive)[1][0]["says"]


def test_approvals_of_another_plan_do_not_count(archive, people, saved):
    other = replace(saved, run=f"{WORK[:-6]}ffffff")
    applied(archive, other, lambda folder: sign(folder / "approvals", people, other, "ben", "cat"), run=WORK)
    (verdict, _), rows = seen(archive)
    # The approvals themselves are told as well, by verification: the run is not believed then.
    assert (verdict, rows) == (Verdict.UNKNOWN, [])


def test_a_plan_of_another_run_lets_nothing_happen(archive, people, saved):
    other = replace(saved, run=f"{WORK[:-6]}ffffff")
    run = applied(archive, other, lambda folder: None, run=WORK)
    (verdict, _), rows = seen(archive)
    assert (verdict, rows[0]["run"], rows[0]["says"]) == (Verdict.CRITICAL, run, f"its approval is for {other.run}")


def test_a_change_without_any_plan_is_named_unless_its_action_runs_unattended(archive, saved):
    run = applied(archive, saved, lambda folder: (folder / "plan.json").unlink(), run=WORK)
    (verdict, said), rows = seen(archive)
    assert (verdict, rows[0]["says"], run in said) == (Verdict.CRITICAL, "no approval lies with the run", True)


def test_what_the_targets_owner_lets_run_unattended_needs_nobody(archive, saved):
    alone = {"unattended_actions": "stage-restore, swap-databases"}
    applied(archive, saved, lambda folder: (folder / "plan.json").unlink(), run=WORK, target=alone)
    assert seen(archive) == ((Verdict.OK, "1 runs where others must agree, 0 steps that needed it."), [])


def test_a_broken_glass_is_a_warning(archive, people, saved):
    def glass(folder):
        sign(folder / "approvals", people, saved, "ben", kind="break-glass", reason="nobody else is awake")

    applied(archive, saved, glass)
    (verdict, _), rows = seen(archive)
    assert (verdict, {row["kind"] for row in rows}) == (Verdict.WARNING, {"broken glass"})


def test_an_undo_is_covered_by_the_plan_and_a_plan_of_the_undo_counts_once(archive, people, saved):
    def signed(of):
        def leave(folder):
            (folder / "plan.json").write_bytes(of.encode())
            sign(folder / "approvals", people, of, "ben", "cat")

        return leave

    applied(archive, saved, signed(saved), run=f"{WORK}-undo-1", event="undoing")
    undo = replace(saved, run=f"{WORK[:-6]}0000aa", parameters={UNDO: WORK})
    applied(archive, saved, signed(undo), run=f"{WORK}-undo-2", event="undoing")
    assert seen(archive)[0][0] is Verdict.OK
    applied(archive, saved, signed(undo), run=f"{WORK}-undo-3", event="undoing")
    (verdict, _), rows = seen(archive)
    assert (verdict, rows[0]["says"]) == (Verdict.CRITICAL, f"its approval was used before, by {WORK}-undo-2")


def test_a_step_by_hand_counts_by_its_own_plan_and_no_other_runs(archive, people, saved):
    own = replace(saved, steps=(saved.steps[1],))

    def kept(folder):
        (folder / "plan.json").unlink()
        place = folder / "evidence" / f"{STEP}-approvals"
        sign(place, people, own, "ben", "cat")
        (place / "plan.json").write_bytes(own.encode())

    applied(archive, own, kept, run=WORK)
    assert seen(archive)[0][0] is Verdict.OK
    other = applied(archive, own, kept, run=f"{WORK[:-6]}00000b")
    (verdict, _), rows = seen(archive)
    assert (verdict, [row["run"] for row in rows]) == (Verdict.CRITICAL, [other])


def test_a_run_that_is_not_what_was_sealed_is_not_judged(archive, people, saved):
    run = applied(archive, saved, lambda folder: (folder / "plan.json").unlink(), run=WORK)
    said = archive.folder / "runs" / run / "run.json"
    said.write_text(json.dumps({**json.loads(said.read_text()), "environment": "lab"}))
    verdict, said = seen(archive)[0]
    assert (verdict, "1 runs are not believed" in said) == (Verdict.UNKNOWN, True)
