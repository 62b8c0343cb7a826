"""A development environment step by step: planned, made, verified, taken back; nothing of anybody's is lost."""

import json
import os
import re
import shutil
import socket

import pytest

from opslib.actions.environment import CloneRepository, InstallPackages, StartDevServer, WriteEnvironmentFile
from opslib.actions.environment_clone import not_production
from opslib.canonical import canonical
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.lab import development
from opslib.lab.development import key
from opslib.lab.production import dummy
from opslib.lab.vendors import product
from opslib.model import UNKNOWN_UNTIL, Outcome, Verdict
from opslib.runs.saved_plan import moved
from opslib.systems import dev_server
from opslib.systems.target import PlanTarget
from tests.workspaces import OWN, Place, developers_vault, needs_npm, quiet, tree

CLONE = CloneRepository(branch="main")
SECRET_VALUES = [value for name, value in development.values().items() if not name.startswith("VITE_")]


@pytest.fixture
def place(lab, tmp_path):
    made = Place(lab.settings, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def made(lab, tmp_path_factory):
    """A checkout that nobody touches, and what was said while it was made."""
    place = Place(lab.settings, tmp_path_factory.mktemp("made"))
    yield place, [(CLONE, *place.carry_out(CLONE))]
    place.close()


@pytest.fixture
def cloned(lab, made, tmp_path):
    place = Place(lab.settings, tmp_path, like=made[0])
    yield place
    place.close()


@pytest.fixture(scope="module")
def equipped(lab, made, tmp_path_factory):
    """The same with its packages."""
    place = Place(lab.settings, tmp_path_factory.mktemp("equipped"), like=made[0])
    action = InstallPackages(commit=place.commit)
    yield place, [*made[1], (action, *place.carry_out(action))]
    place.close()


@pytest.fixture
def installed(lab, equipped, tmp_path):
    place = Place(lab.settings, tmp_path, like=equipped[0])
    yield place
    place.close()


@pytest.fixture
def vault(lab):
    with developers_vault(lab.settings) as made:
        yield made


def others(place):
    """Return the later actions, of the place's commit."""
    return [kind(commit=place.commit) for kind in (InstallPackages, WriteEnvironmentFile, StartDevServer)]


@needs_npm
def test_all_of_it_is_planned_without_a_change_made_verified_and_taken_back(place):
    before = tree(place.folder.parent.parent)
    marker = f"{UNKNOWN_UNTIL}clone-repository"
    plans = [CLONE.plan(place.plan)]
    plans += [kind(commit=marker).plan(place.plan) for kind in (InstallPackages, WriteEnvironmentFile, StartDevServer)]
    assert tree(place.folder.parent.parent) == before
    done = [(CLONE, *place.carry_out(CLONE))]
    done += [(action, *place.carry_out(action)) for action in others(place)]
    assert [looked.verdict for *_, looked in done] == [Verdict.OK] * 4
    for planned, (action, found, *_) in zip(plans, done, strict=True):
        assert moved(planned, found) == []
        assert action.name == found.action
    assert product.git(place.folder, "status", "--porcelain") == ""
    assert not (place.folder / "packages/brand/it-was-run").exists()
    for action, plan, values, _ in reversed(done):
        assert action.undo(place.write, plan, values, quiet).verdict is Verdict.OK
    left = {name for name in tree(place.folder.parent.parent) if not name.startswith("repository")}
    assert left == {"work"}
    assert dev_server.listener(place.settings.development_port) is None


@needs_npm
def test_no_value_and_no_digest_of_one_is_in_what_is_planned_and_recorded(installed, equipped):
    place, said = installed, []
    done = [*equipped[1], *((action, *place.carry_out(action)) for action in others(place)[1:])]
    assert [type(action) for action, *_ in done] == [
        CloneRepository,
        InstallPackages,
        WriteEnvironmentFile,
        StartDevServer,
    ]
    for _, plan, values, looked in done:
        said.append(canonical([plan, dict(values), looked]))
    settled = [action.settle(place.write, action.plan(place.plan), quiet) for action in others(place)[1:2]]
    said.append(canonical(settled))
    text = b"".join(said).decode()
    assert not [value for value in SECRET_VALUES if value in text]
    kept = (place.kept / "environment.json").read_text()
    assert json.loads(kept)["sha256"] not in text


def test_production_gets_no_development_environment(place):
    for change in ({"environment": "production"}, {"kernel_user": "nobody"}):
        target = PlanTarget(place.settings.model_copy(update=change), "test")
        for action in [CLONE, *others(place)]:
            with pytest.raises(Refused, match="production"):
                action.plan(target)
        target.close()
    assert not place.folder.exists()


def test_nor_does_a_machine_that_has_productions_description(place, tmp_path):
    not_production(place.plan, tmp_path)
    (tmp_path / ".env.production").write_text("")
    with pytest.raises(Refused, match="This machine works on production"):
        not_production(place.plan, tmp_path)


def test_a_persons_own_checkout_that_is_clean_is_used_and_never_removed(place):
    place.clone_by_hand()
    (place.folder / "notes.txt").write_text("mine")
    before = tree(place.folder)
    plan, values, looked = place.carry_out(CLONE)
    assert (plan.touches, looked.verdict) == (0, Verdict.OK)
    assert CLONE.settle(place.write, plan, quiet).outcome is Outcome.DONE
    with pytest.raises(Refused, match="was not made by this work"):
        CLONE.undo(place.write, plan, values, quiet)
    assert tree(place.folder) == before


@pytest.mark.parametrize("what", ["changed", "older", "of another repository", "a plain folder", "a file", "a link"])
def test_whatever_else_stands_there_is_refused_and_left_alone(place, what):
    if what in ("changed", "older", "of another repository"):
        place.clone_by_hand()
    if what == "changed":
        (place.folder / "package.json").write_text("{}")
    elif what == "older":
        product.commit(place.repository, {"later": b""})
    elif what == "of another repository":
        product.git(place.folder, "remote", "set-url", "origin", "https://example.com/theirs.git")
    elif what == "a plain folder":
        place.folder.mkdir(parents=True)
        (place.folder / "thesis.txt").write_text("mine")
    elif what == "a file":
        place.folder.parent.mkdir()
        place.folder.write_text("mine")
    else:
        place.folder.parent.mkdir()
        place.folder.symlink_to(place.repository)
    before = tree(place.folder.parent)
    with pytest.raises(Refused) as told:
        CLONE.plan(place.plan)
    assert "It was not touched" in told.value.next_step
    assert tree(place.folder.parent) == before


def test_what_appeared_there_since_the_plan_is_not_replaced(place):
    plan = CLONE.plan(place.plan)
    place.folder.mkdir(parents=True)
    (place.folder / "thesis.txt").write_text("mine")
    with pytest.raises(Refused, match="is there by now"):
        CLONE.apply(place.write, plan, quiet)
    assert CLONE.settle(place.write, plan, quiet).outcome is Outcome.UNKNOWN
    assert (place.folder / "thesis.txt").read_text() == "mine"


def test_a_repository_that_is_not_there_is_no_plan(place):
    gone = place.settings.model_copy(update={"repository": f"file://{place.repository}-gone"})
    target = PlanTarget(gone, "test")
    with pytest.raises(Unreachable, match="shows no branch main"):
        CLONE.plan(target)
    target.close()


@pytest.mark.parametrize("what", ["a new file", "a changed file", "an ignored file", "a commit", "packages"])
def test_a_checkout_with_anything_of_somebodys_in_it_is_not_removed(cloned, what):
    plan = CLONE.plan(cloned.plan)
    values = {"commit": cloned.commit}
    if what == "a new file":
        (cloned.folder / "notes.txt").write_text("mine")
    elif what == "a changed file":
        (cloned.folder / "package.json").write_text("{}")
    elif what == "an ignored file":
        (cloned.folder / ".env.local").write_text("MINE=1")
    elif what == "a commit":
        product.commit(cloned.folder, {"mine.txt": b"x"})
    else:
        cloned.write.workspace_writer.put_mark("packages", {"work": "x"})
    before = tree(cloned.folder)
    with pytest.raises(Refused) as told:
        CLONE.undo(cloned.write, plan, values, quiet)
    assert "touched" in told.value.next_step or what == "packages"
    assert tree(cloned.folder) == before


def test_a_file_that_is_changed_after_the_clone_fails_its_verification(cloned):
    plan = CLONE.plan(cloned.plan)
    (cloned.folder / "package.json").write_text("{}")
    looked = CLONE.verify(cloned.look, plan, {"commit": cloned.commit})
    assert (looked.verdict, "package.json" in looked.summary) == (Verdict.CRITICAL, True)
    assert CLONE.verify(cloned.look, plan, {"commit": "0" * 40}).verdict is Verdict.CRITICAL


def test_an_undo_that_was_broken_off_can_be_done_again(cloned):
    plan, values = CLONE.plan(cloned.plan), {"commit": cloned.commit}
    cloned.folder.rename(cloned.folder.with_name(f".valuecanvas.gone-{OWN}"))
    assert CLONE.undo(cloned.write, plan, values, quiet).verdict is Verdict.OK
    assert list(cloned.folder.parent.iterdir()) == []


def commit(place, **files):
    """Commit in the repository, and clone that as a person does."""
    product.commit(place.repository, {name.replace("__", "."): data for name, data in files.items()})
    place.clone_by_hand()
    return place.commit


@needs_npm
@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("package-lock.json", b"{}", "cannot be read"),
        (
            "package-lock.json",
            b'{"lockfileVersion": 3, "packages": {"": {}, "node_modules/x": {"resolved": "git+ssh://h/x"}}}',
            "over https",
        ),
        ("package-lock.json", b'{"lockfileVersion": 3, "packages": {"": {"engines": {"node": ">=99"}}}}', "older than"),
        (".npmrc", b"script-shell=/tmp/x\n", "sets script-shell"),
    ],
)
def test_packages_that_nobody_could_approve_are_no_plan(place, name, data, said):
    made = commit(place, **{name: data})
    with pytest.raises(Refused, match=said):
        InstallPackages(commit=made).plan(place.plan)
    assert not (place.folder / "node_modules").exists()


@needs_npm
def test_without_a_lock_file_nothing_is_installed(place):
    product.git(place.repository, "rm", "--quiet", "package-lock.json")
    made = commit(place)
    with pytest.raises(Refused, match=re.escape("has no package-lock.json")):
        InstallPackages(commit=made).plan(place.plan)


def test_without_node_the_step_is_refused_with_the_reason(cloned, monkeypatch, tmp_path):
    (tmp_path / "git").symlink_to(shutil.which("git"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="node is not installed"):
        InstallPackages(commit=cloned.commit).plan(cloned.plan)


@needs_npm
def test_packages_that_were_there_are_put_aside_and_come_back(cloned):
    (cloned.folder / "node_modules").mkdir()
    (cloned.folder / "node_modules/old").write_text("mine")
    action = InstallPackages(commit=cloned.commit)
    plan, values, looked = cloned.carry_out(action)
    assert (plan.before["packages"], looked.verdict) == ("there", Verdict.OK)
    assert not (cloned.folder / "node_modules/old").exists()
    assert action.undo(cloned.write, plan, values, quiet).verdict is Verdict.OK
    assert (cloned.folder / "node_modules/old").read_text() == "mine"
    assert action.undo(cloned.write, plan, values, quiet).verdict is Verdict.OK
    assert (cloned.folder / "node_modules/old").read_text() == "mine"


@needs_npm
@pytest.mark.parametrize("there", [True, False])
def test_an_installation_that_was_broken_off_is_taken_away_and_what_was_there_comes_back(cloned, there):
    modules = cloned.folder / "node_modules"
    if there:
        modules.mkdir()
        (modules / "old").write_text("mine")
    action = InstallPackages(commit=cloned.commit)
    plan = action.plan(cloned.plan)
    assert action.settle(cloned.write, plan, quiet).outcome is Outcome.NOT_DONE
    writer = cloned.write.workspace_writer
    writer.put_mark("packages", {"work": cloned.write.run, "done": False, "replaced": there})
    if there:
        modules.rename(cloned.kept / "modules-before")
    (modules / "half").mkdir(parents=True)
    assert action.settle(cloned.write, plan, quiet).outcome is Outcome.NOT_DONE
    assert action.plan(cloned.plan).digest == plan.digest
    assert (modules / "old").exists() == there
    assert not (modules / "half").exists()


@needs_npm
def test_a_changed_package_or_lock_file_fails_the_verification(installed, equipped):
    cloned = installed
    action, plan, values, _ = equipped[1][-1]
    assert action.verify(cloned.look, plan, values).verdict is Verdict.OK
    (cloned.folder / "node_modules/@valuecanvas/brand").unlink()
    assert action.verify(cloned.look, plan, values).verdict is Verdict.CRITICAL
    (cloned.folder / "package-lock.json").write_text("{}")
    assert "package-lock.json" in action.verify(cloned.look, plan, values).summary


def test_an_env_file_that_was_there_is_kept_and_comes_back(cloned):
    mine = cloned.folder / ".env.local"
    mine.write_text("MINE=1\n")
    mine.chmod(0o644)
    action = WriteEnvironmentFile(commit=cloned.commit)
    plan, values, looked = cloned.carry_out(action)
    assert plan.before["file"] == "there, with mode 0644"
    assert (looked.verdict, f"{mine.stat().st_mode:o}", "MINE" in mine.read_text()) == (Verdict.OK, "100600", False)
    assert action.settle(cloned.write, plan, quiet).outcome is Outcome.DONE
    assert action.undo(cloned.write, plan, values, quiet).verdict is Verdict.OK
    assert mine.read_text() == "MINE=1\n"
    assert [path.name for path in cloned.kept.iterdir()] == ["checkout.json"]


def test_no_template_value_is_left_and_a_leaking_name_is_not_carried_over(cloned):
    action = WriteEnvironmentFile(commit=cloned.commit)
    plan, _, _ = cloned.carry_out(action)
    text = (cloned.folder / ".env.local").read_text()
    assert "your-" not in text
    assert plan.after["left out"] == ["SMTP_PASSWORD", "VITE_LLM_API_KEY"]
    assert text.count("REDIS_URL=") == 1


def test_an_env_file_that_somebody_changed_since_is_not_taken_back(cloned):
    action = WriteEnvironmentFile(commit=cloned.commit)
    plan, values, _ = cloned.carry_out(action)
    with (cloned.folder / ".env.local").open("a") as out:
        out.write("MINE=1\n")
    assert action.settle(cloned.write, plan, quiet).outcome is Outcome.UNKNOWN
    with pytest.raises(Refused, match="was changed since"):
        action.undo(cloned.write, plan, values, quiet)
    assert "MINE=1" in (cloned.folder / ".env.local").read_text()


def test_a_wrong_mode_fails_the_verification(cloned):
    action = WriteEnvironmentFile(commit=cloned.commit)
    plan, values, _ = cloned.carry_out(action)
    for mode in (0o644, 0o640, 0o666):
        (cloned.folder / ".env.local").chmod(mode)
        assert action.verify(cloned.look, plan, values).verdict is Verdict.CRITICAL, f"{mode:o}"


WRONG = [
    ({"JWT_SECRET": None}, "JWT_SECRET is not set"),
    ({"JWT_SECRET": "your-jwt-secret"}, "JWT_SECRET in the vault is a placeholder"),
    ({"JWT_SECRET": "a1" * 20}, "JWT_SECRET in the vault has fewer than"),
    ({"JWT_SECRET": "lab dummy $secret of the developers"}, "JWT_SECRET holds a character"),
    ({"SUPABASE_SERVICE_ROLE_KEY": key("anon")}, "SUPABASE_SERVICE_ROLE_KEY is the public key"),
    ({"VITE_SUPABASE_ANON_KEY": key("service_role")}, "VITE_SUPABASE_ANON_KEY is the service role key"),
    ({"VITE_SUPABASE_URL": "http://db.valuecanvas.com"}, "VITE_SUPABASE_URL leads over plain http"),
    ({"TOGETHER_API_KEY": dummy("TOGETHER_API_KEY")}, "TOGETHER_API_KEY of the developers' vault is the one of lab"),
    ({"VITE_LLM_API_KEY": "sk-" + "1a" * 20}, "VITE_LLM_API_KEY is a secret under a name that every browser gets"),
]


@pytest.mark.parametrize(("values", "said"), WRONG)
def test_a_file_that_would_not_be_right_is_not_planned_and_no_value_is_told(cloned, vault, values, said):
    vault.put(**values)
    with pytest.raises(Refused, match=re.escape(said)) as told:
        WriteEnvironmentFile(commit=cloned.commit).plan(cloned.plan)
    assert not [value for value in values.values() if value and value in str(told.value)]
    assert not (cloned.folder / ".env.local").exists()


def test_without_the_fallbacks_key_the_file_is_written_and_said_to_be_without(cloned, vault):
    vault.put(OPENAI_API_KEY=None)
    _, _, looked = cloned.carry_out(WriteEnvironmentFile(commit=cloned.commit))
    assert (looked.verdict, looked.rows[0]["variable"]) == (Verdict.OK, "OPENAI_API_KEY")


def test_a_vault_that_moved_since_the_plan_writes_nothing(cloned, vault):
    action = WriteEnvironmentFile(commit=cloned.commit)
    plan = action.plan(cloned.plan)
    vault.put()
    with pytest.raises(Refused, match="another version by now"):
        action.apply(cloned.write, plan, quiet)
    assert action.settle(cloned.write, plan, quiet).outcome is Outcome.NOT_DONE
    assert not (cloned.folder / ".env.local").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"development_secret": "nobodys/secrets"}, "There is no secret nobodys/secrets"),
        ({"development_secret": "valuecanvas/production/secrets"}, "names the target's own secret"),
        ({"aws_endpoint_url": "http://127.0.0.1:9"}, "Secrets Manager"),
    ],
)
def test_a_vault_that_is_not_there_or_the_targets_own_is_no_source(lab, made, tmp_path, changes, said):
    place = Place(lab.settings, tmp_path, like=made[0], **changes)
    with pytest.raises((Refused, Unreachable), match=said):
        WriteEnvironmentFile(commit=place.commit).plan(place.plan)
    place.close()


@pytest.mark.parametrize(
    ("files", "said"),
    [({"__gitignore": b"node_modules\n"}, "git does not ignore"), ({"__env__example": None}, "has no .env.example")],
)
def test_a_repository_that_would_publish_the_file_or_has_no_template_gets_none(place, files, said):
    gone = [name.replace("__", ".") for name, data in files.items() if data is None]
    if gone:
        product.git(place.repository, "rm", "--quiet", *gone)
    made = commit(place, **{name: data for name, data in files.items() if data is not None})
    with pytest.raises(Refused, match=re.escape(said)):
        WriteEnvironmentFile(commit=made).plan(place.plan)


def test_a_write_that_was_broken_off_before_its_end_is_taken_away(cloned):
    action = WriteEnvironmentFile(commit=cloned.commit)
    plan = action.plan(cloned.plan)
    cloned.write.workspace_writer.put_mark("environment", {"work": cloned.write.run, "sha256": "0", "replaced": False})
    (cloned.kept / "env.local.part").write_text("half")
    assert action.settle(cloned.write, plan, quiet).outcome is Outcome.NOT_DONE
    assert [path.name for path in cloned.kept.iterdir()] == ["checkout.json"]


@needs_npm
def test_a_server_is_started_once_and_found_by_who_goes_on(installed):
    cloned = installed
    action = StartDevServer(commit=cloned.commit)
    plan, values, looked = cloned.carry_out(action)
    assert looked.verdict is Verdict.OK
    settled = action.settle(cloned.write, plan, quiet)
    assert (settled.outcome, dict(settled.values)) == (Outcome.DONE, values)
    action.undo(cloned.write, plan, values, quiet)
    assert action.verify(cloned.look, plan, values).verdict is Verdict.CRITICAL
    assert action.settle(cloned.write, plan, quiet).outcome is Outcome.NOT_DONE
    assert action.undo(cloned.write, plan, values, quiet).verdict is Verdict.OK


@needs_npm
def test_a_server_that_does_not_come_up_leaves_nothing_behind(place):
    made = commit(place, **{"scripts/dev.mjs": b"process.exit(1)\n"})
    action = StartDevServer(commit=made)
    plan = action.plan(place.plan)
    with pytest.raises(StepFailed, match="before it answered"):
        action.apply(place.write, plan, quiet)
    assert action.settle(place.write, plan, quiet).outcome is Outcome.NOT_DONE


def test_a_taken_port_and_a_missing_script_are_no_plan(place):
    place.clone_by_hand()
    port = place.settings.development_port
    taken = f"Port {port} is taken by process {os.getpid()}"
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Refused, match=taken):
        StartDevServer(commit=place.commit).plan(place.plan)
    product.commit(place.repository, {"package.json": b'{"scripts": {}}'})
    product.git(place.folder, "pull", "--quiet")
    with pytest.raises(Refused, match="defines no dev"):
        StartDevServer(commit=place.commit).plan(place.plan)


def test_no_step_after_the_first_works_on_another_commit(cloned):
    for action in (InstallPackages, WriteEnvironmentFile, StartDevServer):
        with pytest.raises(Refused, match=r"not at 000000000000|not installed"):
            action(commit="0" * 40).plan(cloned.plan)
