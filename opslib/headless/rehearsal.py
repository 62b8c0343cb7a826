"""A run of nothing, before the process that stands by serves: what a run does for the first time, each fork would.

Patterns are compiled, classes looked up, templates and colours made, and the interpreter learns its way through our
code; each is written to memory, which a fork that does it for itself has copied for it as well. So it is done here, as
a run on a target that does not exist: a description of made-up values, a notebook, a key and an archive of its own in
a folder that is gone afterwards. Nothing of any target is read for it, and nothing of it is in what a fork records.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from opslib import settings
from opslib.archive import keys
from opslib.headless import runner

TIMES = 3
"""So often: the interpreter makes what is called a few times fast (PEP 659)."""

LEAVING = 10.0
"""Seconds within which the threads of the last run are gone."""

NAME = "diagnostics/rehearsal"

CELLS = (
    "from opslib import begin\nfrom opslib.model import Check, Judgement, Probe, Verdict\n\nrun = begin(environment)",
    'run.note("A run of nothing.")\nprint("Nothing.")',
    'look = Probe("cache.words", "Words", lambda target: [{"n": 1}])\n'
    'judge = lambda value: Judgement(Verdict.OK, "fine")\n'
    'run.check(Check("cache.words", "Words", look, judge, "Nothing."))',
    '{"n": [1, 2.5, None, True]}',
    "run.finish()",
)


def rehearse(carry_out: Callable[[], None]) -> None:
    """Run nothing, a few times; ``carry_out`` carries out the command line in ``sys.argv``. What fails costs time only.

    For a process with one thread and no description; it has one again at the end.
    """
    before, arguments = dict(os.environ), sys.argv
    try:
        with _quiet(), suppress(Exception), tempfile.TemporaryDirectory(prefix="ops-rehearsal-") as folder:
            _rehearsed(Path(folder).resolve(), carry_out)
    finally:
        sys.argv = arguments
        os.environ.clear()
        os.environ.update(before)
    until = time.monotonic() + LEAVING
    while len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < until:  # noqa: PTH208
        time.sleep(0.005)


def _rehearsed(folder: Path, carry_out: Callable[[], None]) -> None:
    os.environ["OPS_NOTEBOOKS"], os.environ["OPS_ARCHIVE_KEY"] = str(folder / "notebooks"), str(folder / "key")
    keys.create(folder / "key")
    described, notebook = folder / "target.env", folder / "notebooks" / f"{NAME}.ipynb"
    described.write_text("".join(f"{name}={value}\n" for name, value in _description().items()))
    notebook.parent.mkdir(parents=True)
    notebook.write_text(json.dumps(_notebook()))
    for _ in range(TIMES):
        sys.argv = ["ops", "run", "--json"]  # without a notebook: how the line is read, and how a mistake is told
        with suppress(SystemExit):
            carry_out()
        # Of its own folder: a look for secrets that two environments share reads no description of a real target.
        target = settings.load("lab", root=folder, lab=described)
        result = runner.run(NAME, (), "lab", folder / "archive", target=target, progress=lambda text: None)
        if result["state"] == "interrupted":
            raise KeyboardInterrupt  # the signal was for this process


@contextmanager
def _quiet() -> Iterator[None]:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _description() -> dict[str, str]:
    """Return a description that leads nowhere, with secrets that nobody has."""
    reading, writing, key = (secrets.token_hex(12) for _ in range(3))
    return {
        "OPS_ENVIRONMENT": "lab",
        "OPS_READ_DATABASE_URL": f"postgresql://reader:{reading}@127.0.0.1:1/nothing",
        "DATABASE_URL": f"postgresql://owner:{writing}@127.0.0.1:1/nothing",
        "OPS_SCRATCH_DATABASE_URL": f"postgresql://owner:{writing}@127.0.0.1:1/scratch",
        "OPS_READ_REDIS_URL": "redis://127.0.0.1:1/0",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "S3_BUCKET_NAME": "nothing",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "writer-of-nothing",
        "AWS_SECRET_ACCESS_KEY": key,
        "OPS_READ_AWS_ACCESS_KEY_ID": "reader-of-nothing",
        "OPS_READ_AWS_SECRET_ACCESS_KEY": key[::-1],
    }


def _notebook() -> dict[str, Any]:
    parameters = 'environment: str = "lab"  # target: lab, staging or production'
    said = [
        ("markdown", "# Nothing\n\nA run of *nothing*.", []),
        ("code", parameters, ["parameters"]),
        *(("code", source, []) for source in CELLS),
    ]
    cells: list[dict[str, Any]] = []
    for number, (kind, source, tags) in enumerate(said):
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {"tags": tags}, "source": source}
        cells.append(cell | ({"outputs": [], "execution_count": None} if kind == "code" else {}))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
