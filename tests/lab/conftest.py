"""A maker of labs for the tests that start, break and stop their own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opslib.lab import state as states
from opslib.lab.accounts import Account
from opslib.lab.service import Service
from opslib.lab.state import State
from opslib.lab.supervisor import Lab

MakeLab = Callable[..., Lab]
StartAlone = Callable[..., Service]


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


@pytest.fixture
def alone(new_lab: MakeLab) -> StartAlone:
    """A function that starts one server of a new lab, without all the others; it ends with the test."""

    def start(kind: type[Service], *more: object) -> Service:
        folder = new_lab().folder
        (folder / "logs").mkdir(mode=0o700, parents=True)
        service = kind(State(folder, 1_000, states.now(), 1), states.passwords(folder), *more)
        service.up()
        return service

    return start


@pytest.fixture(scope="session")
def lab_with_standby() -> Iterator[Lab]:
    """The folder and name of one lab with a standby for all that asks; :func:`pair` has it running."""
    with tempfile.TemporaryDirectory(prefix="opslib-pair-", ignore_cleanup_errors=True) as parent:
        Path(parent).chmod(0o711)
        lab = Lab(Path(parent) / "lab")
        yield lab
        lab.down()


@pytest.fixture
def pair(lab_with_standby: Lab) -> Lab:
    """A running lab with a standby; what another test left broken or taken down is whole again."""
    os.environ |= {"LAB_STANDBY": "1", "LAB_LOAD_PER_SECOND": "0"}
    try:
        lab_with_standby.up(1_500)
    finally:
        os.environ["LAB_STANDBY"] = "0"
    return lab_with_standby
