"""The front end built here from the lab's repository: what its lock file names, and no secret in what is served."""

import json
import os
import shutil
from contextlib import ExitStack, closing

import pytest

import opslib.actions.frontend_built as built
from opslib.actions.frontend import BuildFrontEnd
from opslib.errors import Refused, SettingsError, StepFailed, Unreachable, UsageError
from opslib.headless import kernel_user
from opslib.lab.production import PROJECT, anonymous
from opslib.lab.vendors.product import commit, git
from opslib.model import Verdict
from opslib.redaction import Secret
from opslib.systems.building import Builder
from opslib.systems.publishable import secrets_in
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.hosters import of
from tests.scale import first
from tests.vaults import shelf
from tests.vendors import Doors

RUN = "20261128T130614Z-runbooks-deploy-new-version-b1c2d3"
ACTION = BuildFrontEnd(branch="main", build_seconds=60)
NODE = pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js is not installed on this machine")


def quiet(text, done=None, total=None):
    pass


@pytest.fixture
def netlify(lab, tmp_path):
    """The lab's Netlify, and a repository of its own whose newest commit GitHub has as well."""
    doors = Doors(lab.settings)
    with doors.restored(), shelf(lab.settings) as vault:
        vault.put(SUPABASE_ANON_KEY=anonymous(PROJECT))
        hoster = of(lab.settings, doors, "netlify")
        shutil.copytree(lab.settings.checkout, tmp_path / "repository")
        hoster.settings = hoster.settings.model_copy(update={"checkout": tmp_path / "repository"})
        hoster.vault = vault
        head(hoster)
        yield hoster


def head(hoster, files=()):
    """Commit ``files``, and let GitHub's branch be there."""
    folder = hoster.settings.checkout
    made = commit(folder, dict(files)) if files else git(folder, "rev-parse", "HEAD").strip()
    hoster.doors.put(github={**hoster.doors.state()["github"], "heads": {"main": made}})
    return made


@pytest.fixture
def targets(netlify):
    with ExitStack() as opened:
        made = (kind(netlify.settings, RUN) for kind in (PlanTarget, VerifyTarget, WriteTarget))
        yield tuple(opened.enter_context(closing(one)) for one in made)
    built.remove(RUN)


PACKAGE = b'{"type": "module", "scripts": {"build": "node tools/build.mjs"}}'


def unlocked(hoster, files):
    """Commit ``files`` without packages: what a build makes of them needs none installed."""
    git(hoster.settings.checkout, "rm", "--quiet", "package-lock.json")
    head(hoster, {"package.json": PACKAGE, **files})


def carry_out(targets, action=ACTION):
    reading, looking, writing = targets
    plan = action.plan(reading)
    values = action.apply(writing, plan, quiet)
    return plan, values, action.verify(looking, plan, values)


@NODE
def test_a_plan_names_commit_tools_and_variables_and_builds_nothing(netlify, targets):
    plan = ACTION.plan(targets[0])
    assert plan.after["commit"] == head(netlify)
    assert plan.after["commands"] == ["npm ci --ignore-scripts --no-audit --no-fund", "npm run build"]
    assert plan.after["Node"].count(".") == 2
    assert plan.after["variables"]["VITE_SUPABASE_URL"] == "what the target description says"
    assert anonymous(PROJECT) not in json.dumps([dict(plan.after), dict(plan.fingerprint)])
    assert plan.digest == ACTION.plan(targets[0]).digest
    with pytest.raises(Refused, match="built nothing"):
        built.kept(RUN, "0" * 64)


@NODE
def test_the_commit_is_built_with_its_public_variables_and_hashed(netlify, targets):
    (netlify.settings.checkout / "src" / "main.js").write_text("throw new Error('what somebody has open');")
    _, values, looked = carry_out(targets)
    assert looked.verdict is Verdict.OK, looked.summary
    files = built.kept(RUN, values["sha256"])
    (script,) = [data.decode() for path, data in files.items() if path.endswith(".js")]
    assert netlify.settings.supabase_site in script
    assert anonymous(PROJECT) in script
    assert (sorted(path.partition("-")[0] for path in files), values["files"]) == (
        ["assets/index", "assets/index", "index.html"],
        3,
    )
    assert built.commit_of(RUN) == values["commit"]
    again = carry_out(targets)[1]
    assert again["sha256"] == values["sha256"]
    assert ACTION.undo(targets[2], ACTION.plan(targets[0]), values, quiet).verdict is Verdict.OK
    with pytest.raises(Refused, match="built nothing"):
        built.kept(RUN, values["sha256"])


@NODE
def test_files_that_somebody_touched_are_not_what_was_built(targets):
    plan, values, _ = carry_out(targets)
    built.keep(RUN, values["commit"], {"index.html": b"<p>"})
    with pytest.raises(Refused, match="not what the step asks for"):
        ACTION.verify(targets[1], plan, values)


LINKED = b"import fs from 'fs'; fs.mkdirSync('dist'); fs.symlinkSync('/etc/passwd', 'dist/index.html');"
SPOILT = {
    "a key of the vault": b'export const key = "sk-lab-dummy-openai-api-key";',
    "a key of the vault, in another spelling": b"export const key = atob('c2stbGFiLWR1bW15LW9wZW5haS1hcGkta2V5');",
    "what looks like one": b'export const key = "sk-proj-aB3dE6gH9kM2pQ5sT8vX1yZ4";',
    "a secret key of Supabase": f'export const key = "{anonymous(PROJECT, "service_role")}";'.encode(),
}


@NODE
@pytest.mark.parametrize("spoilt", first(1, *SPOILT))
def test_a_secret_in_what_would_be_served_is_told_without_it_and_nothing_is_kept(netlify, targets, spoilt):
    unlocked(netlify, {"src/main.js": SPOILT[spoilt]})
    with pytest.raises(StepFailed, match="holds a secret") as told:
        carry_out(targets)
    assert "assets/index-" in told.value.message
    assert not [part for part in ("lab-dummy-openai", "sk-proj", "eyJ") if part in told.value.message]
    with pytest.raises(Refused, match="built nothing"):
        built.kept(RUN, "0" * 64)


@pytest.mark.parametrize("spoilt", SPOILT)
def test_each_kind_of_secret_is_found_in_what_a_build_left(targets, spoilt):
    target = targets[2]
    known = built.known_secrets(target, target.hidden(), "SUPABASE_ANON_KEY", "SUPABASE_URL")
    content = {"index.html": b"<p>", "assets/index-1a2b3c4d.js": SPOILT[spoilt]}
    (found,) = secrets_in(content, known, [Secret(anonymous(PROJECT))])[:1]
    assert found.startswith("assets/index-1a2b3c4d.js: ")
    assert not [part for part in ("lab-dummy-openai", "sk-proj", "eyJ") if part in found]


@NODE
def test_a_key_under_vite_does_not_reach_the_build(netlify, targets, monkeypatch):
    monkeypatch.setenv("VITE_TOGETHER_API_KEY", "tg-v1-somebodys-own-9f3Kq7Zr")
    unlocked(netlify, {"src/main.js": b"export const key = import.meta.env.VITE_TOGETHER_API_KEY;"})
    _, values, _ = carry_out(targets)
    (script,) = [data for path, data in built.kept(RUN, values["sha256"]).items() if path.endswith(".js")]
    assert script == b"export const key = undefined;"


SPOILS = (
    ({"tools/build.mjs": b"throw new Error('broken');"}, "exit code 1"),
    ({"tools/build.mjs": LINKED}, "no plain file"),
    ({"tools/build.mjs": b""}, "left no folder dist"),
    ({"tools/build.mjs": b"import fs from 'fs'; fs.mkdirSync('dist');"}, "left no index.html"),
    ({"tools/build.mjs": b"import fs from 'fs'; fs.symlinkSync('/etc', 'dist');"}, "left no folder"),
)


@NODE
@pytest.mark.parametrize(("files", "said"), first(2, *SPOILS))
def test_a_build_that_fails_or_leaves_something_else_is_told(netlify, targets, files, said):
    unlocked(netlify, files)
    with pytest.raises(StepFailed, match=said):
        carry_out(targets)


def test_what_a_build_left_is_taken_only_as_plain_files_with_a_page(tmp_path):
    dist = tmp_path / "dist"
    with pytest.raises(StepFailed, match="left no folder dist"):
        built.taken(dist)
    dist.symlink_to("/etc")
    with pytest.raises(StepFailed, match="left no folder"):
        built.taken(dist)
    dist.unlink()
    dist.mkdir()
    with pytest.raises(StepFailed, match=r"left no index\.html"):
        built.taken(dist)
    (dist / "index.html").symlink_to("/etc/passwd")
    with pytest.raises(StepFailed, match="no plain file"):
        built.taken(dist)
    (dist / "index.html").unlink()
    (dist / "index.html").write_bytes(b"<p>")
    assert built.taken(dist) == {"index.html": b"<p>"}


@NODE
def test_a_build_that_takes_too_long_is_ended(netlify, targets):
    unlocked(netlify, {"tools/build.mjs": b"setInterval(() => {}, 1000);"})
    with pytest.raises(Unreachable):
        carry_out(targets, ACTION.model_copy(update={"build_seconds": 2.0}))


@NODE
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"package.json": b"{}"}, "script named build"),
        ({"package.json": b"no json"}, "script named build"),
    ],
)
def test_what_cannot_be_built_is_refused_by_the_plan(netlify, targets, files, said):
    head(netlify, files)
    with pytest.raises(Refused, match=said):
        ACTION.plan(targets[0])


@NODE
def test_packages_without_a_lock_file_are_refused(netlify, targets):
    git(netlify.settings.checkout, "rm", "--quiet", "package-lock.json")
    head(netlify, {"package.json": b'{"scripts": {"build": "vite build"}, "dependencies": {"vite": "^6"}}'})
    with pytest.raises(Refused, match=r"package-lock\.json"):
        ACTION.plan(targets[0])


def test_a_commit_that_is_not_here_yet_is_told(netlify, targets):
    netlify.doors.put(github={**netlify.doors.state()["github"], "heads": {"main": "b" * 40}})
    with pytest.raises((Unreachable, UsageError)) as told:
        ACTION.plan(targets[0])
    assert told.value.next_step


def test_outside_the_lab_a_build_must_not_run_as_the_executor(netlify, targets):
    real = netlify.settings.model_copy(update={"environment": "staging", "kernel_user": None})
    with closing(PlanTarget(real, RUN)) as target, pytest.raises(Refused, match="OPS_KERNEL_USER"):
        ACTION.plan(target)


SPIES = b"""import fs from "node:fs";
import os from "node:os";
const tried = (path) => { try { return fs.readFileSync(path).length; } catch (error) { return error.code; } };
const parent = tried(`/proc/${process.ppid}/environ`);
const said = { user: os.userInfo().username, names: Object.keys(process.env).sort() };
fs.mkdirSync("dist");
fs.writeFileSync("dist/index.html", JSON.stringify({ ...said, executor: tried("/proc/EXECUTOR/environ"), parent }));
"""


@NODE
def test_a_build_runs_as_the_other_user_and_sees_nothing_of_the_executor(netlify, targets, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("only root can start a build as another user")
    try:
        kernel_user.account("nobody")
    except SettingsError as error:
        pytest.skip(f"not possible on this machine: {error}")
    monkeypatch.setenv("SOME_CREDENTIAL", "tg-v1-somebodys-own-9f3Kq7Zr")
    unlocked(netlify, {"tools/build.mjs": SPIES.replace(b"EXECUTOR", str(os.getpid()).encode())})
    apart = netlify.settings.model_copy(update={"kernel_user": "nobody"})
    with closing(WriteTarget(apart, RUN)) as target:
        values = ACTION.apply(target, ACTION.plan(target), quiet)
    said = json.loads(built.kept(RUN, values["sha256"])["index.html"])
    assert (said["user"], said["executor"]) == ("nobody", "EACCES")
    assert "SOME_CREDENTIAL" not in said["names"]


def test_without_node_it_is_said(targets, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="not installed"):
        targets[0].build_tools.tools()


@pytest.mark.parametrize("name", ["vercel", "cloudflare"])
def test_where_the_hoster_builds_nothing_is_built_here_unless_it_is_asked_for(lab, name):
    doors = Doors(lab.settings)
    with doors.restored():
        hoster = of(lab.settings, doors, name)
        with ExitStack() as stack:
            targets = [
                stack.enter_context(closing(kind(hoster.settings, RUN)))
                for kind in (PlanTarget, VerifyTarget, WriteTarget)
            ]
            plan, values, looked = carry_out(targets)
    assert (plan.touches, values["sha256"], looked.verdict) == (0, "none", Verdict.OK)
    assert name in plan.after["built"]


def test_only_two_commands_of_npm_are_started(netlify, tmp_path):
    for arguments in (("install",), ("run", "deploy"), ("exec", "x"), ()):
        with pytest.raises(Refused, match="not started"):
            Builder(netlify.settings).run(arguments, tmp_path, tmp_path, {}, 5)


def test_a_secret_is_found_in_a_file_that_is_no_text():
    secret = Secret("tg-v1-old-9f3Kq7Zr2Lm8")
    assert secrets_in({"a.wasm": b"\x00tg-v1-old-9f3Kq7Zr2Lm8\xff"}, [secret], [])
    assert not secrets_in({"a.js": b"const a = 'nothing here';"}, [secret], [])
