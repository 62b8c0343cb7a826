"""The handles of a notebook on one target: none of them can write. Each is opened at its first use."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from opslib.errors import Unreachable
from opslib.settings import ReadSettings
from opslib.systems.cache import ReadOnlyCache
from opslib.systems.certificates import Certificates
from opslib.systems.checkout import Checkout
from opslib.systems.front_door import FrontDoor
from opslib.systems.gateway import ReadOnlyGateway
from opslib.systems.github import ReadOnlyWorkflows
from opslib.systems.kubernetes import ReadOnlyCluster
from opslib.systems.kubernetes_history import ReadOnlyWorkloads
from opslib.systems.log_groups import ReadOnlyLogs
from opslib.systems.log_insights import LogInsights
from opslib.systems.names import Names
from opslib.systems.names_servers import NameServers
from opslib.systems.object_store import ReadOnlyBucket
from opslib.systems.postgres import ReadOnlyDatabase
from opslib.systems.replicas import ReadOnlyReplicas
from opslib.systems.secret_store import ReadOnlySecrets
from opslib.systems.sentry import ReadOnlySentry
from opslib.systems.status_pages import StatusPages
from opslib.systems.target_supabase import SupabaseReading
from opslib.systems.target_watching import Watching
from opslib.systems.web import Preflights, Reader
from opslib.systems.zones import ReadOnlyZones


class ReadTarget(Watching, SupabaseReading):
    """Handles that cannot write, each opened at its first use; close with :meth:`close`."""

    def __init__(self, settings: ReadSettings, run: str) -> None:
        self.settings = settings
        self.environment = settings.environment
        self.run = run

    @cached_property
    def database(self) -> ReadOnlyDatabase:
        """PostgreSQL as the reading role: of the servers that are described, the one that takes writes."""
        return self.reading_session()

    def reading_session(self, *, unset: Collection[str] = ()) -> ReadOnlyDatabase:
        """Return a session of its own like :attr:`database`, with the time-outs ``unset`` as the server has them."""
        said = self.settings
        return ReadOnlyDatabase(said.read_database_url, f"opslib:{self.run}", unset=unset, other=said.read_standby_url)

    @cached_property
    def described_primary(self) -> ReadOnlyDatabase:
        """The server that the description names as the database, whatever its role is by now."""
        return ReadOnlyDatabase(self.settings.read_database_url, f"opslib:{self.run}")

    @cached_property
    def standby(self) -> ReadOnlyDatabase:
        """The server that is described as the standby, whatever its role is; raises Unreachable without one."""
        if self.settings.read_standby_url is None:
            raise Unreachable("No standby is described.", "Set OPS_READ_STANDBY_DATABASE_URL.", "missing")
        return ReadOnlyDatabase(self.settings.read_standby_url, f"opslib:{self.run}")

    @cached_property
    def cache(self) -> ReadOnlyCache:
        """Redis or Valkey as the reading user."""
        return ReadOnlyCache(self.settings.read_cache_url, f"opslib:{self.run}")

    @cached_property
    def backups(self) -> ReadOnlyBucket:
        """The bucket of the database backups."""
        return ReadOnlyBucket(self.settings, self.settings.backup_bucket)

    @cached_property
    def secrets(self) -> ReadOnlySecrets:
        """How secrets stand in Secrets Manager; never their values."""
        return ReadOnlySecrets(self.settings)

    @cached_property
    def logs(self) -> ReadOnlyLogs:
        """How groups of logs stand in CloudWatch; never an event."""
        return ReadOnlyLogs(self.settings)

    @cached_property
    def insights(self) -> LogInsights:
        """CloudWatch Logs Insights, which is asked within bounds."""
        return LogInsights(self.settings)

    @cached_property
    def web(self) -> Reader:
        """HTTP with safe methods only."""
        return Reader()

    @cached_property
    def browser(self) -> Preflights:
        """HTTP as a browser asks before it calls another origin: safe methods, preflights among them."""
        return Preflights()

    @cached_property
    def workflows(self) -> ReadOnlyWorkflows:
        """GitHub Actions, by a token that only reads."""
        return ReadOnlyWorkflows(self.settings, self.settings.read_github_token)

    @cached_property
    def checkout(self) -> Checkout:
        """The commits of the product's repository on this machine."""
        return Checkout(self.settings.checkout)

    @cached_property
    def cluster(self) -> ReadOnlyCluster:
        """Kubernetes, by a token that only reads."""
        return ReadOnlyCluster(self.settings, self.settings.read_kubernetes_token)

    @cached_property
    def workloads(self) -> ReadOnlyWorkloads:
        """What deployments were before, and the workload of the cache, by the same token."""
        return ReadOnlyWorkloads(self.settings, self.settings.read_kubernetes_token)

    @cached_property
    def status_pages(self) -> StatusPages:
        """The vendors' public status pages."""
        return StatusPages(self.settings)

    @cached_property
    def sentry(self) -> ReadOnlySentry:
        """The project's errors at Sentry, by a token that only reads."""
        return ReadOnlySentry(self.settings, self.settings.read_sentry_token)

    @cached_property
    def names(self) -> Names:
        """DNS, asked of one name server."""
        return Names(self.settings.resolver)

    @cached_property
    def name_servers(self) -> NameServers:
        """DNS, asked of several name servers one by one."""
        return NameServers()

    @cached_property
    def zones(self) -> ReadOnlyZones:
        """Route 53's record sets, by credentials that only read."""
        return ReadOnlyZones(self.settings)

    @cached_property
    def front_door(self) -> FrontDoor:
        """The API at one address, asked by its name."""
        return FrontDoor(self.settings)

    @cached_property
    def certificates(self) -> Certificates:
        """The certificates that hosts show."""
        return Certificates()

    @cached_property
    def gateway(self) -> ReadOnlyGateway:
        """The product's LLM gateway, by the token of a user who only looks."""
        return ReadOnlyGateway(self.settings)

    @cached_property
    def replicas(self) -> ReadOnlyReplicas:
        """The same of each replica of the API by itself."""
        return ReadOnlyReplicas(self.settings, lambda: self.cluster)

    def close(self) -> None:
        """Close every handle that was opened."""
        for name in [name for name in self.__dict__ if name in self._handles()]:
            self.__dict__.pop(name).close()

    @classmethod
    def _handles(cls) -> frozenset[str]:
        kinds = (vars(kind).items() for kind in cls.__mro__)
        return frozenset(name for said in kinds for name, value in said if isinstance(value, cached_property))
