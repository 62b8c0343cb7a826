"""The handles of a notebook on one target: none of them can write. Each is opened at its first use."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from opslib import systems
from opslib.errors import Unreachable
from opslib.settings import ReadSettings
from opslib.systems.target_supabase import SupabaseReading
from opslib.systems.target_watching import Watching


class ReadTarget(Watching, SupabaseReading):
    """Handles that cannot write, each opened at its first use; close with :meth:`close`."""

    def __init__(self, settings: ReadSettings, run: str) -> None:
        self.settings = settings
        self.environment = settings.environment
        self.run = run

    @cached_property
    def database(self) -> systems.postgres.ReadOnlyDatabase:
        """PostgreSQL as the reading role: of the servers that are described, the one that takes writes."""
        return self.reading_session()

    def reading_session(self, *, unset: Collection[str] = ()) -> systems.postgres.ReadOnlyDatabase:
        """Return a session of its own like :attr:`database`, with the time-outs ``unset`` as the server has them."""
        said = self.settings
        return systems.postgres.ReadOnlyDatabase(
            said.read_database_url, f"opslib:{self.run}", unset=unset, other=said.read_standby_url
        )

    @cached_property
    def described_primary(self) -> systems.postgres.ReadOnlyDatabase:
        """The server that the description names as the database, whatever its role is by now."""
        return systems.postgres.ReadOnlyDatabase(self.settings.read_database_url, f"opslib:{self.run}")

    @cached_property
    def standby(self) -> systems.postgres.ReadOnlyDatabase:
        """The server that is described as the standby, whatever its role is; raises Unreachable without one."""
        if self.settings.read_standby_url is None:
            raise Unreachable("No standby is described.", "Set OPS_READ_STANDBY_DATABASE_URL.", "missing")
        return systems.postgres.ReadOnlyDatabase(self.settings.read_standby_url, f"opslib:{self.run}")

    @cached_property
    def cache(self) -> systems.cache.ReadOnlyCache:
        """Redis or Valkey as the reading user."""
        return systems.cache.ReadOnlyCache(self.settings.read_cache_url, f"opslib:{self.run}")

    @cached_property
    def backups(self) -> systems.object_store.ReadOnlyBucket:
        """The bucket of the database backups."""
        return systems.object_store.ReadOnlyBucket(self.settings, self.settings.backup_bucket)

    @cached_property
    def secrets(self) -> systems.secret_store.ReadOnlySecrets:
        """How secrets stand in Secrets Manager; never their values."""
        return systems.secret_store.ReadOnlySecrets(self.settings)

    @cached_property
    def logs(self) -> systems.log_groups.ReadOnlyLogs:
        """How groups of logs stand in CloudWatch; never an event."""
        return systems.log_groups.ReadOnlyLogs(self.settings)

    @cached_property
    def insights(self) -> systems.log_insights.LogInsights:
        """CloudWatch Logs Insights, which is asked within bounds."""
        return systems.log_insights.LogInsights(self.settings)

    @cached_property
    def web(self) -> systems.web.Reader:
        """HTTP with safe methods only."""
        return systems.web.Reader()

    @cached_property
    def browser(self) -> systems.web.Preflights:
        """HTTP as a browser asks before it calls another origin: safe methods, preflights among them."""
        return systems.web.Preflights()

    @cached_property
    def workflows(self) -> systems.github.ReadOnlyWorkflows:
        """GitHub Actions, by a token that only reads."""
        return systems.github.ReadOnlyWorkflows(self.settings, self.settings.read_github_token)

    @cached_property
    def checkout(self) -> systems.checkout.Checkout:
        """The commits of the product's repository on this machine."""
        return systems.checkout.Checkout(self.settings.checkout)

    @cached_property
    def cluster(self) -> systems.kubernetes.ReadOnlyCluster:
        """Kubernetes, by a token that only reads."""
        return systems.kubernetes.ReadOnlyCluster(self.settings, self.settings.read_kubernetes_token)

    @cached_property
    def workloads(self) -> systems.kubernetes_history.ReadOnlyWorkloads:
        """What deployments were before, and the workload of the cache, by the same token."""
        return systems.kubernetes_history.ReadOnlyWorkloads(self.settings, self.settings.read_kubernetes_token)

    @cached_property
    def status_pages(self) -> systems.status_pages.StatusPages:
        """The vendors' public status pages."""
        return systems.status_pages.StatusPages(self.settings)

    @cached_property
    def sentry(self) -> systems.sentry.ReadOnlySentry:
        """The project's errors at Sentry, by a token that only reads."""
        return systems.sentry.ReadOnlySentry(self.settings, self.settings.read_sentry_token)

    @cached_property
    def names(self) -> systems.names.Names:
        """DNS, asked of one name server."""
        return systems.names.Names(self.settings.resolver)

    @cached_property
    def name_servers(self) -> systems.names_servers.NameServers:
        """DNS, asked of several name servers one by one."""
        return systems.names_servers.NameServers()

    @cached_property
    def zones(self) -> systems.zones.ReadOnlyZones:
        """Route 53's record sets, by credentials that only read."""
        return systems.zones.ReadOnlyZones(self.settings)

    @cached_property
    def front_door(self) -> systems.front_door.FrontDoor:
        """The API at one address, asked by its name."""
        return systems.front_door.FrontDoor(self.settings)

    @cached_property
    def certificates(self) -> systems.certificates.Certificates:
        """The certificates that hosts show."""
        return systems.certificates.Certificates()

    @cached_property
    def gateway(self) -> systems.gateway.ReadOnlyGateway:
        """The product's LLM gateway, by the token of a user who only looks."""
        return systems.gateway.ReadOnlyGateway(self.settings)

    @cached_property
    def replicas(self) -> systems.replicas.ReadOnlyReplicas:
        """The same of each replica of the API by itself."""
        return systems.replicas.ReadOnlyReplicas(self.settings, lambda: self.cluster)

    def close(self) -> None:
        """Close every handle that was opened."""
        handles = self._handles()
        for name in [name for name in self.__dict__ if name in handles]:
            self.__dict__.pop(name).close()

    @classmethod
    def _handles(cls) -> frozenset[str]:
        kinds = (vars(kind).items() for kind in cls.__mro__)
        return frozenset(name for said in kinds for name, value in said if isinstance(value, cached_property))
