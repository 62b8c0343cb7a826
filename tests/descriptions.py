"""A target's description that leads nowhere: for tests that contact nobody."""

from opslib.redaction import Secret
from opslib.settings import Settings
from opslib.settings_guard import shown


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


def as_production(settings, signers):
    """Return the variables of a process for which a lab is production, with ``signers`` as who may approve there."""
    given = {"environment": "production", "allowed_signers": signers, "operators": {}}
    described, found = settings.model_copy(update=given), {}
    for name, field in Settings.model_fields.items():
        value = getattr(described, name)
        if value not in (None, (), {}):
            text = value.reveal() if isinstance(value, Secret) else shown(value)
            found[str(field.alias)] = text.replace(", ", ",")
    return found
