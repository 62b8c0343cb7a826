"""The lab's target description: every variable, from the servers that run."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from opslib.lab import wal
from opslib.lab.cache import Cache
from opslib.lab.cloud import AUDIT, BACKUPS, LEASES, REGION, Cloud
from opslib.lab.cluster.service import Cluster
from opslib.lab.database import DATABASE, Database
from opslib.lab.production import NAMES, RECOVERY_SITE, SITE
from opslib.lab.recovery import Recovery
from opslib.lab.service import Service
from opslib.lab.standby import Standby
from opslib.lab.vendors.service import Vendors
from opslib.lab.web import POOL, Application
from opslib.settings import Settings

S = TypeVar("S", bound=Service)
SIGNERS = "allowed_signers"
"""Whose words and sign-offs count: a list of keys that the lab makes empty, for people to add to."""
NOBODY_YET = (
    "# Whose words and sign-offs count in this lab: a line for each key, as ssh-keygen's allowed_signers has it.\n"
    '# ben@valuecanvas namespaces="opslib-witness" ssh-ed25519 AAAA...\n'
)


def one(services: Iterable[Service], kind: type[S]) -> S | None:
    """Return the service of that kind, or None."""
    return next((service for service in services if isinstance(service, kind)), None)


def variables(services: tuple[Service, ...], folder: Path) -> Mapping[str, str]:
    """Return every variable of the target description; those without a value stay empty."""
    database, cache, cloud, vendors, cluster = services[:5]
    assert isinstance(database, Database)
    assert isinstance(cache, Cache)
    assert isinstance(cloud, Cloud)
    assert isinstance(vendors, Vendors)
    assert isinstance(cluster, Cluster)
    application, standby = one(services, Application), one(services, Standby)
    recovery = one(services, Recovery)
    url = application.url if application else ""
    given = {
        "OPS_ENVIRONMENT": "lab",
        "DATABASE_URL": database.url("postgres", DATABASE),
        "OPS_READ_DATABASE_URL": database.url("ops_reader", DATABASE),
        "OPS_SCRATCH_DATABASE_URL": database.url("postgres", "postgres"),
        "REDIS_URL": cache.url("default"),
        "OPS_READ_REDIS_URL": cache.url("ops_reader"),
        **_aws(cloud),
        "OPS_SITE": SITE,
        "OPS_RECOVERY_SITE": RECOVERY_SITE,
        "OPS_RECOVERY_DATA": "shared",
        "VITE_API_BASE_URL": url,
        "OPS_READ_APPLICATION_TOKEN": cloud.passwords["read_application_token"] if url else "",
        "OPS_DATABASE_STANDBYS": "1" if standby else "0",
        "OPS_STANDBY_DATABASE_URL": standby.url("postgres", DATABASE) if standby else "",
        "OPS_READ_STANDBY_DATABASE_URL": standby.url("ops_reader", DATABASE) if standby else "",
        "OPS_RECOVERED_DATABASE_URL": recovery.url("postgres", DATABASE) if recovery else "",
        "OPS_CONTINUOUS_PREFIX": wal.PREFIX if standby else "",
        "OPS_ALLOWED_SIGNERS": str(folder / SIGNERS),
        **(_fencing(folder, cloud.passwords["fence"]) if standby else {}),
        "OPS_MIGRATIONS": str(folder / "supabase"),
        "OPS_APPLICATION_NAMES": POOL if url else "",
        "OPS_SERVER_METRICS_URL": f"{url}/node-metrics" if url else "",
        **vendors.target(),
        **cluster.target(),
        **(application.target() if application else {}),
    }
    return {str(f.alias): given.get(str(f.alias), _text(f.default)) for f in Settings.model_fields.values()}


def _aws(cloud: Cloud) -> dict[str, str]:
    """Return where AWS is, with whose keys, and what of ours is there."""
    return {
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_ACCESS_KEY_ID": cloud.passwords["aws_id"],
        "AWS_SECRET_ACCESS_KEY": cloud.passwords["aws_key"],
        "OPS_READ_AWS_ACCESS_KEY_ID": cloud.passwords["read_aws_id"],
        "OPS_READ_AWS_SECRET_ACCESS_KEY": cloud.passwords["read_aws_key"],
        "OPS_BUCKET_OWNER_AWS_ACCESS_KEY_ID": cloud.passwords["owner_aws_id"],
        "OPS_BUCKET_OWNER_AWS_SECRET_ACCESS_KEY": cloud.passwords["owner_aws_key"],
        "OPS_VAULT_AWS_ACCESS_KEY_ID": cloud.passwords["vault_aws_id"],
        "OPS_VAULT_AWS_SECRET_ACCESS_KEY": cloud.passwords["vault_aws_key"],
        "HOSTED_ZONE_ID": cloud.zone,
        "S3_BUCKET_NAME": BACKUPS,
        "OPS_LEASE_BUCKET": LEASES,
        "OPS_ANCHOR_BUCKET": AUDIT,
        "OPS_ANCHOR_AWS_ACCESS_KEY_ID": cloud.passwords["anchor_aws_id"],
        "OPS_ANCHOR_AWS_SECRET_ACCESS_KEY": cloud.passwords["anchor_aws_key"],
    }


def _fencing(folder: Path, password: str) -> dict[str, str]:
    """Return how the servers are switched off and let follow again, and what the application calls them."""
    program = ",".join((sys.executable, "-P", "-m", "opslib.lab.fence", str(folder)))
    return {
        "OPS_FENCE_AGENT": program,
        "OPS_FENCE_PASSWORD": password,
        "OPS_DATABASE_PLUG": Database.name,
        "OPS_STANDBY_PLUG": Standby.name,
        "OPS_REJOIN_PROGRAM": program,
        "OPS_APPLICATION_DATABASE": NAMES[Database.name],
        "OPS_APPLICATION_STANDBY": NAMES[Standby.name],
    }


def _text(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default) if isinstance(default, (str, int, float)) else ""
