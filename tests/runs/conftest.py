import pytest

from opslib import settings
from opslib.runs.executor import Executor
from tests.runs import fakes


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

    def make(environment="lab", mode="run", **more):
        made.append(
            Executor(
                run="20261123T130614Z-runbooks-paint-a1b2c3",
                notebook="runbooks/paint",
                settings=description(environment, **more),
                folder=tmp_path,
                mode=mode,
                actions=fakes.FAKES,
            )
        )
        made[-1].cell = "paint-it"
        return made[-1]

    yield make
    for one in made:
        one.journal.close()
