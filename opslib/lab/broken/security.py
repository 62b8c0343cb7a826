"""What lets others see what is not theirs: policies, views, tables without them, secrets served, headers, origins."""

from __future__ import annotations

from typing import LiteralString

from opslib.lab.broken import Fault
from opslib.lab.broken.frontend import built, rebuilt
from opslib.lab.broken.revision import released, taken_back
from opslib.settings import Settings
from opslib.systems.postgres_admin import AdminDatabase

AREA = "security"
DEPLOY = "runbooks/deploy-new-version"
MIGRATION = "what the policy, the view or the table should be is a migration that somebody writes and reviews"
BUILT = "const together='tgp_v1_" + "q7Zr2Lm89f3K" * 4 + "';"
"""What a build with VITE_TOGETHER_API_KEY would serve; nobody's key."""


def _sql(settings: Settings, *statements: LiteralString) -> None:
    with AdminDatabase(settings.database_url, "opslib:lab") as session:
        for statement in statements:
            session.execute(statement, what="break or mend the lab")


def _statements(
    name: str, title: str, check: str, make: tuple[LiteralString, ...], mend: tuple[LiteralString, ...]
) -> Fault:
    return Fault(
        f"security-{name}",
        AREA,
        title,
        check,
        "",
        make=lambda settings: _sql(settings, *make),
        mend=lambda settings: _sql(settings, *mend),
        person=MIGRATION,
    )


FAULTS: tuple[Fault, ...] = (
    _statements(
        "true-policy",
        "A policy of cases lets every member see all organizations' rows",
        "security-tenants",
        (
            "DROP POLICY IF EXISTS lab_everything ON public.cases",
            "CREATE POLICY lab_everything ON public.cases FOR SELECT TO authenticated USING (true)",
        ),
        ("DROP POLICY IF EXISTS lab_everything ON public.cases",),
    ),
    _statements(
        "owners-view",
        "A view shows llm_usage with its owner's rights to everybody",
        "security-views",
        (
            "CREATE OR REPLACE VIEW public.lab_usage AS SELECT organization_id, model, cost FROM public.llm_usage",
            "GRANT SELECT ON public.lab_usage TO anon, authenticated",
        ),
        ("DROP VIEW IF EXISTS public.lab_usage",),
    ),
    _statements(
        "no-row-security",
        "webhook_events has no row level security any more",
        "security-rls",
        ("ALTER TABLE public.webhook_events DISABLE ROW LEVEL SECURITY",),
        ("ALTER TABLE public.webhook_events ENABLE ROW LEVEL SECURITY",),
    ),
    _statements(
        "foreign-writes",
        "A policy of cases looks at the title of a new row, and not at its organization",
        "security-writes",
        (
            "DROP POLICY IF EXISTS lab_titled ON public.cases",
            "CREATE POLICY lab_titled ON public.cases FOR INSERT TO authenticated WITH CHECK (title <> '')",
        ),
        ("DROP POLICY IF EXISTS lab_titled ON public.cases",),
    ),
    Fault(
        "security-built-in-key",
        AREA,
        "Every build of the front end so far has a provider's key in it, by a variable that is gone by now",
        "security-bundle",
        DEPLOY,
        make=built(every=True, bundle=BUILT),
        mend=rebuilt("bundle"),
    ),
    Fault(
        "security-any-origin",
        AREA,
        "The API's newest version lets every page call it with a person's own session",
        "security-cors",
        "disaster/recover-everything",
        make=released(cors="reflect"),
        mend=taken_back,
    ),
    Fault(
        "security-policy-shuts",
        AREA,
        "The front end's content security policy stops its own calls of Supabase and the API",
        "security-headers",
        DEPLOY,
        make=built(every=True, policy="default-src 'none'; script-src 'self'"),
        mend=rebuilt("policy"),
    ),
)
"""Each is found by the look that it names; what the real system needs is in the check's remedy."""
