"""Who runs a command: what its user can set in the environment must not make it somebody else."""

import os
import subprocess
import sys

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
    if os.getuid() or origin._login() < origin.NOBODY:
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
