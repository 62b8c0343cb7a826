"""Supabase: the project, its services, the functions and the secrets that they need."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe, now
from opslib.probes.questions import question
from opslib.systems.supabase import RESERVED
from opslib.systems.target import ReadTarget

SMOKE_SECONDS = 10.0
MIGRATIONS = "supabase/migrations/"


def _project(target: ReadTarget) -> list[dict[str, Any]]:
    found = target.supabase.project()
    return [{"project": found.ref, "name": found.name, "region": found.region, "status": found.status}]


def _services(target: ReadTarget) -> list[dict[str, Any]]:
    return [{"service": one.name, "status": one.status, "error": one.error} for one in target.supabase.health()]


def _functions(target: ReadTarget) -> list[dict[str, Any]]:
    return [
        {
            "function": one.slug,
            "status": one.status,
            "version": one.version,
            "deployed": one.updated and datetime.fromtimestamp(one.updated / 1000, now().tzinfo).isoformat(),
            "verify_jwt": one.verify_jwt,
        }
        for one in target.supabase.functions().values()
    ]


def _secrets(target: ReadTarget) -> list[dict[str, Any]]:
    """Names and moments; the digests that the API lists stay out of every reading."""
    held, needed = target.supabase.secrets(), target.settings.function_secrets
    return [
        {
            "secret": name,
            "set": name in held,
            "needed": name in needed,
            "platform": name.startswith(RESERVED),
            "updated": held[name].updated if name in held else None,
            "days": days_since(held[name].updated) if name in held else None,
        }
        for name in sorted({*held, *needed}, key=lambda name: (name not in needed, name))
    ]


def days_since(moment: str | None) -> float | None:
    """Return the days since ``moment`` as the API writes it, or None where it says none that can be read."""
    try:
        then = datetime.fromisoformat(moment or "")
    except ValueError:
        return None
    return round((now() - then).total_seconds() / 86_400, 1) if then.tzinfo else None


def smoke(target: ReadTarget, slug: str) -> dict[str, Any]:
    """Call one function with GET, as anybody may, and return what it answered; for functions that this changes nothing.

    A function that wants a token answers 401: it is deployed, and whether it starts is not seen.
    """
    site = target.settings.supabase_site
    if site is None:
        raise Unreachable("VITE_SUPABASE_URL is not in the target description.", "Name the project's own address.")
    answer = target.web.get(f"{site.rstrip('/')}/functions/v1/{slug}", deadline=SMOKE_SECONDS)
    return {"function": slug, "status": answer.status, "seconds": round(answer.seconds, 3)}


def _smoke(target: ReadTarget) -> list[dict[str, Any]]:
    return [smoke(target, slug) for slug in target.settings.smoke_functions]


def migrations_of(files: Iterable[str]) -> dict[str, str]:
    """Return the migrations among a commit's paths: file names by version."""
    names = [path.rsplit("/", 1)[1] for path in files if path.startswith(MIGRATIONS)]
    return {name.partition("_")[0]: name for name in names if name.endswith(".sql")}


def recorded(target: ReadTarget) -> set[str]:
    """Return the versions of the migrations that the database's history records."""
    return {row["version"] for row in target.database.ask(question("supabase/migrations"))}


def migrations(ref: str) -> Probe:
    """Return the probe of the migrations that a commit has, or that the database's history records."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        commit = target.checkout.commit(ref)
        known, there = migrations_of(target.checkout.files(commit)), recorded(target)
        return [
            {"version": one, "file": known.get(one), "commit": commit[:12], "recorded": one in there}
            for one in sorted(known.keys() | there)
        ]

    return Probe(
        "supabase-migrations",
        "Migrations in the commit and in the database",
        read,
        source=f"git ls-tree -r {ref} {MIGRATIONS}; sql/supabase/migrations.sql",
    )


def project() -> Probe:
    """Return the probe of the project that the description names."""
    return Probe("supabase-project", "Project", _project, source="GET /v1/projects/REF")


def services() -> Probe:
    """Return the probe of the services' health, as Supabase sees it."""
    return Probe("supabase-services", "Services of the project", _services, source="GET /v1/projects/REF/health")


def functions() -> Probe:
    """Return the probe of the deployed functions."""
    return Probe("supabase-functions", "Functions", _functions, source="GET /v1/projects/REF/functions")


def secrets() -> Probe:
    """Return the probe of the functions' secrets: which are there, and since when; neither values nor digests."""
    return Probe(
        "supabase-secrets",
        "Secrets of the functions",
        _secrets,
        source="GET /v1/projects/REF/secrets",
        units={"days": "d"},
    )


def calls() -> Probe:
    """Return the probe that calls the functions which may be called by GET (OPS_SMOKE_FUNCTIONS)."""
    return Probe(
        "supabase-calls",
        "Functions that were called",
        _smoke,
        source="GET $VITE_SUPABASE_URL/functions/v1/SLUG",
        units={"seconds": "s"},
    )
