"""A commit's files out of git's own objects: whatever stands in the working tree, whatever its settings ask for."""

import subprocess

import pytest

from opslib.errors import SettingsError, Unreachable
from opslib.lab.vendors import product
from opslib.systems.checkout import Checkout


@pytest.fixture
def folder(tmp_path):
    product.write(tmp_path / "checkout")
    return tmp_path / "checkout"


def test_a_commits_files_come_byte_by_byte(folder):
    data = {"supabase/functions/odd/index.ts": bytes(range(256)) * 9, "supabase/functions/odd/ä b.ts": b""}
    made = product.commit(folder, data)
    checkout = Checkout(folder)
    assert checkout.commit("main") == checkout.commit(made) == made
    assert checkout.files(made) == product.COMMITTED | data
    assert list(checkout.files(checkout.commit("main"))) == sorted(product.COMMITTED | data)


def test_what_stands_in_the_working_tree_counts_for_nothing_and_is_left_alone(folder):
    checkout = Checkout(folder)
    commit = checkout.commit("main")
    (folder / product.HELLO).write_bytes(b"half changed")
    (folder / "supabase/functions/mine/index.ts").parent.mkdir()
    (folder / "supabase/functions/mine/index.ts").write_bytes(b"not committed")
    product.git(folder, "add", "--all")
    before = product.git(folder, "status", "--porcelain")
    assert checkout.files(commit) == product.COMMITTED
    assert product.git(folder, "status", "--porcelain") == before


def test_what_a_commits_id_stands_for_is_asked_of_git_once_and_a_branch_each_time(folder):
    checkout = Checkout(folder)
    before = checkout.commit("main")
    files = checkout.files(before)
    after = product.commit(folder, {product.HELLO: b"newer"})
    assert checkout.commit("main") == after
    assert checkout.files(after) == files | {product.HELLO: b"newer"}
    assert checkout.file(after, product.HELLO) == b"newer"
    (folder / ".git/objects").rename(folder / "elsewhere")
    assert checkout.files(before) == files
    assert checkout.files(after)[product.HELLO] == b"newer"
    with pytest.raises(Unreachable):
        checkout.commit("main")


def test_a_bare_repository_serves_as_well(folder, tmp_path):
    subprocess.run(["git", "clone", "--quiet", "--bare", folder, tmp_path / "bare"], check=True, capture_output=True)
    assert Checkout(tmp_path / "bare").files("main" and Checkout(folder).commit("main")) == product.COMMITTED


def test_no_program_that_the_repositorys_settings_name_is_started(folder, tmp_path):
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "filter.trap.smudge", "diff.trap.textconv", "core.sshCommand"):
        product.git(folder, "config", name, str(trap))
    (folder / ".git/info/attributes").write_text("* filter=trap diff=trap\n")
    checkout = Checkout(folder)
    assert checkout.files(checkout.commit("main")) == product.COMMITTED
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("ref", ["release/2026-11", "0" * 40])
def test_a_name_of_no_commit_is_told(folder, ref):
    with pytest.raises(Unreachable, match="has no commit") as told:
        Checkout(folder).commit(ref)
    assert "git fetch" in told.value.next_step


def test_a_link_is_not_followed_and_not_deployed(folder):
    (folder / "supabase/functions/hello/secrets.ts").symlink_to("/etc/passwd")
    commit = product.commit(folder, {})
    with pytest.raises(Unreachable, match="no plain file"):
        Checkout(folder).files(commit)


def test_a_folder_that_is_no_repository_is_told(tmp_path):
    with pytest.raises(Unreachable, match="has no commit main"):
        Checkout(tmp_path).commit("main")
    with pytest.raises(SettingsError, match="OPS_CHECKOUT"):
        Checkout(None)


def test_a_whole_commit_is_written_without_what_stands_in_the_working_tree(folder, tmp_path):
    checkout, place = Checkout(folder), tmp_path / "place"
    (folder / "package.json").write_text("{}")
    (folder / "node_modules").mkdir()
    place.mkdir()
    whole = product.COMMITTED | product.FILES | product.FRONT_END | product.DELIVERED
    assert checkout.write(checkout.commit("main"), place) == len(whole)
    assert {p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()} == whole
    assert checkout.file(checkout.commit("main"), "package.json") == product.FILES["package.json"]
    assert checkout.file(checkout.commit("main"), "absent.json") is None


def test_a_link_in_a_commit_is_not_written(folder, tmp_path):
    (folder / "link").symlink_to("/etc/passwd")
    made = product.commit(folder, {})
    with pytest.raises(Unreachable, match="no plain file"):
        Checkout(folder).write(made, tmp_path)
