"""The outside systems, one module each; the only place that imports their client libraries.

Handles here come in two kinds. Reading handles cannot write, whatever they are asked. Writing handles
exist in the executor's process only, while an action is applied.

A module that a target names as ``systems.NAME`` is imported when it is first named (PEP 562): a run that looks at
one system does not wait for the clients of fifty others.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # isort: off
    from opslib.systems import (
        alertmanager as alertmanager,
        bucket_policy as bucket_policy,
        building as building,
        cache as cache,
        cache_writing as cache_writing,
        certificates as certificates,
        checkout as checkout,
        fencing as fencing,
        filing as filing,
        front_door as front_door,
        gateway as gateway,
        gateway_user as gateway_user,
        github as github,
        github_issues as github_issues,
        grafana as grafana,
        hosters as hosters,
        hosting as hosting,
        issuers as issuers,
        jaeger as jaeger,
        kubernetes as kubernetes,
        kubernetes_environment as kubernetes_environment,
        kubernetes_history as kubernetes_history,
        kubernetes_secrets as kubernetes_secrets,
        llm_keys as llm_keys,
        log_groups as log_groups,
        log_insights as log_insights,
        names as names,
        names_servers as names_servers,
        object_store as object_store,
        on_call as on_call,
        openai as openai,
        pagerduty as pagerduty,
        postgres as postgres,
        postgres_admin as postgres_admin,
        postgres_rows as postgres_rows,
        postgres_tenants as postgres_tenants,
        prometheus as prometheus,
        replicas as replicas,
        rotated_keys as rotated_keys,
        secret_store as secret_store,
        sentry as sentry,
        slack as slack,
        slack_support as slack_support,
        status_pages as status_pages,
        supabase as supabase,
        supabase_door as supabase_door,
        supabase_keyring as supabase_keyring,
        supabase_keys as supabase_keys,
        supabase_site as supabase_site,
        terraform as terraform,
        vault as vault,
        vault_writing as vault_writing,
        web as web,
        workspace as workspace,
        workspace_writing as workspace_writing,
        zones as zones,
    )
    # isort: on
else:

    def __getattr__(name: str) -> ModuleType:
        """Import the module of that name; raises AttributeError where there is none."""
        where = f"{__name__}.{name}"
        try:
            return import_module(where)
        except ModuleNotFoundError as error:
            if error.name != where:
                raise
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
