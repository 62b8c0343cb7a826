"""A checkout is exactly its commit, whatever the repository would like to happen, and nothing of anybody's is lost."""

import os

import pytest

from opslib.errors import Refused, SettingsError, StepFailed, Unreachable
from opslib.lab.vendors import product
from opslib.systems.checkout import Entry
from opslib.systems.workspace import Workspace
from opslib.systems.workspace_tree import leads_out, obstacle, strangers
from tests.workspaces import OWN, RUN, Place, tree


@pytest.fixture
def place(lab, tmp_path):
    made = Place(lab.settings, tmp_path)
    yield made
    made.close()


def clone(place):
    place.write.workspace_writer.clone("main", place.commit, RUN)


def put(place, mode, name, data=b"x\n"):
    """Commit an entry that no file system need be able to hold."""
    blob = place.repository / ".git" / "blob"
    blob.write_bytes(data)
    oid = product.git(place.repository, "hash-object", "-w", str(blob)).strip()
    product.git(place.repository, "update-index", "--add", "--cacheinfo", f"{mode},{oid},{name}")
    product.git(place.repository, "commit", "--quiet", "--no-gpg-sign", "--message=Odd")


def nothing_is_there(place):
    return not place.folder.parent.exists() or not any(place.folder.parent.iterdir())


def test_a_clone_is_the_commit_byte_by_byte_and_says_whose_it_is(place):
    clone(place)
    found = place.plan.workspace.standing()
    assert (found.state, found.commit, found.mark["work"]) == ("checkout", place.commit, RUN)
    assert place.plan.workspace.changes(place.commit) == []
    assert [path.name for path in place.folder.parent.iterdir()] == ["valuecanvas"]
    assert product.git(place.folder, "status", "--porcelain", "--ignored") == ""
    assert product.git(place.folder, "remote", "get-url", "origin").strip() == place.settings.repository


def test_no_hook_filter_or_helper_is_started_whoever_names_it(place, tmp_path, monkeypatch):
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\nexec cat\n")
    trap.chmod(0o755)
    template = tmp_path / "template" / "hooks"
    template.mkdir(parents=True)
    for name in ("post-checkout", "post-merge", "reference-transaction", "post-index-change"):
        (template / name).write_bytes(trap.read_bytes())
        (template / name).chmod(0o755)
        (place.repository / ".git" / "hooks" / name).parent.mkdir(exist_ok=True)
        (place.repository / ".git" / "hooks" / name).write_bytes(trap.read_bytes())
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[filter "trap"]\n smudge = {trap}\n clean = {trap}\n required = true\n[core]\n fsmonitor = {trap}\n'
        f" hooksPath = {template}\n sshCommand = {trap}\n[credential]\n helper = !{trap}\n"
    )
    for name, value in (
        ("GIT_CONFIG_GLOBAL", str(settings)),
        ("GIT_TEMPLATE_DIR", str(template.parent)),
        ("GIT_ASKPASS", str(trap)),
        ("GIT_SSH_COMMAND", str(trap)),
    ):
        monkeypatch.setenv(name, value)
    text = b"line\r\nline $Id$\n"
    product.commit(place.repository, {".gitattributes": b"* filter=trap ident\n*.txt eol=crlf\n", "some.txt": text})
    clone(place)
    assert (place.folder / "some.txt").read_bytes() == product.git(place.repository, "show", "HEAD:some.txt").encode()
    assert place.plan.workspace.changes(place.commit) == []
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "scripts/../../outside", "scripts/..", "..", "."])
def test_a_link_that_leads_out_is_refused_and_nothing_is_written(place, target):
    put(place, "120000", "odd", target.encode())
    with pytest.raises(Refused, match="has 'odd', a link that leads out"):
        clone(place)
    assert nothing_is_there(place)


def test_a_link_that_stays_within_is_made(place):
    put(place, "120000", "scripts/readme", b"../package.json")
    clone(place)
    assert str((place.folder / "scripts/readme").readlink()) == "../package.json"
    assert place.plan.workspace.changes(place.commit) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("n" * 300, "too long"),
        ("/".join(["d" * 200] * 12), "too long"),
        ("bad\x1b[2Jname", "cannot be printed"),
        ("node_modules/x.js", "made here"),
        (".env.local", "made here"),
    ],
)
def test_an_odd_name_is_refused_and_nothing_is_written(place, name, said):
    put(place, "100644", name)
    with pytest.raises(Refused, match=said) as told:
        clone(place)
    assert "\x1b" not in str(told.value)
    assert nothing_is_there(place)


def test_a_name_that_would_be_gits_own_does_not_get_in(place):
    blob = product.git(place.repository, "rev-parse", "HEAD:package.json").strip()
    (place.repository / ".git" / "listing").write_text(f"100755 blob {blob}\tpost-checkout\n")
    listing = (place.repository / ".git" / "listing").read_text()
    hooks = _mktree(place, listing)
    inner = _mktree(place, f"040000 tree {hooks}\thooks\n")
    top = _mktree(place, f"040000 tree {inner}\t.git\n")
    commit = product.git(place.repository, "commit-tree", top, "-m", "Odd").strip()
    product.git(place.repository, "update-ref", "refs/heads/main", commit)
    with pytest.raises(StepFailed):
        clone(place)
    assert nothing_is_there(place)


def _mktree(place, listing):
    import subprocess

    done = subprocess.run(
        ["git", "-C", str(place.repository), "mktree"], input=listing, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_submodules_are_left_out(place):
    product.git(place.repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/thing")
    product.commit(place.repository, {".gitmodules": b'[submodule "t"]\n\tpath = vendor/thing\n\turl = ./thing\n'})
    product.git(place.repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/thing")
    product.git(place.repository, "commit", "--quiet", "--amend", "--no-edit", "--no-gpg-sign")
    clone(place)
    assert list((place.folder / "vendor").rglob("*")) == [place.folder / "vendor/thing"]
    assert not (place.folder / ".git/modules").exists()


def test_a_branch_that_moved_since_it_was_planned_is_not_taken(place):
    planned = place.commit
    product.commit(place.repository, {"later": b""})
    with pytest.raises(Refused, match=r"points at \w+ by now"):
        place.write.workspace_writer.clone("main", planned, RUN)
    assert nothing_is_there(place)


@pytest.mark.parametrize(
    "address",
    ["ssh://git@host/x.git", "https://user:word@host/x.git", "ext::sh -c id", "-x", "file:///srv/../x", "file:///a b"],
)
def test_no_address_but_https_and_of_this_machine_is_in_a_description(lab, address):
    from opslib.settings import load_reading

    with pytest.raises(SettingsError, match="OPS_REPOSITORY") as told:
        load_reading({**lab.settings.reading().variables(), "OPS_REPOSITORY": address})
    assert "word" not in str(told.value)


@pytest.mark.parametrize("address", ["https://example.com/a/b.git", "file:///home/ann/product/.lab/vendors/checkout"])
def test_an_address_of_a_repository_may_lie_below_a_hidden_folder(lab, address):
    from opslib.settings import load_reading

    assert load_reading({**lab.settings.reading().variables(), "OPS_REPOSITORY": address}).repository == address


def test_a_branch_that_is_not_there_and_a_repository_that_is_not_are_told(place):
    with pytest.raises(Unreachable, match="shows no branch nowhere"):
        place.plan.workspace.newest("nowhere")
    gone = place.settings.model_copy(update={"repository": f"file://{place.repository}-gone"})
    with pytest.raises(Unreachable, match="shows no branch main"):
        Workspace(gone).newest("main")


@pytest.mark.parametrize("missing", ["workspace", "repository"])
def test_a_description_without_them_is_told(lab, missing):
    with pytest.raises(SettingsError, match=f"OPS_{missing.upper()}"):
        Workspace(lab.settings.model_copy(update={missing: None}))


def test_what_stands_there_is_told_apart_and_nothing_of_it_is_started(place, tmp_path):
    assert place.plan.workspace.standing().state == "absent"
    place.folder.parent.mkdir()
    place.folder.mkdir()
    assert place.plan.workspace.standing().why == "is no git checkout"
    place.folder.rmdir()
    place.folder.symlink_to(place.repository)
    assert place.plan.workspace.standing().why.startswith("is no folder")
    place.folder.unlink()
    place.clone_by_hand()
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\nexec cat\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "filter.trap.clean", "core.pager", "core.sshCommand", "alias.config"):
        product.git(place.folder, "config", name, str(trap))
    (place.folder / ".git/info/attributes").write_text("* filter=trap\n")
    assert place.plan.workspace.standing().mark == {}
    assert place.plan.workspace.changes(place.commit) == []
    assert place.plan.workspace.ignored()
    product.git(place.folder, "config", "remote.origin.url", "https://me:secret-word@example.com/other.git")
    found = place.plan.workspace.standing()
    assert (found.state, found.why) == ("other", "is a checkout of another repository")
    assert not (tmp_path / "sprung").exists()


def test_an_address_counts_without_credentials_and_ending(place):
    place.clone_by_hand()
    product.git(place.folder, "config", "remote.origin.url", f"{place.settings.repository}.git/")
    assert place.plan.workspace.standing().state == "checkout"


CHANGES = {
    "a changed file": lambda f: (f / "package.json").write_text("{}"),
    "a file made a program": lambda f: (f / "package.json").chmod(0o755),
    "a file gone": lambda f: (f / "package.json").unlink(),
    "a file made a link": lambda f: [(f / ".nvmrc").unlink(), (f / ".nvmrc").symlink_to("package.json")],
    "a new file": lambda f: (f / "notes.txt").write_text("mine"),
    "an ignored file": lambda f: (f / ".env.test.local").write_text("mine"),
    "what is staged alone": lambda f: [
        (f / "package.json").write_text("{}"),
        product.git(f, "add", "package.json"),
        (f / "package.json").write_bytes(product.git(f, "show", "HEAD:package.json").encode()),
    ],
    "a commit of another branch": lambda f: [
        product.git(f, "checkout", "--quiet", "-b", "mine"),
        product.commit(f, {"mine": b"x"}),
        product.git(f, "checkout", "--quiet", "main"),
    ],
    "a stash": lambda f: [(f / "package.json").write_text("{}"), product.git(f, "stash", "--quiet")],
    "another working tree": lambda f: product.git(f, "worktree", "add", "--quiet", "--detach", str(f.parent / "w2")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_somebody_did_in_a_checkout_is_seen(place, what):
    clone(place)
    CHANGES[what](place.folder)
    assert place.plan.workspace.changes(place.commit) != []


def test_a_half_made_clone_leaves_nothing_and_another_works_is_left_alone(place):
    place.folder.parent.mkdir()
    mine, theirs = (place.folder.with_name(f".valuecanvas.part-{name}") for name in (OWN, "ffffff"))
    for folder in (mine, theirs):
        folder.mkdir()
        (folder / "half").write_text("x")
    place.write.workspace_writer.clear(RUN)
    assert (mine.exists(), theirs.exists()) == (False, True)


def test_two_runs_at_once_do_not_work_in_one_folder(place):
    writer = place.write.workspace_writer
    with writer.alone(), pytest.raises(Refused, match="Another run works in"), writer.alone():
        pass


def test_a_written_env_file_is_whole_private_and_what_it_replaced_comes_back(place):
    clone(place)
    writer = place.write.workspace_writer
    mine = place.folder / ".env.local"
    mine.write_text("MINE=1\n")
    mine.chmod(0o644)
    before = tree(place.folder)
    writer.put_environment(b"A=1\n", RUN)
    assert (mine.read_bytes(), f"{mine.stat().st_mode:o}") == (b"A=1\n", "100600")
    assert writer.environment_is(RUN)
    writer.restore_environment(RUN)
    assert (mine.read_text(), f"{mine.stat().st_mode:o}") == ("MINE=1\n", "100600")
    mine.chmod(0o644)
    assert tree(place.folder) == before


def test_a_link_in_the_env_files_place_is_neither_read_nor_written_through(place, tmp_path):
    clone(place)
    (tmp_path / "target").write_text("theirs")
    (place.folder / ".env.local").symlink_to(tmp_path / "target")
    with pytest.raises(Refused, match="cannot be read as a plain file"):
        place.write.workspace_writer.put_environment(b"A=1\n", RUN)
    assert (tmp_path / "target").read_text() == "theirs"


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("a", b"b", False),
        ("a", b"b/c", False),
        ("d/a", b"../b", False),
        ("d/a", b"../../b", True),
        ("d/e/a", b"../../b", False),
        ("a", b"b/../../c", True),
        ("a", b"", True),
        ("a", b"/b", True),
        ("a", b"./b", False),
    ],
)
def test_where_a_link_leads_is_told_from_its_text(path, target, out):
    assert leads_out(path, target) == out


def test_too_many_and_too_large_files_are_no_commit_for_this_machine():
    small = [Entry("100644", "0" * 40, 1, f"f{number}") for number in range(3)]
    assert obstacle(small, {}) is None
    assert "more than" in (obstacle(small * 20_000, {}) or "")
    assert "more than" in (obstacle([Entry("100644", "0" * 40, 3 * 1024**3, "f")], {}) or "")
    assert "odd mode" in (obstacle([Entry("040000", "0" * 40, 1, "f")], {}) or "")


def test_a_pipe_in_a_files_place_holds_nobody(tmp_path):
    os.mkfifo(tmp_path / "f")
    assert strangers(tmp_path, [Entry("100644", "0" * 40, 1, "f")]) == ["f"]
