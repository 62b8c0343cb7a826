"""A development environment as the checks judge it: what is broken is found, what nobody could look at is UNKNOWN."""

import os
import socket
from dataclasses import replace

import pytest

from opslib.actions.environment import CloneRepository, InstallPackages, StartDevServer, WriteEnvironmentFile
from opslib.checks import environment as checks
from opslib.lab.development import key
from opslib.lab.production import dummy
from opslib.model import Verdict
from opslib.runs.reading import evaluate, take
from opslib.systems import dev_server
from opslib.systems.target import PlanTarget
from tests.workspaces import RUN, Place, developers_vault, needs_npm


@pytest.fixture(scope="module")
def place(lab, tmp_path_factory):
    """One environment for all of them; each test puts back what it broke."""
    made = Place(lab.settings, tmp_path_factory.mktemp("environment"))
    made.carry_out(CloneRepository(branch="main"))
    made.carry_out(WriteEnvironmentFile(commit=made.commit))
    yield made
    made.close()


@pytest.fixture
def file(place):
    path = place.folder / ".env.local"
    before = path.read_bytes()
    yield path
    path.write_bytes(before)
    path.chmod(0o600)


def verdict(check, place):
    result = evaluate(check, place.plan)
    return result.verdict, result.summary


FILE_CHECKS = [checks.variables_valid(), checks.file_private(), checks.secrets_apart(), checks.supabase_ready("hosted")]


def test_what_was_set_up_is_well(place):
    assert [verdict(check, place)[0] for check in FILE_CHECKS] == [Verdict.OK] * 4
    assert verdict(checks.checkout_clean(), place) == (
        Verdict.OK,
        f"It is at {place.commit[:12]}, and no file is changed.",
    )


def test_without_a_file_nobody_says_anything_of_it(place, file):
    file.unlink()
    assert {verdict(check, place)[0] for check in FILE_CHECKS} == {Verdict.UNKNOWN}


def test_a_link_in_its_place_is_not_read(place, file, tmp_path):
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert verdict(checks.variables_valid(), place)[0] is Verdict.UNKNOWN
    file.unlink()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"VITE_APP_ENV=development", b"", "VITE_APP_ENV is not set"),
        (b"REDIS_ENABLED=true", b"REDIS_ENABLED=your-choice", "REDIS_ENABLED is a template's value"),
        (b"CACHE_TTL=3600", b"VITE_API_TOKEN=abc-def-ghi", "VITE_API_TOKEN is a secret under a name"),
    ],
)
def test_what_is_wrong_in_the_file_is_found_and_when_mended_gone(place, file, old, new, said):
    before = file.read_bytes()
    file.write_bytes(before.replace(old, new))
    found = verdict(checks.variables_valid(), place)
    assert (found[0], said in found[1]) == (Verdict.CRITICAL, True)
    file.write_bytes(before)
    assert verdict(checks.variables_valid(), place)[0] is Verdict.OK


def test_without_a_fallback_it_is_a_warning(place, file):
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(line for line in lines if not line.startswith(b"OPENAI")))
    assert verdict(checks.variables_valid(), place) == (Verdict.WARNING, "OPENAI_API_KEY is not set.")


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644])
def test_a_file_that_others_may_read_is_critical(place, file, mode):
    file.chmod(mode)
    found = verdict(checks.file_private(), place)
    assert (found[0], f"mode {mode:04o}" in found[1]) == (Verdict.CRITICAL, True)


def test_a_file_that_git_does_not_ignore_is_critical(place, file):
    ignore = place.folder / ".gitignore"
    before = ignore.read_bytes()
    ignore.write_bytes(b"node_modules\n")
    assert verdict(checks.file_private(), place) == (Verdict.CRITICAL, ".env.local: git does not ignore it.")
    ignore.write_bytes(before)


def test_a_name_that_stands_twice_and_a_line_that_is_none_are_a_warning(place, file):
    file.write_bytes(file.read_bytes() + b"LOG_LEVEL=info\nnonsense here\n")
    found = verdict(checks.file_private(), place)
    assert found == (Verdict.WARNING, ".env.local: twice: LOG_LEVEL; lines that cannot be read: 1.")


def test_a_secret_of_another_environment_is_critical_and_without_a_vault_unknown(place, file):
    line = next(line for line in file.read_bytes().splitlines() if line.startswith(b"JWT_SECRET="))
    other = place.folder / ".env.production"
    other.write_bytes(line + b"\n")
    found = verdict(checks.secrets_apart(), place)
    assert found == (Verdict.CRITICAL, "The same: JWT_SECRET as in .env.production.")
    other.unlink()
    file.write_bytes(file.read_bytes().replace(line, b"JWT_SECRET=" + dummy("JWT_SECRET").encode()))
    found = verdict(checks.secrets_apart(), place)
    assert found == (Verdict.CRITICAL, "The same: JWT_SECRET as in the vault of the target.")
    blind = PlanTarget(place.settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"}), RUN)
    assert evaluate(checks.secrets_apart(), blind).verdict is Verdict.UNKNOWN
    blind.close()


def test_keys_of_another_project_are_critical(place, file):
    said = key("anon", "labvaluecanvasothers")
    lines = [line for line in file.read_text().splitlines() if not line.startswith("VITE_SUPABASE_ANON_KEY")]
    file.write_text("\n".join([*lines, f"VITE_SUPABASE_ANON_KEY={said}\n"]))
    found = verdict(checks.supabase_ready("hosted"), place)
    assert (found[0], said in found[1]) == (Verdict.CRITICAL, False)


def test_a_local_supabase_that_does_not_answer_is_unknown_with_the_reason(place):
    with socket.socket() as door:
        if door.connect_ex(("127.0.0.1", 54321)) == 0:
            pytest.skip("something listens on the port of a local Supabase here")
    found = verdict(checks.supabase_ready("local"), place)
    assert found[0] is Verdict.UNKNOWN
    assert "No local Supabase answers: docker " in found[1]


def test_a_changed_file_is_a_warning_another_repository_critical_and_nothing_unknown(lab, place, tmp_path):
    (place.folder / ".nvmrc").write_text("1\n")
    assert verdict(checks.checkout_clean(), place) == (Verdict.WARNING, "1 of its files are changed, first .nvmrc.")
    (place.folder / ".nvmrc").write_text("20\n")
    absent = Place(lab.settings, tmp_path)
    assert verdict(checks.checkout_clean(), absent)[0] is Verdict.UNKNOWN
    absent.folder.mkdir(parents=True)
    assert verdict(checks.checkout_clean(), absent)[0] is Verdict.CRITICAL
    absent.close()


@needs_npm
def test_programs_are_ok_where_they_are_new_enough_and_unknown_where_they_are_not_there(place, monkeypatch, tmp_path):
    assert verdict(checks.tools_ready(), place)[0] is Verdict.OK
    monkeypatch.setenv("PATH", str(tmp_path))
    assert verdict(checks.tools_ready(), place) == (Verdict.UNKNOWN, "Not found: node, npm.")
    for name, said in (("node", "v16.20.2"), ("npm", "9.1.0")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / name).chmod(0o755)
    assert verdict(checks.tools_ready(), place) == (Verdict.CRITICAL, "Too old: node 16.20.2 (needs 18.0.0).")


def test_what_a_local_supabase_needs_is_ok_too_old_or_unknown(place, monkeypatch, tmp_path):
    check = checks.local_tools_ready()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert verdict(check, place) == (Verdict.UNKNOWN, "Not found: supabase, docker.")
    for name, said in (("supabase", "2.54.11"), ("docker", "Docker version 20.9.1, build 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / name).chmod(0o755)
    assert verdict(check, place) == (Verdict.CRITICAL, "Too old: docker 20.9.1 (needs 20.10.0).")
    (tmp_path / "docker").write_text("#!/bin/sh\necho Docker version 28.2.2, build 1\n")
    assert verdict(check, place) == (Verdict.OK, "supabase 2.54.11, docker 28.2.2.")


def test_the_guides_scripts_that_never_were_are_named(place):
    found = verdict(checks.scripts_defined(), place)
    assert found == (Verdict.WARNING, "Not defined: verify-env, check-env, typecheck.")


def test_scripts_are_judged_by_the_manifest_of_the_commit(place):
    def judged(*rows):
        return checks.scripts_defined().judge(replace(take(checks.scripts_defined().probe, place.plan), rows=rows))

    assert judged({"script": "dev", "defined": True}).verdict is Verdict.OK
    # What stands in the folder is somebody's work: the commit is what the guide's words would start.
    manifest = place.folder / "package.json"
    before = manifest.read_text()
    try:
        manifest.write_text("{")
        assert verdict(checks.scripts_defined(), place)[0] is Verdict.WARNING
    finally:
        manifest.write_text(before)


@needs_npm
def test_a_server_is_found_while_it_runs_and_no_other_is_taken_for_it(place):
    check = checks.server_answers()
    assert verdict(check, place)[0] is Verdict.UNKNOWN
    place.carry_out(InstallPackages(commit=place.commit))
    place.carry_out(StartDevServer(commit=place.commit))
    assert verdict(check, place)[0] is Verdict.OK
    dev_server.stop(RUN)
    port = place.settings.development_port
    assert verdict(check, place) == (Verdict.CRITICAL, f"Nothing listens on port {port}.")
    with socket.create_server(("127.0.0.1", port)):
        assert verdict(check, place)[0] is Verdict.WARNING
    assert dev_server.find(RUN) is None


def test_no_reading_holds_a_value(place, vaulted):
    for check in [*FILE_CHECKS, checks.checkout_clean()]:
        result = evaluate(check, place.plan)
        assert "cAnary" not in repr(result)


@pytest.fixture
def vaulted(place):
    """The env file with canaries in the place of its secrets."""
    path = place.folder / ".env.local"
    before = path.read_bytes()
    with developers_vault(place.settings) as vault:
        vault.put(JWT_SECRET="cAnary7Kiwi9Qz" * 3)
        path.write_bytes(before.replace(b"JWT_SECRET=", b"JWT_SECRET=cAnary7Kiwi9Qz"))
        yield os.fspath(path)
    path.write_bytes(before)
