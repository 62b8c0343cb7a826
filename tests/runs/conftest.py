import pytest

from opslib import settings
from opslib.runs.executor import Executor
from opslib.runs.locks import Locks
from opslib.runs.work import Work
from tests.runs import fakes

RUN = "20261123T130614Z-runbooks-paint-a1b2c3"


def description(environment="lab", **more):
    values = {
        "OPS_ENVIRONMENT": environment,
        "OPS_READ_DATABASE_URL": "postgresql://reader:reader-password@127.0.0.1:1/valuecanvas",
        "DATABASE_URL": "postgresql://owner:hunter2-hunter2@127.0.0.1:1/valuecanvas",
        "OPS_SCRATCH_DATABASE_URL": "postgresql://owner:hunter2-hunter2@127.0.0.1:1/postgres",
        "OPS_READ_REDIS_URL": "redis://127.0.0.1:1/0",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "S3_BUCKET_NAME": "valuecanvas-backups",
        **more,
    }
    return settings.Settings.model_validate(values)


@pytest.fixture
def executor(tmp_path):
    """Make an executor over fake actions; its run folder is a temporary one."""
    fakes.DONE.clear()
    (tmp_path / "evidence").mkdir()
    made = []

    def make(environment="lab", mode="run", work=(), **more):
        work = {"run": RUN, "folder": tmp_path, **dict(work)}
        made.append(
            Executor(
                Work(
                    notebook="runbooks/paint",
                    settings=description(environment, **more),
                    mode=mode,
                    actions=fakes.FAKES,
                    **work,
                ),
                locks=Locks(description(environment), RUN, folder=tmp_path / "locks"),
            )
        )
        made[-1].cell = "paint-it"
        return made[-1]

    yield make
    for one in made:
        one.journal.close()
        one.locks.close()
