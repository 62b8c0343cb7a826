"""Who sees whose rows, on the lab's real database: each kind of leak is planted, found, and gone once it is mended."""

import json
from contextlib import contextmanager

import pytest

from opslib.checks import security as checks
from opslib.model import Verdict
from opslib.probes import security_tenants as probes
from opslib.redaction import DatabaseUrl
from opslib.runs.reading import evaluate, take
from opslib.systems.postgres_tenants import Identity
from opslib.systems.target import VerifyTarget

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL
CATALOGUE = (checks.row_security, checks.views, checks.open_policies)


@pytest.fixture
def look(lab):
    opened = []

    def look(check, **said):
        opened.append(VerifyTarget(lab.settings.model_copy(update=said), "test"))
        return evaluate(check, opened[-1])

    yield look
    for target in opened:
        target.close()


@pytest.fixture
def planted(lab):
    """Carry out statements, and others that take them back when the block ends."""

    @contextmanager
    def planted(make, mend):
        with lab.admin() as session:
            for statement in make:
                session.execute(statement)
            try:
                yield
            finally:
                for statement in mend:
                    session.execute(statement)

    return planted


def test_a_healthy_lab_lets_nobody_see_others_rows_and_looks_at_every_table_as_three(lab, look):
    result = look(checks.matrix)
    assert (result.verdict, result.value) == (OK, 0), result.summary
    rows = result.reading.rows
    assert len({row["relation"] for row in rows}) * 3 == len(rows)
    assert {row["identity"] for row in rows} == {"anybody", "member A", "member B"}
    own = [row["visible"] for row in rows if row["relation"] == "public.cases"]
    assert own[0] == 0
    assert min(own[1:]) > 0
    assert [look(check).verdict for check in CATALOGUE] == [OK] * 3


def test_a_policy_that_is_true_shows_other_organizations_rows(look, planted):
    with planted(
        ["CREATE POLICY lab_true ON public.cases FOR SELECT TO authenticated USING (true)"],
        ["DROP POLICY lab_true ON public.cases"],
    ):
        seen, said = look(checks.matrix), look(checks.open_policies)
    assert (seen.verdict, said.verdict) == (CRITICAL, CRITICAL)
    assert "member A sees" in seen.summary
    assert "rows of other organizations in public.cases" in seen.summary
    assert "cases (lab_true)" in said.summary
    assert "runbooks/respond-to-security-incident" in seen.remedy
    assert look(checks.matrix).verdict is OK


def test_a_view_with_its_owners_rights_shows_everything_to_everybody(look, planted):
    make = ["CREATE VIEW public.lab_view AS SELECT organization_id, title FROM public.cases"]
    grant = "GRANT SELECT ON public.lab_view TO anon, authenticated"
    with planted([*make, grant], ["DROP VIEW public.lab_view"]):
        seen, view = look(checks.matrix), look(checks.views)
    assert (seen.verdict, view.verdict) == (CRITICAL, CRITICAL)
    assert "anybody sees" in seen.summary
    assert "lab_view (anon, authenticated)" in view.summary
    invoker = ["CREATE VIEW public.lab_view WITH (security_invoker = true) AS SELECT organization_id FROM public.cases"]
    with planted([*invoker, grant], ["DROP VIEW public.lab_view"]):
        assert [look(check).verdict for check in (checks.matrix, checks.views)] == [OK, OK]


def test_a_materialised_view_that_the_api_reaches_is_found(look, planted):
    make = "CREATE MATERIALIZED VIEW public.lab_view AS SELECT organization_id FROM public.cases"
    with planted(
        [make, "GRANT SELECT ON public.lab_view TO authenticated"], ["DROP MATERIALIZED VIEW public.lab_view"]
    ):
        assert (look(checks.views).verdict, look(checks.matrix).verdict) == (CRITICAL, CRITICAL)


def test_a_table_without_row_level_security_is_named_with_who_may_what(look, planted):
    with planted(
        ["ALTER TABLE public.webhook_events DISABLE ROW LEVEL SECURITY"],
        ["ALTER TABLE public.webhook_events ENABLE ROW LEVEL SECURITY"],
    ):
        result, seen = look(checks.row_security), look(checks.matrix)
    assert (result.verdict, seen.verdict) == (CRITICAL, CRITICAL)
    assert "webhook_events (authenticated may write all of it)" in result.summary
    assert "anybody sees" in seen.summary


def test_without_a_grant_a_table_is_denied_and_that_is_as_it_should_be(look, planted):
    with planted(
        [
            "REVOKE ALL ON public.webhook_events FROM anon, authenticated",
            "ALTER TABLE public.webhook_events DISABLE ROW LEVEL SECURITY",
        ],
        [
            "ALTER TABLE public.webhook_events ENABLE ROW LEVEL SECURITY",
            "GRANT SELECT ON public.webhook_events TO anon",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON public.webhook_events TO authenticated",
        ],
    ):
        result, seen = look(checks.row_security), look(checks.matrix)
    assert (result.verdict, seen.verdict) == (OK, OK)
    words = {row["word"] for row in seen.reading.rows if row["relation"] == "public.webhook_events"}
    assert words == {"denied"}


def test_what_others_may_see_needs_a_reason_in_the_description(look):
    result = look(checks.matrix, tenant_exceptions=())
    assert (result.verdict, "anybody sees 3 rows of public.billing_plans" in result.summary) == (CRITICAL, True)
    assert look(checks.open_policies, tenant_exceptions=()).verdict is CRITICAL


def test_rows_that_are_nobodys_are_a_warning(look, planted):
    with planted(
        [
            "CREATE TABLE public.lab_notes (organization_id uuid, text text)",
            "INSERT INTO public.lab_notes VALUES (NULL, 'for all')",
            "ALTER TABLE public.lab_notes ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY lab_read ON public.lab_notes FOR SELECT TO authenticated USING (organization_id IS NULL)",
        ],
        ["DROP TABLE public.lab_notes"],
    ):
        result = look(checks.matrix)
    assert (result.verdict, "1 rows of public.lab_notes that are nobody's" in result.summary) == (WARNING, True)


def test_a_look_that_takes_too_long_or_waits_for_a_lock_is_unknown_and_the_rest_is_looked_at(lab, look, planted):
    with (
        planted(
            [
                "CREATE TABLE public.lab_slow (organization_id uuid)",
                "INSERT INTO public.lab_slow SELECT NULL FROM generate_series(1, 5)",
                "ALTER TABLE public.lab_slow ENABLE ROW LEVEL SECURITY",
                "CREATE POLICY lab_read ON public.lab_slow FOR SELECT TO anon USING (pg_sleep(30) IS NULL)",
            ],
            ["DROP TABLE public.lab_slow"],
        ),
        lab.admin() as other,
        other.transaction(),
    ):
        other.execute("LOCK TABLE public.teams IN ACCESS EXCLUSIVE MODE")
        result = look(checks.matrix)
    assert result.verdict is UNKNOWN
    words = {(row["relation"], row["word"]) for row in result.rows}
    assert {("public.lab_slow", "too slow"), ("public.teams", "locked")} <= words
    assert ("public.cases", "seen") in {(row["relation"], row["word"]) for row in result.reading.rows}


def test_nothing_can_be_written_with_others_eyes_and_nothing_stays(lab, planted):
    target = VerifyTarget(lab.settings, "test")
    with planted(
        [
            "CREATE TABLE public.lab_trap (organization_id uuid)",
            "CREATE FUNCTION public.lab_write() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS"
            " $$ BEGIN INSERT INTO public.lab_trap VALUES (gen_random_uuid()); RETURN true; END $$",
            "CREATE VIEW public.lab_view AS SELECT public.lab_write() AS organization_id",
            "GRANT SELECT ON public.lab_view TO anon",
        ],
        ["DROP VIEW public.lab_view", "DROP FUNCTION public.lab_write()", "DROP TABLE public.lab_trap"],
    ):
        seen = target.tenants.see(Identity("anybody", "anon"), "public", "lab_view", "organization_id")
        with lab.admin() as session:
            count = session.execute("SELECT count(*) AS n FROM public.lab_trap").fetchone()["n"]
    target.close()
    assert (seen.word, "25006" in seen.why, count) == ("failed", True, 0)


def test_fewer_than_two_organizations_a_role_that_may_not_become_another_and_no_schema_are_unknown(lab, look, planted):
    reader = DatabaseUrl(lab.settings.read_database_url.reveal())
    result = look(checks.matrix, database_url=reader)
    assert (result.verdict, "may not become anon" in result.summary) == (UNKNOWN, True)
    assert look(checks.matrix, exposed_schemas=("nowhere",)).verdict is UNKNOWN
    assert look(checks.row_security, exposed_schemas=("nowhere",)).verdict is UNKNOWN
    with planted(
        [
            "CREATE TABLE public.lab_kept AS SELECT * FROM public.organization_members",
            "UPDATE public.organization_members SET status = 'invited'",
        ],
        [
            "UPDATE public.organization_members m SET status = k.status FROM public.lab_kept k WHERE k.id = m.id",
            "DROP TABLE public.lab_kept",
        ],
    ):
        result = look(checks.matrix)
    assert (result.verdict, "two are needed" in result.summary) == (UNKNOWN, True)


def test_no_row_of_anybody_is_in_the_reading(lab):
    target = VerifyTarget(lab.settings, "test")
    reading = take(probes.matrix, target)
    target.close()
    said = json.dumps([dict(row) for row in reading.rows])
    assert "@" not in said
    assert "Organization " not in said
