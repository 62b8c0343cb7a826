"""A target's description that leads nowhere: for tests that contact nobody."""

from opslib.settings import Settings


def description(environment="lab", **more):
    """Return the settings; a value of None in ``more`` leaves its variable out."""
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
    return Settings.model_validate({name: value for name, value in values.items() if value is not None})
