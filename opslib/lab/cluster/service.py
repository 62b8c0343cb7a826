"""The cluster's stand-in as one more service of the lab."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping

from opslib.lab.service import Service

READING, WRITING = "read_kubernetes_token", "kubernetes_token"
NAMESPACE, WATCHING = "production", "observability"
OPERATORS = "192.0.2.128/28"


class Cluster(Service):
    """One process that speaks the Kubernetes API over HTTPS."""

    name = "cluster"
    what = "Kubernetes, a stand-in"

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "opslib.lab.cluster", "--port", str(self.port), "--folder", str(self.folder)]

    def variables(self) -> Mapping[str, str]:
        """Return the tokens that it knows, with what each may do, and whose Valkey runs in its pod."""
        tokens = {self.passwords[READING]: "read", self.passwords[WRITING]: "write"}
        return {"LAB_TOKENS": json.dumps(tokens), "LAB_HOSTS": str(self.state.folder)}

    def discard(self) -> None:
        """Remove the state of an interrupted start."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """Return where the application finds what its pods were started with."""
        return {"LAB_PODS_URL": f"https://127.0.0.1:{self.port}", "LAB_PODS_CA": str(self.folder / "ca.pem")}

    def target(self) -> dict[str, str]:
        """Return the variables of a target description that lead here."""
        return {
            "OPS_KUBERNETES_URL": f"https://127.0.0.1:{self.port}",
            "OPS_KUBERNETES_CA": str(self.folder / "ca.pem"),
            "OPS_KUBERNETES_NAMESPACE": NAMESPACE,
            "OPS_OBSERVABILITY_NAMESPACE": WATCHING,
            "OPS_READ_KUBERNETES_TOKEN": self.passwords[READING],
            "OPS_KUBERNETES_TOKEN": self.passwords[WRITING],
            "OPS_OPERATOR_NETWORKS": OPERATORS,
            # The stand-in's network holds policies to what they say, and its service keeps addresses.
            "OPS_PODS_SEE_CLIENTS": "true",
        }
