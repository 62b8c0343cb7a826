"""For tests of development environments: a repository, a place for its checkout, and the developers' vault."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from opslib.lab import development
from opslib.lab.processes import free_port
from opslib.lab.vendors import product
from opslib.systems import dev_server
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.vaults import person

OWN = f"{os.getpid():06x}"
RUN = f"20261128T130614Z-runbooks-set-up-environment-{OWN}"
"""A work of this process: servers are known by it, and tests in another process end theirs."""

needs_npm = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="node and npm are not installed here"
)


def quiet(text: str, done: float | None = None, total: float | None = None) -> None:
    """Tell nobody."""


class Place:
    """One repository and one place of a checkout; ``plan``, ``look`` and ``write`` are the handles on them.

    ``like``: its repository is that place's, which must stay as it is, and its checkout a copy of that one.
    """

    def __init__(self, settings: Any, folder: Path, *, like: Place | None = None, **changes: Any) -> None:
        self.repository: Path = like.repository if like else folder / "repository"
        self.folder = folder / "work" / "valuecanvas"
        if like:
            # With its checkout as it is: to clone and to install takes many programs.
            shutil.copytree(like.folder.parent, self.folder.parent, symlinks=True)
        else:
            product.write(self.repository)
        said = {
            "repository": f"file://{self.repository}",
            "workspace": self.folder,
            "development_port": free_port(set()),
            **changes,
        }
        self.settings = settings.model_copy(update=said)
        self.plan, self.look = PlanTarget(self.settings, RUN), VerifyTarget(self.settings, RUN)
        self.write = WriteTarget(self.settings, RUN)

    @property
    def kept(self) -> Path:
        """Where the program keeps what it knows of the checkout."""
        return self.folder / ".git" / "opslib"

    @property
    def commit(self) -> str:
        """The newest commit of the repository."""
        return product.git(self.repository, "rev-parse", "HEAD").strip()

    def carry_out(self, action: Any) -> tuple[Any, Any, Any]:
        """Plan, apply and verify; returns plan, values and verification."""
        plan = action.plan(self.plan)
        values = action.apply(self.write, plan, quiet)
        return plan, values, action.verify(self.look, plan, values)

    def clone_by_hand(self) -> None:
        """Make the checkout as a person does."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        product.git(self.repository, "clone", "--quiet", self.settings.repository, str(self.folder))

    def close(self) -> None:
        """Close the handles, and end what was started."""
        dev_server.stop(RUN)
        for target in (self.plan, self.look, self.write):
            target.close()


def tree(folder: Path) -> dict[str, tuple[str, str]]:
    """Return kind with mode, and content's digest or target, of everything below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = f"{path.lstat().st_mode:o}"
        if path.is_symlink():
            found[str(path.relative_to(folder))] = (mode, str(path.readlink()))
        else:
            data = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path.relative_to(folder))] = (mode, data)
    return found


class DevelopersVault:
    """The developers' secret, written as a person would."""

    def __init__(self, settings: Any) -> None:
        self.name = settings.development_secret
        self.client = person(settings)

    def put(self, **values: str | None) -> None:
        """Make a new version of the lab's values with these changed, or left out where None."""
        said = {name: value for name, value in (development.values() | values).items() if value is not None}
        self.client.put_secret_value(SecretId=self.name, SecretString=json.dumps(said))


@contextmanager
def developers_vault(settings: Any) -> Iterator[DevelopersVault]:
    """Hand it out, and put back what it held."""
    made = DevelopersVault(settings)
    try:
        yield made
    finally:
        made.put()
