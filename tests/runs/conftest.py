import shutil
import subprocess
from pathlib import Path

import pytest

from opslib.runs.executor import Executor
from opslib.runs.locks import Locks
from opslib.runs.work import Work
from tests.descriptions import description
from tests.runs import fakes

RUN = "20261123T130614Z-runbooks-paint-a1b2c3"


@pytest.fixture
def wrong_time(tmp_path):
    """Variables for a process whose time of day is moved, by so many seconds, or stands still, as a file says."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library, file = tmp_path / "shift.so", tmp_path / "shift"
    source = Path(__file__).with_name("shifted_time.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    file.write_text("0")
    return file, {"LD_PRELOAD": str(library), "SHIFT_FILE": str(file)}


@pytest.fixture
def executor(tmp_path):
    """Make an executor over fake actions; its run folder is a temporary one."""
    fakes.DONE.clear()
    (tmp_path / "evidence").mkdir()
    made = []

    def make(environment="lab", mode="run", work=(), locks=Locks, kind=Executor, **more):
        work = {"run": RUN, "folder": tmp_path, **dict(work)}
        made.append(
            kind(
                Work(
                    notebook="runbooks/paint",
                    settings=description(environment, **more),
                    mode=mode,
                    actions=fakes.FAKES,
                    **work,
                ),
                locks=locks(description(environment), RUN, folder=tmp_path / "locks"),
            )
        )
        made[-1].cell = "paint-it"
        return made[-1]

    yield make
    for one in made:
        one.journal.close()
        one.locks.close()
