"""One small lab for the whole test session, and handles on it."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from opslib.lab.supervisor import Lab
from opslib.settings import Settings
from tests import index_server

if TYPE_CHECKING:
    import psycopg

    from opslib.headless.kernel_warm import Zygote
    from opslib.redaction import DatabaseUrl
    from opslib.systems.target import ReadTarget, WriteTarget

ROWS = 3_000

_made: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several test processes its own place for temporary files and locks: run ids in tests are fixed."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a shell starts what its script leaves in the background; what tests start and stop would ignore it as well.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        _begin_elsewhere(config, int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    if worker and not os.environ.get("OPSLIB_TESTS"):
        folder = tempfile.mkdtemp(prefix=f"t-{worker}-")
        # Where root has no user namespaces, PostgreSQL runs as nobody, who must be able to pass.
        Path(folder).chmod(0o711)
        os.environ |= {"OPSLIB_TESTS": folder, "TMPDIR": folder, "OPS_LOCKS": f"{folder}/locks"}
        tempfile.tempdir = None
        _made.append(folder)


def pytest_unconfigure() -> None:
    """Remove it again; a test that runs tests in a process of its own shares the place of who started it."""
    for folder in _made:
        os.environ.pop("OPSLIB_TESTS", None)
        shutil.rmtree(folder, ignore_errors=True)


def _begin_elsewhere(config: pytest.Config, number: int, count: int) -> None:
    """Let each of several test processes begin to collect at another file.

    Side by side, each would compile all of them in a tree that is new; so it finds most of them compiled by another.
    """
    here = Path(__file__).parent
    if [Path(one).resolve() for one in config.args] == [here]:
        files = sorted(str(path) for path in here.rglob("test_*.py") if "node_modules" not in path.parts)
        first = len(files) * number // count
        config.args[:] = files[first:] + files[:first]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected, and leave what was collected alone afterwards: none of it goes.

    And seldom later: at Python's own pace a twentieth of a test process's time would go there.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


SLOW_FIRST = ("crash", "notebooks", "headless", "archive", "actions")
"""Folders of files that take long: begun last, they would keep one process busy while the others wait."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of slow folders first, in that order, all others by their names; within a file nothing moves."""
    rank = {name: number for number, name in enumerate(SLOW_FIRST)}
    items.sort(key=lambda item: (rank.get(item.path.parent.name, len(rank)), str(item.path)))


WITH_STANDBY = frozenset(
    f"tests/lab/{name}.py"
    for name in ("broken/test_standby_faults", "test_paused_replay", "test_point_in_time", "test_recovered_rows")
) | {"tests/lab/test_standby.py", "tests/lab/test_standby_let_in.py"}
"""Files that share a lab with a standby, which takes twice as long to start as one without."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give those that share a lab with a standby to one process, each other file as a whole to the next one free."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        """By files, some of them together."""

        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "with a standby" if file in WITH_STANDBY else file

    return Together(config, log)


class LabInUse:
    """A running lab as the tests see it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.folder: Path = lab.folder

    @cached_property
    def settings(self) -> Settings:
        """The lab's whole target description."""
        return self.lab.settings()

    @cached_property
    def target(self) -> ReadTarget:
        """Handles that can only read."""
        from opslib.systems.target import ReadTarget

        return ReadTarget(self.settings.reading(), "test")

    @cached_property
    def writing(self) -> WriteTarget:
        """Handles that can write."""
        from opslib.systems.target import WriteTarget

        return WriteTarget(self.settings, "test")

    def admin(self, dbname: str | None = None) -> psycopg.Connection[dict[str, Any]]:
        """Open an autocommit session as superuser, rows as dicts; the caller closes it (``with`` does)."""
        from opslib.systems.postgres import connect

        url = self.settings.database_url
        return connect(cast("DatabaseUrl", url.with_path(dbname)) if dbname else url, "opslib:test")

    def close(self) -> None:
        """Close the handles that were opened."""
        for name in ("target", "writing"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()


@pytest.fixture(scope="session")
def index_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[index_server.Base]:
    """A PostgreSQL for the team's index, for the whole session; :meth:`empty` it first."""
    with index_server.base(tmp_path_factory.mktemp("index") / "server") as base:
        yield base


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The key that signs the tests' archives is the tests' own; a lab has no standby unless a test asks for one."""
    os.environ |= {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("state")), "LAB_STANDBY": "0"}


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """What this test process forks the processes of notebooks from; it starts with the first of them."""
    from opslib.headless.kernel_warm import Zygote

    there = Zygote()
    yield there
    there.close()


@pytest.fixture(scope="module")
def warm(zygote: Zygote) -> Iterator[Zygote]:
    """The runs of a file are forked, as a worker's are: for files in which how a process begins is not the matter."""
    from opslib.headless.kernel_warm import keep_warm

    with keep_warm(zygote):
        yield zygote


@pytest.fixture(scope="session")
def lab() -> Iterator[LabInUse]:
    """A small lab, started once per test session and taken down at its end; nobody else puts load on it.

    Many short sessions (tools/mutants.py) may share one that runs already.
    """
    if running := os.environ.get("OPSLIB_TESTS_LAB"):
        shared = LabInUse(Lab(Path(running)))
        yield shared
        shared.close()
        return
    os.environ["LAB_LOAD_PER_SECOND"] = "0"
    with tempfile.TemporaryDirectory(prefix="opslib-lab-", ignore_cleanup_errors=True) as folder:
        # Where root has no user namespaces, PostgreSQL runs as nobody, who must be able to pass.
        Path(folder).chmod(0o711)
        lab = Lab(Path(folder) / "lab")
        try:
            lab.up(ROWS)
            in_use = LabInUse(lab)
            yield in_use
            in_use.close()
        finally:
            lab.down()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A small PostgreSQL of the file's own for a queue, running; its tests may stop it, and start it again."""
    from tests import queue_server

    with queue_server.server(tmp_path_factory.mktemp("queue") / "server") as one:
        yield one
