"""What breaks at the lab's Supabase: project, keys, grants and policies, preflights, clock, bans, half a release."""

from __future__ import annotations

from typing import Any

from opslib.lab.broken import Fault, supabase_release
from opslib.lab.doors import change, remembered
from opslib.model import Verdict
from opslib.settings import Settings
from opslib.systems.postgres_admin import AdminDatabase

AREA = "supabase"
MIGRATION = "what brings it back is a migration that somebody writes and reviews"
TABLE = "billing_plans"
"""A table that anybody may read in a healthy lab."""


def _health(settings: Settings, status: str) -> None:
    change(settings, AREA, health={**remembered(settings, AREA)["health"], "rest": status})


def _grant(settings: Settings) -> None:
    with AdminDatabase(settings.database_url, "opslib:lab") as session:
        session.execute("GRANT SELECT ON public.billing_plans TO anon", what="grant")


def _revoke(settings: Settings) -> None:
    with AdminDatabase(settings.database_url, "opslib:lab") as session:
        session.execute("REVOKE SELECT ON public.billing_plans FROM anon", what="revoke")


def _drop_policy(settings: Settings) -> None:
    with AdminDatabase(settings.database_url, "opslib:lab") as session:
        session.execute("DROP POLICY IF EXISTS plans_read ON public.billing_plans", what="drop the policy")


def _create_policy(settings: Settings) -> None:
    _drop_policy(settings)
    with AdminDatabase(settings.database_url, "opslib:lab") as session:
        session.execute(
            "CREATE POLICY plans_read ON public.billing_plans FOR SELECT TO anon, authenticated USING (true)",
            what="create the policy",
        )


def _rename(settings: Settings) -> None:
    with AdminDatabase(settings.database_url, "opslib:lab") as session:
        session.execute("ALTER TABLE IF EXISTS public.agent_sessions RENAME TO agent_sessions_moved", what="rename")


def _rename_back(settings: Settings) -> None:
    with AdminDatabase(settings.database_url, "opslib:lab") as session:
        session.execute("ALTER TABLE IF EXISTS public.agent_sessions_moved RENAME TO agent_sessions", what="rename")


def _told(
    name: str,
    title: str,
    check: str,
    broken: dict[str, Any],
    well: dict[str, Any],
    person: str,
) -> Fault:
    return Fault(
        f"supabase-{name}",
        AREA,
        title,
        check,
        "",
        make=lambda settings: change(settings, AREA, **broken),
        mend=lambda settings: change(settings, AREA, **well),
        # Whose addresses are banned, nobody here knows.
        verdict=Verdict.WARNING if name == "banned" else Verdict.CRITICAL,
        person=person,
    )


FAULTS: tuple[Fault, ...] = (
    _told(
        "paused",
        "The project is paused",
        "supabase-project",
        {"status": "INACTIVE"},
        {"status": "ACTIVE_HEALTHY"},
        person="its owner starts it again in its pages, where what it costs is agreed to",
    ),
    _told(
        "key-rotated",
        "The project's keys were rotated, and the front end has the old one",
        "supabase-apikey",
        {"jwt_generation": 1},
        {"jwt_generation": 0},
        person="somebody takes the present key from the project's pages into vault and description first",
    ),
    _told(
        "origins",
        "What stands before the project allows no origin",
        "supabase-cors",
        {"origins": []},
        {"origins": "*"},
        person="what stands before the project is no system of this program",
    ),
    _told(
        "clock",
        "The project's clock is five minutes ahead",
        "supabase-clock",
        {"clock_skew": 300},
        {"clock_skew": 0},
        person="the clock is the vendor's, or one machine's",
    ),
    _told(
        "banned",
        "An address is banned from the database",
        "supabase-network",
        {"banned": ["203.0.113.7"]},
        {"banned": []},
        person="whose address it is, and whether the ban is right, somebody has to find out first",
    ),
    Fault(
        "supabase-rest-down",
        AREA,
        "The project's REST interface is down",
        "supabase-services",
        "",
        make=lambda settings: _health(settings, "UNHEALTHY"),
        mend=lambda settings: _health(settings, "ACTIVE_HEALTHY"),
        person="the service is the vendor's",
    ),
    Fault(
        "supabase-grant",
        AREA,
        f"Nobody may read {TABLE} any more: the grant is gone",
        "supabase-tables",
        "",
        make=_revoke,
        mend=_grant,
        person=MIGRATION,
    ),
    Fault(
        "table-renamed",
        AREA,
        "A table that the API's health reads has another name, as after a careless migration",
        # The API's 503 is the effect: which table is away, only who asks for tables says.
        "supabase-tables",
        "",
        make=_rename,
        mend=_rename_back,
        person=MIGRATION,
    ),
    Fault(
        "supabase-policy",
        AREA,
        f"{TABLE} is empty for everybody: its policy is gone",
        "supabase-tables",
        "",
        make=_drop_policy,
        mend=_create_policy,
        person=MIGRATION,
    ),
    *supabase_release.FAULTS,
)
"""Each is mended by its own ``mend``; what the real system needs is in the check's remedy."""
