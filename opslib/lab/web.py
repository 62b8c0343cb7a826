"""The application's stand-in as one more service of the lab, where its module is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec

from opslib.lab.application_options import PLACE
from opslib.lab.cache import Cache
from opslib.lab.cluster.service import Cluster
from opslib.lab.database import DATABASE, Database
from opslib.lab.service import Service
from opslib.lab.vendors.service import Vendors

MODULE = "opslib.lab.application"
REPLICAS = 2
"""As many as the cluster's deployment of the API has pods."""
POOL = "valuecanvas-api"
"""The ``application_name`` of the stand-in's sessions in PostgreSQL."""


class Application(Service):
    """The stand-in that speaks the application's HTTP interface."""

    name = "application"
    what = "the application, a stand-in"

    def connect(self, database: Database, cache: Cache, vendors: Vendors, cluster: Cluster) -> None:
        """Say which servers the stand-in uses; their ports are known once they run."""
        self._database, self._cache, self._vendors, self._cluster = database, cache, vendors, cluster

    @staticmethod
    def installed() -> bool:
        """Whether the stand-in's module exists."""
        return find_spec(MODULE) is not None

    def command(self) -> list[str]:
        """Return the stand-in's command line."""
        return [sys.executable, "-m", MODULE, "--port", str(self.port)]

    def variables(self) -> Mapping[str, str]:
        """Return where the stand-in finds its servers and the disk that it measures.

        ``LAB_…`` variables of this process go with them: load, times and shapes of the stand-in.
        """
        given = {name: value for name, value in os.environ.items() if name.startswith("LAB_")}
        return given | {
            "DATABASE_URL": self._database.url("postgres", DATABASE),
            "LAB_NAMES": str(self.state.folder / "lab.json"),
            "REDIS_URL": self._cache.url("default"),
            "CORS_ALLOWED_ORIGINS": self._vendors.url,
            "LAB_DISK_PATH": str(self._database.data),
            "LAB_MONITOR_TOKEN": self.passwords["read_application_token"],
            "LAB_ADMIN_TOKEN": self.passwords["admin_token"],
            "LAB_ADMIN_SESSION": self.passwords["admin_session"],
            "LAB_REPLICAS": str(REPLICAS),
            **self._vendors.providers(),
            **self._cluster.environment(),
        }

    def target(self) -> dict[str, str]:
        """Return the variables of a target description that lead to the replicas, and who may reset them."""
        return {
            "OPS_API_REPLICAS": ",".join(f"{self.url}{PLACE}/{number}" for number in range(REPLICAS)),
            "OPS_APPLICATION_ADMIN_TOKEN": self.passwords["admin_token"],
            "OPS_APPLICATION_ADMIN_SESSION": self.passwords["admin_session"],
        }

    @property
    def url(self) -> str:
        """The stand-in's base address."""
        return f"http://127.0.0.1:{self.port}"
