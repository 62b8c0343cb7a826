"""One target description per environment: typed, frozen, complete or refused.

The lab's description is the file that ``ops lab up`` writes, and nothing else, so that a variable left
in a shell can't lead a lab run to production. Staging and production are described by
``.env.<environment>`` and the process environment together; a variable that both set to different
values is refused, and so is a description that names another environment than the one asked for. Where
there is a file, it alone guards the target (:mod:`opslib.settings_guard`): who may change it, when and how
much, and where leases and heads are kept. Whoever starts a command sets its environment.

:class:`ReadSettings` is what a notebook's process gets; :class:`Settings` adds what can write and
stays with the executor (design section 4).
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from opslib.errors import SettingsError
from opslib.model import ENVIRONMENTS, Environment
from opslib.places import ROOT, lab_folder
from opslib.redaction import CacheUrl, DatabaseUrl, Secret
from opslib.settings_archive import ArchiveStore
from opslib.settings_backups import BucketOwner
from opslib.settings_database import DatabaseFencing, DatabaseServers, RecoveredServer
from opslib.settings_environments import PREFIX, lab_faults, shared_faults
from opslib.settings_guard import Address, Bucket, Folder, Guard, shown, split
from opslib.settings_sites import SITES
from opslib.settings_telling import FILE_ONLY as TELLING
from opslib.settings_telling import Telling
from opslib.settings_vendors import ADDRESSES, REPLICAS, VOUCHING, VendorNames, VendorTokens

S = TypeVar("S", bound="ReadSettings")

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
Tables = Annotated[tuple[Annotated[str, Field(pattern=rf"^{_NAME}\.{_NAME}$")], ...], BeforeValidator(split)]
Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:_.-]{0,99}$")]


class ReadSettings(DatabaseServers, VendorNames):
    """What may be known in a notebook's process: addresses, names, limits, credentials that only read."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=False, allow_inf_nan=False
    )

    environment: Environment = Field(alias="OPS_ENVIRONMENT", description="lab, staging or production")

    read_database_url: DatabaseUrl = Field(
        alias="OPS_READ_DATABASE_URL",
        description="PostgreSQL itself, no transaction pooler, as a role that can only read",
    )
    read_cache_url: CacheUrl = Field(
        alias="OPS_READ_REDIS_URL", description="Redis or Valkey, as a user that can only read"
    )
    aws_region: str = Field("us-east-1", alias="AWS_REGION", pattern=r"^[a-z][a-z0-9-]{1,30}$")
    aws_endpoint_url: Address | None = Field(
        None, alias="AWS_ENDPOINT_URL", description="only for the lab or a private endpoint"
    )
    read_aws_access_key_id: Secret | None = Field(
        None, alias="OPS_READ_AWS_ACCESS_KEY_ID", description="unset: boto3's own credential chain"
    )
    read_aws_secret_access_key: Secret | None = Field(None, alias="OPS_READ_AWS_SECRET_ACCESS_KEY")
    backup_bucket: Bucket = Field(alias="S3_BUCKET_NAME", description="bucket of the database backups")
    backup_prefix: str = Field(
        PREFIX, alias="OPS_BACKUP_PREFIX", max_length=300, pattern=r"^([A-Za-z0-9_][A-Za-z0-9._-]*/)*$"
    )
    application_url: Address | None = Field(None, alias="VITE_API_BASE_URL", description="base address of the API")
    metrics_prefix: str = Field(
        "valuecanvas_",
        alias="OPS_METRICS_PREFIX",
        pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,60}$",
        description="what the application's own Prometheus series begin with",
    )
    server_metrics_url: Address | None = Field(
        None,
        alias="OPS_SERVER_METRICS_URL",
        description="node metrics of the database server (Prometheus text), for disk usage",
    )

    core_tables: Tables = Field(
        ("auth.users", "public.users", "public.organizations", "public.cases"),
        alias="OPS_CORE_TABLES",
        description="tables without which a dump is not one of this database",
    )
    cache_prefix: Prefix = Field("llm:cache:", alias="OPS_CACHE_PREFIX")
    protected_prefixes: Annotated[tuple[Prefix, ...], BeforeValidator(split)] = Field(
        ("bull:", "llm_rate_limit:", "rl:", "usage:", "quota:", "session:"),
        alias="OPS_PROTECTED_PREFIXES",
        description="key families that must never be evicted or flushed with the cache",
    )
    cache_memory_mb: int | None = Field(
        None, alias="OPS_CACHE_MEMORY_MB", gt=0, description="memory limit of the cache's container; unset: its host's"
    )
    application_names: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.:@-]{0,62}$")], ...], BeforeValidator(split)
    ] = Field(
        (),
        alias="OPS_APPLICATION_NAMES",
        description="application_name of the pools to tell apart in reports",
    )

    migrations: Folder | None = Field(
        None,
        alias="OPS_MIGRATIONS",
        description="folder of the product's checkout that holds migrations/ and rollbacks/ (its supabase/)",
    )

    rpo_hours: float = Field(1.0, alias="OPS_RPO_HOURS", gt=0, description="guide: database RPO 1 hour")
    rto_minutes: float = Field(5.0, alias="OPS_RTO_MINUTES", gt=0, description="guide: database RTO 5 minutes")
    backup_retention_days: int = Field(30, alias="OPS_BACKUP_RETENTION_DAYS", gt=0, description="guide: 30 days")
    backup_lock_days: int = Field(
        0, alias="OPS_BACKUP_LOCK_DAYS", ge=0, description="S3 Object Lock (governance) on each backup; 0: none"
    )

    def variables(self) -> dict[str, str]:
        """Return the environment variables that describe this to a notebook's process (reading values only)."""
        pairs = ((f.alias, getattr(self, name)) for name, f in ReadSettings.model_fields.items())
        return {str(alias): _variable(value) for alias, value in pairs if value is not None}

    def secret_variables(self) -> tuple[str, ...]:
        """Return the names of the variables that hold a credential."""
        fields = type(self).model_fields.items()
        return tuple(str(field.alias) for name, field in fields if isinstance(getattr(self, name), Secret))

    def secrets(self) -> tuple[Secret, ...]:
        """Return every secret of this description, for redaction."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value for value in values if isinstance(value, Secret))

    def public(self) -> dict[str, str]:
        """Return what a report may show of the target: addresses without credentials, names, limits."""
        pairs = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: _shown(value) for name, value in pairs if value is not None}


class Settings(Guard, ArchiveStore, DatabaseFencing, VendorTokens, RecoveredServer, Telling, BucketOwner, ReadSettings):
    """The whole description, with what can write; only the executor's process holds it."""

    database_url: DatabaseUrl = Field(
        alias="DATABASE_URL", description="PostgreSQL, as the role that owns the database and may create one"
    )
    scratch_database_url: DatabaseUrl = Field(
        alias="OPS_SCRATCH_DATABASE_URL",
        description="any database of the server on which backups are proven; not the production server",
    )
    standby_database_url: DatabaseUrl | None = Field(
        None, alias="OPS_STANDBY_DATABASE_URL", description="the standby, as a role that may promote it"
    )
    cache_url: CacheUrl = Field(alias="REDIS_URL", description="Redis or Valkey, as a user that can write")
    aws_access_key_id: Secret | None = Field(
        None, alias="AWS_ACCESS_KEY_ID", description="unset: boto3's own credential chain"
    )
    aws_secret_access_key: Secret | None = Field(None, alias="AWS_SECRET_ACCESS_KEY")

    def reading(self) -> ReadSettings:
        """Return the part of this description that a notebook's process may hold."""
        return ReadSettings.model_validate(self.variables())


FILE_ONLY = frozenset(
    {
        n
        for part in (Guard, ArchiveStore, DatabaseFencing)
        for n, f in part.model_fields.items()
        if f.annotation != Secret | None
    }
    | {name for name, field in VendorNames.model_fields.items() if field.alias in ADDRESSES or name in VOUCHING}
    | {"aws_endpoint_url", "migrations", "checkout", "repository", "workspace", "development_secret", *REPLICAS, *SITES}
    | {"terraform", "infrastructure", "infrastructure_values", "infrastructure_backend", "terraform_plugins"}
    | {"application_database", "application_standby", *TELLING}
)
"""What the process cannot add to a description that has a file: guard, where credentials go, what runs, who vouches."""

PLACES = ("OPS_ARCHIVE", "OPS_ARCHIVE_KEY", "OPS_LOCKS", "OPS_NOTEBOOKS")
"""Folders and files that are no part of a target; a description may fix them, and the process must agree then."""


def load(environment: str, *, root: Path = ROOT, lab: Path | None = None) -> Settings:
    """Return the description of ``environment``; raises SettingsError that lists every fault at once."""
    if environment not in ENVIRONMENTS:
        raise SettingsError(f"There is no environment {environment!r}.", f"Choose one of: {', '.join(ENVIRONMENTS)}.")
    if environment == "lab":
        file = lab or lab_folder() / "target.env"
        if not file.is_file():
            raise SettingsError("The lab is not running.", "Start it with: ops lab up")
        values, faults, where = *read_file(file), str(file)
        faults += lab_faults(values)
    else:
        file = root / f".env.{environment}"
        values, faults = read_file(file) if file.is_file() else ({}, [])
        if file.is_file():
            faults += _loosened(values, os.environ, file)
        values = _merge(values, os.environ, faults, file)
        where = f"{file.name} and the environment" if file.is_file() else f"the environment (there is no {file.name})"
    if values.get("OPS_ENVIRONMENT", environment) != environment:
        faults.append(f"OPS_ENVIRONMENT: describes {values['OPS_ENVIRONMENT']}, but {environment} was asked for")
    faults += shared_faults(values, _others(environment, root))
    return _validated(Settings, values, faults, where)


def load_reading(variables: Mapping[str, str] | None = None) -> ReadSettings:
    """Return the reading part from the process environment, as a notebook's process finds it."""
    return _validated(ReadSettings, dict(variables or os.environ), [], "the environment")


def read_file(file: Path) -> tuple[dict[str, str], list[str]]:
    """Return the variables of a file of the form NAME=value, and what is wrong with its lines."""
    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    faults: list[str] = []
    with file.open(encoding="utf-8") as stream:
        for binding in parse_stream(stream):
            if binding.error or (binding.key is not None and binding.value is None):
                faults.append(f"{file.name} line {binding.original.line}: not of the form NAME=value")
            elif binding.key is not None:
                if binding.key in values:
                    faults.append(f"{binding.key}: set twice in {file.name}")
                values[binding.key] = binding.value or ""
    return values, faults


def _others(environment: str, root: Path) -> dict[str, dict[str, str]]:
    # Who may not read another environment's description can't mix it up with this one either.
    found = {}
    for other in ENVIRONMENTS:
        file = root / f".env.{other}"
        with suppress(OSError, UnicodeDecodeError):
            if other not in (environment, "lab") and file.is_file():
                found[file.name] = read_file(file)[0]
    return found


def _loosened(values: Mapping[str, str], process: Mapping[str, str], file: Path) -> list[str]:
    """Return a fault for each variable of the process that only the file may set, or that must be as it says."""
    guard = {str(f.alias) for name, f in Settings.model_fields.items() if name in FILE_ONLY}
    added = [name for name in guard - values.keys() if process.get(name)]
    moved = [name for name in PLACES if name in values and process.get(name) != values[name]]
    return sorted(
        [f"{name}: only {file.name} may set it; unset it here" for name in added]
        + [f"{name}: must be {values[name]}, as {file.name} says; export it" for name in moved]
    )


def _merge(values: dict[str, str], process: Mapping[str, str], faults: list[str], file: Path) -> dict[str, str]:
    known = {str(f.alias) for f in Settings.model_fields.values()}
    for name in sorted(known & process.keys()):
        if values.setdefault(name, process[name]) != process[name]:
            faults.append(f"{name}: {file.name} and the environment disagree; unset one of the two")
    return values


def _validated(kind: type[S], values: dict[str, str], faults: list[str], where: str) -> S:
    described = {str(f.alias): f.description or "" for f in kind.model_fields.values()}
    given = {name: value for name, value in values.items() if value != ""}
    settings: S | None = None
    try:
        settings = kind.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False, include_context=False):
            name = str(fault["loc"][0]) if fault["loc"] else "?"
            said = "missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
            hint = f" ({described[name]})" if described.get(name) else ""
            faults.append(f"{name}: {said}{hint}")
    if faults or settings is None:
        lines = "".join(f"\n  - {fault}" for fault in faults)
        raise SettingsError(
            f"The target description in {where} has {len(faults)} fault{'s' * (len(faults) != 1)}:{lines}\n"
        )
    return settings


def _variable(value: Any) -> str:
    # The one place outside systems/ that needs the text: it hands reading credentials to the
    # notebook's process through its environment, never through a parameter or an argument.
    if isinstance(value, Secret):
        return value.reveal()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, (DatabaseUrl, CacheUrl)):
        return value.public
    if isinstance(value, Secret):
        return "set"
    return shown(value)
