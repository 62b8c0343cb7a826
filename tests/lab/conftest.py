"""A maker of labs for the tests that start, break and stop their own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opslib.lab.accounts import Account
from opslib.lab.supervisor import Lab

MakeLab = Callable[..., Lab]


@pytest.fixture
def new_lab() -> Iterator[MakeLab]:
    """A function that makes labs in folders of their own; all of them are down when the test ends."""
    with tempfile.TemporaryDirectory(prefix="opslib-labs-") as parent:
        # Where root has no user namespaces, PostgreSQL runs as nobody, who must be able to pass.
        Path(parent).chmod(0o711)
        labs: list[Lab] = []

        def make(account: Account | None = None) -> Lab:
            labs.append(Lab(Path(parent) / f"lab-{len(labs)}", account=account))
            return labs[-1]

        yield make
        for lab in labs:
            lab.down()
