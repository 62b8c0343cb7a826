"""The probes that the executor takes when a notebook asks for them by name; nothing else can be asked for."""

from __future__ import annotations

from opslib.model import Probe
from opslib.probes import (
    backups_drills,
    costs,
    database_fencing,
    database_recovered,
    environment,
    environment_accounts,
    environment_production,
    frontend,
    llm_keys,
    llm_replicas,
    security_keys,
    security_secrets,
    security_signing,
    security_tenants,
    supabase_keys,
)

_PROBES: tuple[Probe, ...] = (
    frontend.live,
    frontend.deployments,
    frontend.documents,
    frontend.migrations,
    frontend.variables,
    frontend.public,
    environment.tools,
    environment.local_tools,
    environment.checkout,
    environment.variables,
    environment.privacy,
    environment.apart,
    environment.supabase,
    environment.server,
    environment.scripts,
    environment_accounts.accounts,
    environment_production.production,
    frontend.pipeline,
    supabase_keys.keys,
    supabase_keys.network,
    security_tenants.matrix,
    security_secrets.bundle,
    frontend.former,
    security_keys.stores,
    *security_keys.use.values(),
    *security_keys.previous.values(),
    security_signing.signing,
    security_signing.verifiers,
    costs.told,
    database_fencing.fencing,
    *llm_keys.valid.values(),
    *llm_keys.limits.values(),
    *llm_keys.words.values(),
    llm_replicas.answer,
    database_recovered.recovered_rows,
    backups_drills.drills,
)

ASKED: dict[str, Probe] = {probe.name: probe for probe in _PROBES}
"""Every probe that is taken ``by_executor``, by its name."""
