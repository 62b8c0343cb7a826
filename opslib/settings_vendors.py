"""The part of a target's description that names the vendors' projects, and the credentials that reach them.

Where a vendor has tokens that can only read, a notebook's process gets one (``OPS_READ_…``). Where it has none
(Vercel, Netlify), the token can write as well and stays with the executor, which takes such readings itself
(docs/decisions/0011).
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from opslib.redaction import Secret
from opslib.settings_dependencies import Dependencies
from opslib.settings_development import DevelopmentNames
from opslib.settings_gateway import GatewayNames, GatewayTokens
from opslib.settings_guard import Address, split
from opslib.settings_observability import ADDRESSES as WATCHING
from opslib.settings_observability import Name, Observability
from opslib.settings_on_call import ADDRESSES as ON_CALL
from opslib.settings_on_call import OnCall
from opslib.settings_recovery import RecoveryNames
from opslib.settings_sign_in import SignIn
from opslib.settings_sites import Sites, SiteTokens
from opslib.settings_supabase import ProjectAccess, ProjectSecrets


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("is no range of addresses such as 203.0.113.0/24") from None
    return text


def _whole(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError("is no whole path: it begins with / and has no ..")
    return path


Hoster = Literal["vercel", "netlify", "cloudflare"]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
"""A name or an id as vendors give them."""
Object = Name
"""A name that Kubernetes allows for an object."""
Network = Annotated[str, Field(pattern=r"^[0-9a-f:.]{2,39}(/[0-9]{1,3})?$"), AfterValidator(_network)]
"""A range of addresses, as CIDR."""
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,99}$")]
"""A name as environment variables have it."""
Prefix = Literal["VITE_", "NEXT_PUBLIC_", "REACT_APP_", "NUXT_PUBLIC_", "EXPO_PUBLIC_", "PUBLIC_"]
"""How names begin that a framework's build puts into browsers (``publishable.FRAMEWORKS`` says whose)."""
Slug = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
"""A name that Supabase allows for a function."""


class VendorNames(
    SignIn, ProjectAccess, Dependencies, DevelopmentNames, Observability, OnCall, GatewayNames, Sites, RecoveryNames
):
    """Addresses and names at the vendors, and what only reads there."""

    front_end_url: Address | None = Field(None, alias="VITE_APP_URL", description="where users open the front end")
    read_application_token: Secret | None = Field(
        None,
        alias="OPS_READ_APPLICATION_TOKEN",
        description="bearer token of a user of the product who only looks: its LLM router tells its state to users",
    )
    hoster: Hoster | None = Field(None, alias="OPS_HOSTER", description="who serves the front end")
    client_prefixes: Annotated[tuple[Prefix, ...], BeforeValidator(split)] = Field(
        ("VITE_",),
        alias="OPS_CLIENT_PREFIXES",
        min_length=1,
        description="beginnings of the names that the front end's build puts into browsers (Vite: VITE_)",
    )
    vercel_url: Address | None = Field(None, alias="VERCEL_API_URL", description="unset: api.vercel.com")
    vercel_project: Word | None = Field(None, alias="VERCEL_PROJECT_ID")
    vercel_team: Word | None = Field(None, alias="VERCEL_ORG_ID", description="unset: the token's own account")
    netlify_url: Address | None = Field(None, alias="NETLIFY_API_URL", description="unset: api.netlify.com/api/v1")
    netlify_site: Word | None = Field(None, alias="NETLIFY_SITE_ID")
    cloudflare_url: Address | None = Field(
        None, alias="CLOUDFLARE_BASE_URL", description="unset: api.cloudflare.com/client/v4"
    )
    cloudflare_account: Word | None = Field(None, alias="CLOUDFLARE_ACCOUNT_ID")
    cloudflare_project: Word | None = Field(None, alias="CLOUDFLARE_PAGES_PROJECT")

    github_url: Address | None = Field(None, alias="GITHUB_API_URL", description="unset: api.github.com")
    github_repository: str | None = Field(
        None, alias="GITHUB_REPOSITORY", pattern=r"^[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}$"
    )
    read_github_token: Secret | None = Field(
        None, alias="OPS_READ_GITHUB_TOKEN", description="fine-grained, actions: read, contents: read, issues: read"
    )

    supabase_url: Address | None = Field(None, alias="SUPABASE_API_URL", description="unset: api.supabase.com")
    supabase_project: str | None = Field(
        None, alias="SUPABASE_PROJECT_REF", pattern=r"^[a-z]{20}$", description="20 lower-case letters"
    )
    read_supabase_token: Secret | None = Field(
        None,
        alias="OPS_READ_SUPABASE_TOKEN",
        description="scoped, each to read: project admin, auth config, edge functions and their secrets, network bans "
        "and restrictions",
    )
    supabase_site: Address | None = Field(
        None, alias="VITE_SUPABASE_URL", description="of the project itself, for calls of its functions"
    )
    function_secrets: Annotated[tuple[Variable, ...], BeforeValidator(split)] = Field(
        ("TOGETHER_API_KEY", "OPENAI_API_KEY"),
        alias="OPS_FUNCTION_SECRETS",
        description="names of the secrets that functions need",
    )
    smoke_functions: Annotated[tuple[Slug, ...], BeforeValidator(split)] = Field(
        (), alias="OPS_SMOKE_FUNCTIONS", description="functions that a GET may call, for it changes nothing there"
    )
    checkout: Annotated[Path, AfterValidator(_whole)] | None = Field(
        None, alias="OPS_CHECKOUT", description="folder of the product's git repository; its commits are read"
    )
    guide_document: str = Field(
        "docs/OPERATIONS_GUIDE.md",
        alias="OPS_GUIDE_DOCUMENT",
        pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,9}$",
        description="path of the operations guide in that repository",
    )
    vault_secret: str = Field(
        "valuecanvas/production/secrets",
        alias="OPS_VAULT_SECRET",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9/_+=.@-]{0,255}$",
        description="secret in AWS Secrets Manager that holds the product's keys",
    )
    log_group: str = Field(
        "/valuecanvas/application",
        alias="OPS_LOG_GROUP",
        pattern=r"^[A-Za-z0-9_/.#-]{1,512}$",
        description="group in CloudWatch that the product's logs are kept in; the product's own code names another",
    )
    log_exports: Annotated[Path, AfterValidator(_whole)] | None = Field(
        None, alias="OPS_LOG_EXPORTS", description="folder of exported logs on this machine, each export a folder of it"
    )
    log_work: Annotated[Path, AfterValidator(_whole)] | None = Field(
        None, alias="OPS_LOG_WORK", description="folder in which exported logs are worked on; unset: the system's own"
    )
    log_memory_mb: int = Field(
        1024, alias="OPS_LOG_MEMORY_MB", ge=256, le=65536, description="memory that working on them may take"
    )

    kubernetes_url: Address | None = Field(None, alias="OPS_KUBERNETES_URL", description="of the API server")
    kubernetes_ca: Path | None = Field(
        None, alias="OPS_KUBERNETES_CA", description="PEM file of the cluster's certificate authority"
    )
    kubernetes_namespace: Object | None = Field(None, alias="OPS_KUBERNETES_NAMESPACE")
    read_kubernetes_token: Secret | None = Field(
        None, alias="OPS_READ_KUBERNETES_TOKEN", description="service account of the role view, and nodes, metrics"
    )
    api_deployment: Object = Field("api-server", alias="OPS_API_DEPLOYMENT", description="guide: api-server")
    worker_deployment: Object = Field("llm-worker", alias="OPS_WORKER_DEPLOYMENT", description="guide: llm-worker")

    audit_variable: Variable = Field(
        "AUDIT_LOG_LEVEL", alias="OPS_AUDIT_VARIABLE", description="guide: AUDIT_LOG_LEVEL; the product reads LOG_LEVEL"
    )
    api_container: Object | None = Field(
        None, alias="OPS_API_CONTAINER", description="container that has it; unset: the deployment's only one"
    )
    operator_networks: Annotated[tuple[Network, ...], BeforeValidator(split)] = Field(
        (),
        alias="OPS_OPERATOR_NETWORKS",
        description="CIDR ranges from which operators and monitoring come; never blocked",
    )
    pods_see_clients: bool = Field(
        False,
        alias="OPS_PODS_SEE_CLIENTS",
        description="true once it was tried that pods see clients' own addresses and that network policies hold",
    )

    kubernetes_secret: Object = Field(
        "valuecanvas-secrets",
        alias="OPS_KUBERNETES_SECRET",
        description="holds the keys that the pods are started with",
    )

    together_url: Address | None = Field(None, alias="TOGETHER_API_URL", description="unset: api.together.ai/v1")
    openai_url: Address | None = Field(None, alias="OPENAI_API_URL", description="unset: api.openai.com/v1")
    openai_project: Word | None = Field(None, alias="OPENAI_PROJECT_ID", description="in which the product's key is")

    pagerduty_url: Address | None = Field(
        None, alias="PAGERDUTY_EVENTS_URL", description="unset: events.pagerduty.com/v2"
    )
    slack_url: Address | None = Field(None, alias="SLACK_API_URL", description="unset: slack.com/api")
    slack_channel: str | None = Field(
        None,
        alias="OPS_SLACK_CHANNEL",
        pattern=r"^[CG][A-Z0-9]{2,20}$",
        description="id of the channel that is told of incidents",
    )
    access_token_seconds: int = Field(
        3600,
        alias="OPS_ACCESS_TOKEN_SECONDS",
        ge=60,
        le=604_800,
        description="how long an access token of the sign-in is valid, whatever becomes of its session",
    )


class VendorTokens(ProjectSecrets, GatewayTokens, SiteTokens):
    """Credentials that can change something at the vendors; the executor's."""

    vercel_token: Secret | None = Field(None, alias="VERCEL_TOKEN")
    netlify_token: Secret | None = Field(None, alias="NETLIFY_AUTH_TOKEN")
    cloudflare_token: Secret | None = Field(None, alias="CLOUDFLARE_API_TOKEN", description="Pages: edit")
    github_token: Secret | None = Field(None, alias="GITHUB_TOKEN", description="fine-grained, actions: write")
    supabase_token: Secret | None = Field(
        None,
        alias="SUPABASE_ACCESS_TOKEN",
        description="scoped: project admin to read, edge functions and their secrets to read and write",
    )
    kubernetes_token: Secret | None = Field(
        None, alias="OPS_KUBERNETES_TOKEN", description="service account that may patch what the runbooks change"
    )
    pagerduty_key: Secret | None = Field(
        None, alias="PAGERDUTY_ROUTING_KEY", description="integration key of an Events API v2 integration"
    )
    openai_admin_key: Secret | None = Field(
        None, alias="OPENAI_ADMIN_KEY", description="makes and deletes the project's service accounts; never chats"
    )
    vault_aws_access_key_id: Secret | None = Field(
        None, alias="OPS_VAULT_AWS_ACCESS_KEY_ID", description="puts and stages the vault's versions; unset: AWS_…"
    )
    vault_aws_secret_access_key: Secret | None = Field(None, alias="OPS_VAULT_AWS_SECRET_ACCESS_KEY")
    slack_token: Secret | None = Field(
        None, alias="SLACK_BOT_TOKEN", description="bot with chat:write and channels:history, member of the channel"
    )


ADDRESSES = (
    "VITE_APP_URL",
    "VERCEL_API_URL",
    "NETLIFY_API_URL",
    "CLOUDFLARE_BASE_URL",
    "GITHUB_API_URL",
    "SUPABASE_API_URL",
    "VITE_SUPABASE_URL",
    "OPS_KUBERNETES_URL",
    "PAGERDUTY_EVENTS_URL",
    "SLACK_API_URL",
    "SENTRY_URL",
    "TOGETHER_API_URL",
    "OPENAI_API_URL",
    *WATCHING,
    *ON_CALL,
)
"""Variables that lead to a vendor, or to what it serves."""

REPLICAS = frozenset({"api_replicas", "api_pod_port"})
"""Fields that say where an administrator's token and session go."""

VOUCHING = frozenset({"status_pages", "status_components", "resolver"})
"""Fields that say whose word counts for the vendors and for names."""

LED_BY = {
    "VERCEL_API_URL": ("VERCEL_PROJECT_ID", "VERCEL_ORG_ID", "VERCEL_TOKEN"),
    "NETLIFY_API_URL": ("NETLIFY_SITE_ID", "NETLIFY_AUTH_TOKEN"),
    "CLOUDFLARE_BASE_URL": ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_PAGES_PROJECT", "CLOUDFLARE_API_TOKEN"),
    "PAGERDUTY_EVENTS_URL": ("PAGERDUTY_ROUTING_KEY",),
    "PAGERDUTY_API_URL": ("OPS_READ_PAGERDUTY_TOKEN", "OPS_ESCALATION_POLICY"),
    "SLACK_API_URL": ("OPS_SLACK_CHANNEL", "SLACK_BOT_TOKEN", "OPS_READ_SLACK_TOKEN"),
    "SENTRY_URL": ("SENTRY_ORG", "SENTRY_PROJECT", "OPS_READ_SENTRY_TOKEN"),
    "OPS_RESOLVER": ("OPS_HOSTS", "HOSTED_ZONE_ID"),
    "OPS_NAME_SERVERS": ("HOSTED_ZONE_ID",),
    "OPENAI_API_URL": ("OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"),
    "GITHUB_API_URL": ("GITHUB_REPOSITORY", "OPS_READ_GITHUB_TOKEN", "GITHUB_TOKEN"),
    "SUPABASE_API_URL": ("SUPABASE_PROJECT_REF", "OPS_READ_SUPABASE_TOKEN", "SUPABASE_ACCESS_TOKEN"),
}
"""Addresses that default to the vendor's own, and what makes them count: the lab must say them then."""
