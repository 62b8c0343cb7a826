"""``ops approve`` as people and scripts use it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from opslib.archive.store import Archive
from opslib.cli_approve import approve, shown
from opslib.model import Effect, now
from opslib.redaction import Redactor
from opslib.runs import approval, approvals, saved_plan
from tests.descriptions import description
from tests.signing import CREATED, WORK, Keys, plan, step


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


class Desk:
    """A planning run in an archive, a target's description in the environment, and the command."""

    def __init__(self, folder, keys):
        self.folder, self.keys = folder, keys
        moment = now() - timedelta(minutes=1)
        self.saved = plan(created_at=moment, expires_at=moment + timedelta(hours=1), missing=("Two others.",))
        self.signers = folder / "allowed_signers"
        self.signers.write_text("".join(keys.line(name) for name in ("ann", "ben", "cat")))
        self.signers.chmod(0o600)
        self.archive = folder / "archive"
        self.approvals = self.archive / "approvals" / WORK
        self.environment = {
            "OPS_ARCHIVE": str(self.archive),
            "OPS_LAB": str(folder / "lab"),
            "OPS_ENVIRONMENT": "production",
            "OPS_ALLOWED_SIGNERS": str(self.signers),
            "OPS_OPERATORS": "ann=ann@valuecanvas",
            "OPS_APPROVAL_KEY": str(keys["ben"]),
            "DATABASE_URL": "postgresql://owner:hunter2-hunter2@127.0.0.1:1/valuecanvas",
            "OPS_SCRATCH_DATABASE_URL": "postgresql://owner:hunter2-hunter2@127.0.0.1:1/postgres",
            "OPS_READ_DATABASE_URL": "postgresql://reader:reader-password@127.0.0.1:1/valuecanvas",
            "OPS_READ_REDIS_URL": "redis://127.0.0.1:1/0",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "S3_BUCKET_NAME": "valuecanvas-backups",
        }

    @property
    def sha(self):
        return saved_plan.sha256(self.saved.encode())

    def put(self):
        archive = Archive(self.archive)
        folder = archive.open({"run": WORK, "notebook": self.saved.notebook, "environment": "production"})
        (folder / "plan.json").write_bytes(self.saved.encode())
        archive.close(WORK, Redactor())

    def carry(self):
        path = self.folder / "carried" / "plan.json"
        path.parent.mkdir()
        path.write_bytes(self.saved.encode())
        return path

    def ops(self, *arguments, typed=None, **more):
        environment = {**self.environment, **more}
        return CliRunner().invoke(approve, [str(one) for one in arguments], input=typed, env=environment)

    def approved(self, folder=None):
        settings = description("production", OPS_ALLOWED_SIGNERS=str(self.signers))
        return approvals.collect([folder or self.approvals], self.saved.encode(), settings, now())


@pytest.fixture
def desk(tmp_path, keys):
    return Desk(tmp_path, keys)


def test_a_plan_is_shown_and_signed_after_its_first_digits_were_typed(desk):
    desk.put()
    said = desk.ops(WORK, typed=f"{desk.sha[:6]}\n")
    assert said.exit_code == 0
    for part in (
        "runbooks/restore-database",
        "production",
        "ann@valuecanvas (ann@bastion)",
        "  backup     newest",
        "2. Swap the databases (swap-databases, step swap-databases)",
        "destructive, once; touches 1 databases",
        "live: valuecanvas -> valuecanvas_a1b2c3",
        "undo: swap back",
        "Needs: Two others.",
        f"(SHA-256): {desk.sha[:12]}",
    ):
        assert part in said.stderr
    assert said.stdout.splitlines() == [
        "Approved by ben@valuecanvas",
        f"  {desk.approvals}/ben@valuecanvas.approval",
        f"  {desk.approvals}/ben@valuecanvas.approval.sig",
    ]
    (one,) = desk.approved().approvals
    assert (one.kind, one.expires_at) == ("approve", desk.saved.expires_at)


def test_the_archive_still_verifies_with_approvals_in_it(desk):
    from opslib.archive.verify import verify

    desk.put()
    before = verify(desk.archive).ok
    assert desk.ops(WORK, "--yes-digest", desk.sha[:6]).exit_code == 0
    assert verify(desk.archive).ok is before is True


@pytest.mark.parametrize("typed", ["", "\n", "000000\n", "{sha:.5}\n", "{sha:.5}g\n", "yes\n"])
def test_nothing_is_signed_unless_the_first_six_digits_are_typed(desk, typed):
    desk.put()
    said = desk.ops(WORK, typed=typed.format(sha=desk.sha))
    assert said.exit_code == 64
    assert "Not approved" in said.stderr
    assert not desk.approvals.exists()


def test_a_script_gets_one_object(desk):
    desk.put()
    said = desk.ops("a1b2c3", "--yes-digest", desk.sha, "--expires", "30m", "--reason", "as agreed", "--json")
    path = desk.approvals / "ben@valuecanvas.approval"
    assert json.loads(said.stdout) == {
        "plan": WORK,
        "sha256": desk.sha,
        "by": "ben@valuecanvas",
        "break_glass": False,
        "approval": str(path),
    }
    (one,) = desk.approved().approvals
    assert one.reason == "as agreed"
    assert one.expires_at - one.signed_at == timedelta(minutes=30)


def test_a_plan_that_was_carried_elsewhere_gets_its_approval_beside_it(desk):
    path = desk.carry()
    assert desk.ops(path, "--yes-digest", desk.sha[:6]).exit_code == 0
    assert len(desk.approved(path.parent).approvals) == 1


def test_a_plans_path_inside_the_archive_leads_to_the_archives_approvals_not_into_the_sealed_run(desk):
    desk.put()
    run = desk.archive / "runs" / WORK
    before = sorted(run.iterdir())
    assert desk.ops(run / "plan.json", "--yes-digest", desk.sha[:6]).exit_code == 0
    assert sorted(run.iterdir()) == before
    assert len(desk.approved().approvals) == 1


def test_a_machine_without_the_targets_description_needs_the_list_of_signers_or_a_name(desk):
    path = desk.carry()
    bare = dict.fromkeys(desk.environment) | {"OPS_APPROVAL_KEY": str(desk.keys["ben"]), "DATABASE_URL": None}
    desk.environment = bare
    said = desk.ops(path, "--yes-digest", desk.sha[:6])
    assert (said.exit_code, "Say it with --as" in said.stderr) == (64, True)
    said = desk.ops(path, "--yes-digest", desk.sha[:6], "--as", "ben@valuecanvas")
    assert (said.exit_code, "no list of allowed signers here" in said.stderr) == (0, True)
    said = desk.ops(path, "--yes-digest", desk.sha[:6], "--key", desk.keys["cat"], "--signers", desk.signers)
    assert said.exit_code == 0
    assert [one.principal for one in desk.approved(path.parent).approvals] == ["ben@valuecanvas", "cat@valuecanvas"]


def test_breaking_the_glass_needs_a_reason_and_is_said_in_the_statement(desk):
    desk.put()
    digits = ("--yes-digest", desk.sha[:6], "--key", desk.keys["ann"])
    assert desk.ops(WORK, "--break-glass", *digits).exit_code == 64
    assert desk.ops(WORK, "--break-glass", "--reason", " ", *digits).exit_code == 64
    said = desk.ops(WORK, "--break-glass", "--reason", "the database is gone", *digits)
    assert said.stdout.startswith("Glass broken by ann@valuecanvas\n")
    statement = (desk.approvals / "ann@valuecanvas.approval").read_bytes()
    assert approval.parse(statement).kind == "break-glass"


def test_what_would_not_count_is_refused_with_exit_code_4(desk):
    desk.put()
    digits = ("--yes-digest", desk.sha[:6])
    for who, why in (("ann", "who asked for the plan"), ("eve", "This key cannot approve")):
        said = desk.ops(WORK, *digits, "--key", desk.keys[who])
        assert (said.exit_code, why in said.stderr) == (4, True)
    said = desk.ops(WORK, *digits, OPS_UNATTENDED_ACTIONS="stage-restore,swap-databases")
    assert (said.exit_code, "needs no approval" in said.stderr) == (4, True)
    assert not desk.approvals.exists()


def test_an_expired_plan_is_refused(desk):
    desk.saved = replace(desk.saved, expires_at=desk.saved.created_at + timedelta(seconds=1))
    said = desk.ops(desk.carry(), "--yes-digest", desk.sha[:6])
    assert (said.exit_code, "EXPIRED" in said.stderr, "expired at" in said.stderr) == (4, True, True)


@pytest.mark.parametrize("life", ["0m", "30", "m", "-4h", "4 h", "1d", "99999h", "٣m"])
def test_a_length_of_time_in_another_form_is_wrong_usage(desk, life):
    said = desk.ops(desk.carry(), "--yes-digest", desk.sha[:6], "--expires", life)
    assert (said.exit_code, "no length of time" in said.stderr) == (64, True)


@pytest.mark.parametrize("name", ["20990101T000000Z-no-run", "/nonexistent/plan.json"])
def test_a_plan_that_is_not_there_is_wrong_usage(desk, name):
    assert desk.ops(name, "--yes-digest", "123456").exit_code == 64


def test_a_plan_behind_a_link_or_a_run_without_one_is_wrong_usage(desk):
    desk.put()
    path = desk.archive / "runs" / WORK / "plan.json"
    link = desk.folder / "plan.json"
    link.symlink_to(path)
    assert "cannot be read" in desk.ops(link, "--yes-digest", desk.sha[:6]).stderr
    path.unlink()
    assert "cannot be read" in desk.ops(WORK, "--yes-digest", desk.sha[:6]).stderr


def test_a_file_that_is_no_plan_is_wrong_usage_and_json_still_gets_one_object(desk):
    said = desk.ops(desk.signers, "--json")
    assert said.exit_code == 64
    assert "This is no saved plan" in json.loads(said.stdout)["error"]


def test_a_plan_cannot_move_the_terminals_cursor_or_hide_text():
    hostile = "\x1b[2J\x1b]8;;http://evil\x07safe\u202egnp\r\n# fake"
    of = plan(
        parameters={hostile: hostile},
        steps=(step(effect=Effect.CHANGE, title=hostile, before={hostile: hostile}, undo=hostile, parameters={}),),
    )
    lines = list(shown(of, "0" * 64, CREATED))
    assert all(line.isprintable() for line in lines)
    assert any("[2J" in line for line in lines)
    assert not any(line.startswith("# fake") for line in lines)


def test_long_values_are_cut_and_counts_that_nobody_knows_are_said_to_be_so():
    of = plan(steps=(step(touches=None, unknown=("rows: unknown until step x",), after={"live": "x" * 5000}),))
    lines = list(shown(of, "0" * 64, CREATED))
    assert max(map(len, lines)) < 300
    assert any("touches an unknown number of databases" in line for line in lines)
    assert any("not known yet: rows" in line for line in lines)


def test_a_long_parameter_name_does_not_run_into_its_value():
    lines = list(shown(plan(parameters={"max_age_hours": 12.0}), "0" * 64, CREATED))
    assert any(line.split() == ["max_age_hours", "12.0"] for line in lines)
