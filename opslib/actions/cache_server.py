"""What the cache's actions have in common: one primary, reached by both addresses, the same as it was planned with."""

from __future__ import annotations

from typing import Any

from opslib.errors import Refused
from opslib.model import Plan
from opslib.systems.cache import ReadOnlyCache
from opslib.systems.target import WriteTarget


def changeable(cache: ReadOnlyCache) -> dict[str, Any]:
    """Return which server this is; raises Refused where a change would be lost or hold for a part only."""
    info = cache.info("server", "replication")
    if info.get("role") != "master":
        raise Refused("This server is a replica: nothing can be changed there.", "Name the primary's address.")
    if "cluster" in (info.get("server_mode"), info.get("redis_mode")):
        raise Refused(
            "This server is one of a cluster, and a change would hold for a part of it only.",
            "Use the cluster's own tools, node by node.",
        )
    return identity(cache)


def identity(cache: ReadOnlyCache) -> dict[str, Any]:
    """Return the server's run, which a restart ends, and the database."""
    facts = dict(word.partition("=")[::2] for word in str(cache.ask("CLIENT", "INFO")).split())
    return {"server": cache.info("server")["run_id"], "database": int(facts["db"])}


def same_server(target: WriteTarget, plan: Plan) -> None:
    """Raise Refused unless both addresses lead to the server of the plan, not started anew since."""
    looked = identity(target.cache)
    if identity(target.cache_store) != looked:
        raise Refused(
            f"REDIS_URL leads elsewhere than {target.settings.read_cache_url.public}.",
            "Correct the target description: both addresses must lead to one database of one server.",
        )
    if looked != plan.fingerprint:
        raise Refused("The server was started anew, or is another one, since it was planned with.", "Plan again.")
