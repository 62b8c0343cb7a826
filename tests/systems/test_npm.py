"""A lock file is installed only where somebody could have approved it; what is installed is held against it."""

import json

import pytest

from opslib.errors import Refused, StepFailed, Unreachable
from opslib.lab import development
from opslib.systems import npm, toolchain
from tests.workspaces import needs_npm

LOCK = json.loads(development.FILES["package-lock.json"])
REGISTRY = {
    "version": "1.0.0",
    "resolved": "https://registry.npmjs.org/left/-/left-1.0.0.tgz",
    "integrity": "sha512-" + "A" * 86 + "==",
}


def locked(**packages):
    return npm.parse(json.dumps({**LOCK, "packages": {**LOCK["packages"], **packages}}).encode())


def test_the_labs_lock_file_does_and_lists_what_has_a_script():
    lock = locked(**{"node_modules/left": {**REGISTRY, "hasInstallScript": True}})
    assert npm.fault(lock) is None
    assert lock.scripts == ["node_modules/left", "packages/brand"]
    assert lock.sources == {"(the checkout)": 2, "registry.npmjs.org": 1}


@pytest.mark.parametrize(
    ("place", "said", "why"),
    [
        ("node_modules/left", {"resolved": "git+ssh://git@github.com/x/left.git#1"}, "over https"),
        ("node_modules/left", {"resolved": "http://registry.npmjs.org/left.tgz"}, "over https"),
        ("node_modules/left", {"resolved": "https://me:word@registry.npmjs.org/left.tgz"}, "over https"),
        ("node_modules/left", {"resolved": "file:../../left.tgz"}, "over https"),
        ("node_modules/left", {"integrity": ""}, "no checksum"),
        ("node_modules/left", {"integrity": "sha1-abc"}, "no checksum"),
        ("node_modules/left", {"resolved": "../outside", "link": True}, "over https"),
        ("../outside", {}, "at '../outside'"),
        ("node_modules/../../x", {}, "at 'node_modules/../../x'"),
        ("/etc", {}, "at '/etc'"),
        (".git/hooks", {}, "at '.git/hooks'"),
        ("node_modules/@a/b/c", {}, "at 'node_modules/@a/b/c'"),
    ],
)
def test_what_nobody_could_compare_or_lies_outside_is_no_lock_file_to_install(place, said, why):
    fault = npm.fault(locked(**{place: REGISTRY | said}))
    assert fault is not None
    assert why in fault
    assert "word" not in fault


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"lockfileVersion": 1, "packages": {}}', b"[" * 5000])
def test_what_is_no_lock_file_is_told(data):
    with pytest.raises(Refused, match="cannot be read"):
        npm.parse(data)


def test_only_harmless_settings_of_a_repository_are_taken():
    assert (
        npm.odd_settings(b"# a\n; b\nregistry=https://npm.valuecanvas.com/\n@vc:registry=https://x/\nfund=false\n")
        == []
    )
    hostile = (
        b"script-shell=/tmp/x\nignore-scripts=false\ngit=/tmp/g\n//r.example/:_authToken=${T}\nnode-options=-r x\n"
    )
    assert len(npm.odd_settings(hostile)) == 5


@pytest.mark.parametrize(
    ("asked", "found", "old"),
    [
        (">=18.0.0", (18, 0, 0), False),
        (">=20", (18, 19, 1), True),
        ("20.x", (20, 1, 0), False),
        ("^20.11.0", (20, 10, 0), True),
        ("", (17, 9, 0), True),
        ("18 || 20", (18, 0, 0), False),
        (None, (16, 0, 0), True),
    ],
)
def test_a_version_is_held_against_the_guides_and_the_repositorys(asked, found, old):
    engines = None if asked is None else {"node": asked}
    assert (toolchain.too_old("node", found, engines) is not None) == old


def test_without_node_nothing_is_green(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for program in ("node", "npm"):
        with pytest.raises(Unreachable, match=f"{program} is not installed") as told:
            toolchain.version(program)
        assert told.value.kind == "missing"


@pytest.mark.parametrize("answer", ["echo no version", "exit 3"])
def test_a_node_that_says_nothing_of_use_is_told(monkeypatch, tmp_path, answer):
    (tmp_path / "node").write_text(f"#!/bin/sh\n{answer}\n")
    (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unreachable, match="does not say its version"):
        toolchain.version("node")


@pytest.fixture
def folder(tmp_path):
    for name, data in development.FILES.items():
        (tmp_path / "c" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "c" / name).write_bytes(data)
    return tmp_path / "c"


@needs_npm
def test_an_installation_is_exactly_the_lock_file_and_runs_no_script(folder, tmp_path):
    assert toolchain.version("node") >= (18, 0, 0)
    lock = npm.parse((folder / "package-lock.json").read_bytes())
    assert lock.installed(folder) == ["node_modules/@valuecanvas/brand"]
    npm.install(folder, tmp_path / "cache")
    assert lock.installed(folder) == []
    assert (folder / "package-lock.json").read_bytes() == development.FILES["package-lock.json"]
    assert not (folder / "packages/brand/it-was-run").exists()
    (folder / "node_modules/@valuecanvas/brand").unlink()
    assert lock.installed(folder) == ["node_modules/@valuecanvas/brand"]


@needs_npm
def test_an_installation_that_fails_is_told_with_npms_words(folder, tmp_path):
    (folder / "package.json").write_text("{")
    with pytest.raises(StepFailed, match="npm ended with exit code 1"):
        npm.install(folder, tmp_path / "cache")


@needs_npm
def test_a_setting_of_the_repository_does_not_bring_scripts_back(folder, tmp_path):
    (folder / ".npmrc").write_text("ignore-scripts=false\n")
    npm.install(folder, tmp_path / "cache")
    assert not (folder / "packages/brand/it-was-run").exists()


def test_what_is_installed_in_another_version_or_twice_is_seen(tmp_path):
    said = {"version": "1.0.0", "resolved": "https://r/x.tgz", "integrity": "sha512-x"}
    lock = npm.parse(json.dumps({"lockfileVersion": 3, "packages": {"": {}, "node_modules/x": said}}).encode())
    (tmp_path / "node_modules/x").mkdir(parents=True)
    hidden = tmp_path / npm.INSTALLED
    hidden.write_text(json.dumps({"lockfileVersion": 3, "packages": {"node_modules/x": said}}))
    own = tmp_path / "node_modules/x/package.json"
    own.write_text('{"version": "1.0.0"}')
    assert lock.installed(tmp_path) == []
    own.write_text('{"version": "1.0.1"}')
    assert lock.installed(tmp_path) == ["node_modules/x"]
    own.write_text("[]")
    assert lock.installed(tmp_path) == ["node_modules/x"]
    hidden.write_text(json.dumps({"lockfileVersion": 3, "packages": {}}))
    assert lock.installed(tmp_path) == ["node_modules/x"]
