"""Which check stands behind each name in the guide's table of routines (``guide/routines.tsv``), area by area."""

from __future__ import annotations

from dataclasses import dataclass

from opslib.checks import (
    application,
    backups,
    cache,
    costs,
    database,
    delivery,
    dependencies,
    frontend,
    llm,
    observability,
    sdui,
    security,
)
from opslib.checks import environment_production as production
from opslib.checks.triage_looks import looks
from opslib.errors import UsageError
from opslib.guide.routines import lines_of
from opslib.model import Check, Reading, now
from opslib.probes.delivery_version import NEWEST
from opslib.probes.triage_routines import deployed as deployed_probe

Areas = dict[str, tuple[Check, ...]]


@dataclass(frozen=True)
class Asked:
    """What a routine is of: a commit (``newest``: of the branch that is deployed), or what is deployed since when.

    ``every_hours`` is how often a look is due after a deployment.
    """

    commit: str = NEWEST
    deployed: Reading | None = None
    every_hours: float = 2.0

    @property
    def since(self) -> Reading:
        """What was deployed when; a reading that says that nobody looked, where none was given."""
        if self.deployed is not None:
            return self.deployed
        probe = deployed_probe
        return Reading(probe.name, probe.title, "", now(), 0.0, source=probe.source, unknown="nobody looked")


def known(asked: Asked) -> Areas:
    """Return every check that a line of the table may name, by area, causes before effects."""
    file, branch = delivery.WORKFLOW, delivery.BRANCH
    return {
        "dependencies": (dependencies.intake(), dependencies.new_issues(), dependencies.certificates),
        "database": (*_database(), *_migrations()),
        "cache": (cache.memory, cache.hit_ratio(window_seconds=2.0)),
        "llm": (llm.latency(), llm.tokens(), llm.key("together"), llm.key("openai"), llm.fallback_cost()),
        "application": _application(asked.since),
        "sdui": (sdui.opened,),
        "frontend": _front_end(),
        "delivery": (
            *(delivery.commit_tested(file, asked.commit, branch), delivery.commit_reviewed(asked.commit, branch)),
            *(delivery.guide_age(branch), delivery.guide_version(branch), delivery.guide_files(branch)),
        ),
        "security": _security(),
        "environment": (production.production,),
        "observability": (
            *(observability.targets, observability.dashboards, observability.guide_alerts),
            *(observability.silent_rules, observability.told),
        ),
        "costs": (costs.hour, costs.baseline, costs.spent(), costs.stored()),
        "backups": (backups.automatic, backups.freshness, backups.coverage, backups.shrinkage, backups.logs),
        "triage": (looks(asked.since, asked.every_hours),),
    }


def _database() -> tuple[Check, ...]:
    return (
        *(database.disk, database.connection_use, database.pooling, database.query_p95(), database.slow_statements()),
        *(database.foreign_key_indexes, database.invalid_indexes, database.unused_indexes()),
        database.redundant_indexes,
    )


def _migrations() -> tuple[Check, ...]:
    return (
        *(database.migration_order, database.half_applied_migrations, database.edited_migrations),
        *(database.migration_rollbacks, database.migration_lint, database.rehearsed),
    )


def _application(deployed: Reading) -> tuple[Check, ...]:
    return (
        *(application.health, application.ready, application.rate_limit, application.uptime(), application.burn()),
        *(application.error_rate(seconds=2.0), application.response_time(seconds=2.0)),
        *(application.errors_compared(deployed), application.times_compared(deployed)),
    )


def _front_end() -> tuple[Check, ...]:
    return (
        *(frontend.whole, frontend.served, frontend.size, frontend.grown, frontend.compressed, frontend.kept),
        *(frontend.painted(), frontend.images, frontend.lazy, frontend.analytics, frontend.public),
    )


def _security() -> tuple[Check, ...]:
    return (
        *(security.row_security, security.views, security.open_policies, security.writes, security.matrix),
        *(security.bundle, security.tracked, security.cors, security.headers, security.content_policy),
        *(security.transport, security.definers, security.rotation, security.signing_keys),
    )


def evidence(routine: str, asked: Asked | None = None) -> Areas:
    """Return the checks that the lines of a routine name, by area, for one survey.

    Raises UsageError for a routine or a check that there is none of.
    """
    wanted = {name for line in lines_of(routine) for name in line.checks}
    every = known(asked or Asked())
    if strange := wanted - {check.name for checks in every.values() for check in checks}:
        raise UsageError(f"No check is called {', '.join(sorted(strange))}.", "Correct guide/routines.tsv.")
    found = {area: tuple(check for check in checks if check.name in wanted) for area, checks in every.items()}
    return {area: checks for area, checks in found.items() if checks}
