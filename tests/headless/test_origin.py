"""Who runs a command: what its user can set in the environment must not make it somebody else."""

import hashlib
import os
import platform
import pwd
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from opslib.headless import origin

SAY = """
import os, sys
from opslib.headless import origin
os.setresuid(*[int(sys.argv[1])] * 3)  # after the imports: that user need not be able to read them
print(*origin.names())
"""
SUDO = {"SUDO_UID": "1", "SUDO_USER": "daemon", "SUDO_COMMAND": "/usr/bin/ops"}


@pytest.fixture
def names():
    if os.getuid() or origin.login() < origin.NOBODY:
        pytest.skip("needs root that nobody logged in as, to be other users")

    def ask(user, **environment):
        said = subprocess.run(
            [sys.executable, "-c", SAY, str(user)], env=environment, capture_output=True, text=True, check=True
        )
        return said.stdout.split()

    return ask


def test_a_person_does_not_become_somebody_else_by_what_sudo_would_set(names):
    assert names(origin.FIRST_PERSON + 234) == [f"uid-{origin.FIRST_PERSON + 234}"]
    said = names(origin.FIRST_PERSON + 234, **SUDO)
    assert said[0] == f"uid-{origin.FIRST_PERSON + 234}"
    assert len(said) == 2


def test_under_sudo_a_services_user_is_who_called_it(names):
    assert names(2, **SUDO) == ["daemon", "bin"]


@pytest.mark.parametrize("uid", ["", "-1", "x", "4294967295", "99999999999", "1 "])
def test_what_is_no_users_number_is_nobody(names, uid):
    assert names(2, SUDO_UID=uid, SUDO_COMMAND="x") == ["bin"]


NOBODY, PERSON = 4294967295, 500 if sys.platform == "darwin" else 1000
SERVICE = PERSON - 1
SUDOED = {"SUDO_UID": "7", "SUDO_COMMAND": "x"}


@pytest.mark.parametrize(
    ("uid", "login", "said", "likeliest_first"),
    [
        (PERSON, NOBODY, {}, [PERSON]),
        (PERSON, NOBODY, SUDOED, [PERSON, 7]),
        (SERVICE, NOBODY, SUDOED, [7, SERVICE]),
        (0, NOBODY, SUDOED, [7, 0]),
        (0, PERSON, SUDOED, [PERSON, 7, 0]),
        (PERSON, PERSON + 1, SUDOED, [PERSON + 1, PERSON, 7]),
        (PERSON, PERSON, {}, [PERSON]),
        (0, 0, {"SUDO_UID": "0", "SUDO_COMMAND": "x"}, [0]),
        (0, NOBODY, {"SUDO_UID": "7"}, [0]),
        (0, NOBODY, {"SUDO_COMMAND": "x"}, [0]),
        (0, NOBODY, {"SUDO_UID": str(NOBODY), "SUDO_COMMAND": "x"}, [0]),
        (0, NOBODY, {"SUDO_UID": str(NOBODY - 1), "SUDO_COMMAND": "x"}, [NOBODY - 1, 0]),
        (0, NOBODY, {"SUDO_UID": "00000000007", "SUDO_COMMAND": "x"}, [0]),
    ],
)
def test_who_logged_in_comes_first_and_what_sudo_says_before_a_service_only(uid, login, said, likeliest_first):
    assert origin.numbers(uid, login, said) == likeliest_first


def test_a_process_has_the_name_of_its_user_and_where_it_runs():
    assert origin.name_of(os.getuid()) == pwd.getpwuid(os.getuid()).pw_name
    assert origin.name_of(NOBODY - 7) == f"uid-{NOBODY - 7}"
    assert origin.who() == origin.names()[0]
    assert pwd.getpwuid(os.getuid()).pw_name in origin.names()
    assert origin.where() == socket.gethostname()


@pytest.mark.parametrize(("text", "number"), [("1000", 1000), ("4294967295", NOBODY), ("", NOBODY), ("x", NOBODY)])
def test_who_logged_in_is_what_the_system_says_or_nobody(tmp_path, text, number):
    (tmp_path / "loginuid").write_text(text)
    assert origin.login(tmp_path / "loginuid") == number
    assert origin.login(tmp_path / "none") == NOBODY


def test_the_commit_is_read_from_gits_files_and_is_none_without_them(tmp_path):
    assert origin.commit(tmp_path) is None
    git = tmp_path / ".git"
    git.mkdir()
    (git / "HEAD").write_text("c0ffee\n")
    assert origin.commit(tmp_path) == "c0ffee"
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert origin.commit(tmp_path) is None
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "refs" / "heads" / "main").write_text("decaf\n")
    assert origin.commit(tmp_path) == "decaf"


def test_the_code_is_the_packages_files_and_the_lock_of_what_it_needs():
    root = Path(origin.__file__).resolve().parents[2]
    files = [path for path in (root / "opslib").rglob("*") if path.suffix in origin.CODE and path.is_file()]
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root / 'opslib')}\n"
        for path in sorted(files)
    ]
    lines.append(f"{hashlib.sha256((root / 'uv.lock').read_bytes()).hexdigest()}  uv.lock\n")
    origin.code_sha256.cache_clear()
    assert origin.code_sha256() == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert {".py", ".sql", ".sh"} <= {path.suffix for path in files}


def test_the_versions_are_those_that_run():
    assert origin.versions() == {
        "opslib": version("opslib"),
        "papermill": version("papermill"),
        "python": platform.python_version(),
    }
