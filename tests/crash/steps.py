"""The steps of real runbooks as their notebooks ask for them, for a run without a kernel."""

import shutil

RUNBOOKS = {
    "back-up": "runbooks/back-up-database",
    "restore": "runbooks/restore-database",
    "retention": "runbooks/back-up-database",
    "upkeep": "runbooks/maintain-database",
    "roll-back": "runbooks/roll-back-deployment",
    "roll-back-netlify": "runbooks/roll-back-deployment",
    "roll-back-cloudflare": "runbooks/roll-back-deployment",
    "clear": "runbooks/maintain-cache",
    "migrate": "runbooks/migrate-database",
    "scale": "runbooks/scale-for-high-traffic",
    "set-up": "runbooks/set-up-environment",
    "incident": "runbooks/respond-to-security-incident",
}
CLEARED = "llm:cache:crash:"
"""A part of the cache's family that no other test fills."""


if not all(map(shutil.which, ("git", "node", "npm"))):
    del RUNBOOKS["set-up"]


def steps(scenario):
    """Return (cell, action, parameters as a function of the values of the steps before) in their order."""
    return [(step[0], *step[-2:]) for step in _parameters(scenario)]


def _parameters(scenario):
    if scenario == "retention":
        return [("apply-retention", lambda done: {})]
    if scenario == "clear":
        return [("clear-cache-family", lambda done: {"prefix": CLEARED})]
    if scenario.startswith("roll-back"):
        return [("roll-back-front-end", lambda done: {"deployment": "previous", "wait_seconds": 60.0})]
    if scenario == "upkeep":
        return [
            ("vacuum-tables", lambda done: {"table": "due"}),
            ("drop-invalid-indexes", lambda done: {}),
            ("create-index", lambda done: {"table": "public.users", "columns": "name"}),
            ("refresh-views", lambda done: {}),
        ]
    if scenario == "migrate":
        # Rehearsed beforehand, as the bench says: that has a restore in it, which "restore" breaks off.
        return [
            ("apply-migrations", lambda done: {"through": "all"}),
            ("roll-back-migration", lambda done: {"version": "20260402090000"}),
        ]
    if scenario == "scale":
        waits = {"wait_seconds": 30.0, "settle_seconds": 0.1}
        return [
            ("scale-api", "scale-deployment", lambda done: {"which": "api", "replicas": 4, **waits}),
            ("scale-workers", "scale-deployment", lambda done: {"which": "worker", "replicas": 3, **waits}),
            ("set-cache-memory", "set-cache-memory", lambda done: {"megabytes": 96, "policy": "volatile-ttl"}),
        ]
    if scenario == "set-up":
        return [
            ("clone", "clone-repository", lambda done: {"branch": "main"}),
            ("install", "install-packages", lambda done: {"commit": done["clone"]["commit"]}),
            ("env-file", "write-environment-file", lambda done: {"commit": done["clone"]["commit"]}),
            ("dev-server", "start-dev-server", lambda done: {"commit": done["clone"]["commit"]}),
        ]
    if scenario == "incident":
        kept = "preserve-logs"
        blocked = "203.0.113.9,2001:db8:4::/48"
        return [
            (kept, lambda done: {"of": "api", "hours": 1.0}),
            ("block-addresses", lambda done: {"which": "api", "networks": blocked, "manifest": done[kept]["manifest"]}),
            (
                "set-audit-level",
                lambda done: {"level": "debug", "manifest": done[kept]["manifest"], "wait_seconds": 30.0},
            ),
        ]
    if scenario == "back-up":
        return [
            ("take-backup", lambda done: {}),
            ("prove-backup", lambda done: {"backup": done["take-backup"]["backup"]}),
            ("apply-retention", lambda done: {}),
        ]
    return [
        ("stage-backup", lambda done: {"backup": "crash/x.dump", "max_age_hours": 1000.0}),
        ("restore-into-new-database", lambda done: {"sha256": done["stage-backup"]["sha256"]}),
        (
            "swap-databases",
            lambda done: {
                "database": done["restore-into-new-database"]["database"],
                "sha256": done["stage-backup"]["sha256"],
            },
        ),
    ]
