"""What a release may leave half done: a function, a secret of functions, a migration of the newest commit is not there.

Each is mended by the runbook that should have done it in the first place.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from psycopg import sql

from opslib.lab.broken import Fault
from opslib.lab.doors import change, remembered
from opslib.lab.processes import LabError
from opslib.lab.vendors import product
from opslib.settings import Settings
from opslib.systems.postgres import connect

AREA = "supabase"
DEPLOY = "runbooks/deploy-supabase"
NEXT = str(int(product.MIGRATIONS[-1]) + 1)
"""Version of the migration in a lab that has applied none of its pending ones: it comes before them."""
TABLE, TITLE = "case_reminders", "Reminders of cases"
FORWARDS = b"""-- When somebody wants to be reminded of a case.
create table public.case_reminders (
  id uuid primary key default gen_random_uuid(),
  case_id uuid not null references public.cases on delete cascade,
  remind_at timestamptz not null
);
create index case_reminders_case_id_idx on public.case_reminders (case_id);
alter table public.case_reminders enable row level security;
"""
BACKWARDS = b"drop table public.case_reminders;\n"


def _gone(kind: str, name: str) -> Callable[[Settings], None]:
    """Return what takes one of the project's functions or secrets away, and keeps it for :func:`_back`."""

    def make(settings: Settings) -> None:
        said = remembered(settings, AREA)
        if name in said[kind]:
            left = {other: one for other, one in said[kind].items() if other != name}
            change(settings, AREA, **{kind: left, f"gone_{kind}": {name: said[kind][name]}})

    return make


def _back(kind: str) -> Callable[[Settings], None]:
    """Return what brings it back, unless somebody has set or deployed another one since."""

    def mend(settings: Settings) -> None:
        said = remembered(settings, AREA)
        change(settings, AREA, **{kind: said.get(f"gone_{kind}", {}) | said[kind], f"gone_{kind}": {}})

    return mend


def forget_migration(settings: Settings) -> None:
    """Commit a migration, with its rollback, that nobody applies: the next version after what is applied."""
    if settings.checkout is None:
        raise LabError("This lab has no repository of the product.", "Install git, then: ops lab down, ops lab up")
    remember_migration(settings)
    kinds = {"migrations": FORWARDS, "rollbacks": BACKWARDS}
    with connect(settings.database_url, "lab") as session:
        said = session.execute("SELECT max(version) AS newest FROM supabase_migrations.schema_migrations").fetchone()
    name = f"{int(said['newest']) + 1 if said else NEXT}_{TABLE}.sql"
    product.commit(settings.checkout, {f"supabase/{kind}/{name}": text for kind, text in kinds.items()}, TITLE)
    for kind, text in kinds.items():
        (_migrations(settings) / kind / name).write_bytes(text)


def remember_migration(settings: Settings) -> None:
    """Take commit, files, table and record away."""
    if (checkout := settings.checkout) is None:
        return
    while product.git(checkout, "log", "-1", "--format=%s").strip() == TITLE:
        product.git(checkout, "reset", "--quiet", "--hard", "HEAD~1")
    for file in _migrations(settings).glob(f"*/*_{TABLE}.sql"):
        file.unlink()
    with connect(settings.database_url, "lab") as session:
        session.execute(sql.SQL("DROP TABLE IF EXISTS public.{}").format(sql.Identifier(TABLE)))
        session.execute("DELETE FROM supabase_migrations.schema_migrations WHERE name = %s", (TABLE,))


def _migrations(settings: Settings) -> Path:
    assert settings.migrations is not None
    return Path(settings.migrations)


FAULTS = (
    Fault(
        "function-gone",
        AREA,
        "A function that the product calls is not deployed any more",
        "supabase-calls",
        DEPLOY,
        make=_gone("functions", "hello"),
        mend=_back("functions"),
    ),
    Fault(
        "function-secret-gone",
        AREA,
        "The key of Together.ai is not set for the functions any more: the one that reads it fails",
        "supabase-secrets",
        DEPLOY,
        make=_gone("secrets", "TOGETHER_API_KEY"),
        mend=_back("secrets"),
    ),
    Fault(
        "migration-forgotten",
        AREA,
        "The newest commit brings a migration that nobody has applied",
        "supabase-migrations",
        "runbooks/migrate-database",
        make=forget_migration,
        mend=remember_migration,
    ),
)
