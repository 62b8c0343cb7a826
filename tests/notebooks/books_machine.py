"""Runbooks that work on this machine, for whole runs that are broken off: a checkout to develop in, a build here."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from opslib.lab.vendors import product
from opslib.systems import dev_server
from tests.notebooks.books import DEPLOY, Book, There, deployed
from tests.workspaces import developers_vault

BUILD = "tools/build.mjs"
NO_ROOM = "no-room"
"""A file of the lab's folder: while it is there, builds find the disk full."""
_LOOKS = """import {{ existsSync }} from "node:fs";

if (existsSync("{}")) throw new Error("ENOSPC: no space left on device");
"""


def repository(house):
    return Path(house.settings.repository.removeprefix("file://"))


@contextmanager
def set_up(house):
    """Nothing is there; the state is where the checkout is at, its env file's mode, and whether packages are there."""
    if shutil.which("npm") is None:
        pytest.skip("Node.js is not installed on this machine")
    folder = house.settings.workspace
    commit = product.git(repository(house), "rev-parse", "main").strip()

    def state():
        if not folder.exists():
            return None
        file = folder / ".env.local"
        return {
            "commit": product.git(folder, "rev-parse", "HEAD").strip(),
            "changed": product.git(folder, "status", "--porcelain"),
            "file": file.stat().st_mode & 0o777 if file.exists() else None,
            "packages": (folder / "node_modules").is_dir(),
        }

    with developers_vault(house.settings):
        try:
            yield There(state, {"commit": commit, "changed": "", "file": 0o600, "packages": True})
        finally:
            for run in (house.archive / "runs").iterdir():
                dev_server.stop(run.name)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def built_here(house):
    """The newest commit's build says what a full disk makes it say, as long as there is no room."""
    folder = house.settings.checkout
    kept = (folder / BUILD).read_bytes()
    product.commit(folder, {BUILD: _LOOKS.format(house.lab.folder / NO_ROOM).encode() + kept})
    try:
        with deployed("netlify", 1)(house) as there:
            yield there
    finally:
        product.commit(folder, {BUILD: kept})


BOOKS = {
    "set up": Book("runbooks/set-up-environment", (), set_up, undo=True),
    "build here": Book(DEPLOY.name, (*DEPLOY.given, "build=draft"), built_here, DEPLOY.exit_codes, undo=True),
}
