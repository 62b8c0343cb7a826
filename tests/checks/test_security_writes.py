"""Who may write into another organization, by what policies ask: kinds told apart, and seen in a real catalogue."""

from contextlib import contextmanager

import pytest

from opslib.checks import security as checks
from opslib.checks.security_writes import asks, findings
from opslib.model import Verdict
from opslib.redaction import DatabaseUrl
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL
MEMBER = "is_org_member(organization_id)"
OWN = "(user_id = ( SELECT auth.uid() AS uid))"


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        (MEMBER, "tenant"),
        ("(organization_id = ( SELECT auth.get_current_org_id() AS get_current_org_id))", "tenant"),
        ("(organization_id = (current_setting('request.jwt.claim.org_id'::text, true))::uuid)", "tenant"),
        (
            "(EXISTS ( SELECT 1 FROM organization_members m WHERE ((m.organization_id = cases.organization_id)"
            " AND (m.user_id = auth.uid()))))",
            "tenant",
        ),
        (OWN, "person"),
        # Another table's column of that name is not whose the row is.
        ("(EXISTS ( SELECT 1 FROM organization_members m WHERE (m.organization_id = auth.uid())))", "person"),
        ("(EXISTS ( SELECT 1 FROM teams t WHERE ((t.id = cases.team_id) AND is_org_member(t.id))))", "elsewhere"),
        ("(organization_id IN ( SELECT o.id FROM organizations o))", "elsewhere"),
        ("may_write(id)", "elsewhere"),
        ("true", "nobody"),
        ("(organization_id IS NOT NULL)", "nobody"),
        ("(COALESCE(organization_id, id) IS NOT NULL)".lower(), "nobody"),
        ("(title <> 'is_org_member(organization_id)'::text)", "nobody"),
        # Whoever signed in is everybody.
        ("(auth.uid() IS NOT NULL)", "nobody"),
        ("(( SELECT auth.uid() AS uid) IS NOT NULL)", "nobody"),
        ("(auth.role() = 'authenticated'::text)", "nobody"),
        ("((auth.uid() IS NOT NULL) AND is_org_member(organization_id))", "tenant"),
    ],
)
def test_whom_an_expression_asks_for(expression, asked):
    assert asks(expression, "cases", "organization_id") == asked


def row(command, using=None, with_check=None, permissive=True, policy="p"):
    where = {"relation": "public.cases", "name": "cases", "tenant_column": "organization_id", "role": "authenticated"}
    said = {"command": command, "policy": policy, "permissive": permissive, "using": using, "with_check": with_check}
    return where | said


@pytest.mark.parametrize(
    ("rows", "verdict", "said"),
    [
        ([row("INSERT", with_check=MEMBER)], OK, ""),
        ([row("INSERT", with_check="true")], CRITICAL, "may put rows into any organization's public.cases (p)"),
        ([row("INSERT", with_check=OWN)], WARNING, "who writes is asked for, and not whose the row is"),
        ([row("INSERT", with_check="may_write(id)")], UNKNOWN, "a function, decide"),
        # Of a policy for all commands USING counts where WITH CHECK lacks.
        ([row("INSERT", using=MEMBER)], OK, ""),
        ([row("INSERT", using="true")], CRITICAL, "may put rows"),
        # One permissive policy suffices, and its name is told; a restrictive one keeps everybody out.
        (
            [row("INSERT", using=MEMBER, policy="a"), row("INSERT", with_check="true", policy="b")],
            CRITICAL,
            "cases (b)",
        ),
        ([row("INSERT", with_check="true"), row("INSERT", with_check=MEMBER, permissive=False)], OK, ""),
        ([row("INSERT", with_check=MEMBER, permissive=False)], OK, ""),
        ([row("UPDATE", using=MEMBER)], OK, ""),
        ([row("UPDATE", using="true", with_check=MEMBER)], CRITICAL, "may change any organization's rows"),
        ([row("UPDATE", using=MEMBER, with_check="true")], CRITICAL, "may move own rows"),
        ([row("UPDATE", using=OWN)], WARNING, "may move own rows"),
        ([row("UPDATE", using=OWN, with_check=MEMBER)], OK, ""),
        # Without USING nothing is reached.
        ([row("UPDATE", with_check=MEMBER)], OK, ""),
        ([row("DELETE", using=OWN)], OK, ""),
        ([row("DELETE", using="(title <> ''::text)")], CRITICAL, "may delete any organization's rows"),
        ([row("DELETE", using="(EXISTS ( SELECT 1 FROM teams t))")], UNKNOWN, "another table's policies"),
    ],
)
def test_what_the_policies_of_a_command_let_pass(rows, verdict, said):
    found = findings(rows)
    assert Verdict.worst([OK, *(one for one, _ in found)]) is verdict
    assert said in "; ".join(text for _, text in found)


@pytest.fixture
def look(lab):
    opened = []

    def look(**said):
        opened.append(ReadTarget(lab.settings.reading().model_copy(update=said), "test"))
        return evaluate(checks.writes, opened[-1])

    yield look
    for target in opened:
        target.close()


@contextmanager
def planted(lab, *make, mend):
    with lab.admin() as session:
        for statement in make:
            session.execute(statement)
        try:
            yield
        finally:
            session.execute(mend)


def test_a_healthy_lab_asks_whose_a_row_is_and_says_what_it_did_not_judge(look):
    result = look()
    assert (result.verdict, result.value) == (OK, 0), result.summary
    assert "1 without a tenant's column are not judged; nothing was written" in result.summary
    assert {"INSERT", "UPDATE", "DELETE"} == {one["command"] for one in result.reading.rows}


@pytest.mark.parametrize(
    ("policy", "verdict", "said"),
    [
        ("FOR INSERT TO authenticated WITH CHECK (auth.uid() IS NOT NULL)", CRITICAL, "cases (lab_writes)"),
        ("FOR INSERT TO authenticated WITH CHECK (user_id = (select auth.uid()))", WARNING, "who writes"),
        ("FOR UPDATE USING (is_org_member(organization_id)) WITH CHECK (title <> '')", CRITICAL, "move own rows"),
        ("AS RESTRICTIVE FOR ALL USING (true)", OK, ""),
        # For a role that no caller of the API is.
        ("FOR ALL TO service_role USING (true)", OK, ""),
    ],
)
def test_a_policy_that_does_not_ask_is_found_with_its_name_and_gone_with_it(lab, look, policy, verdict, said):
    make = f"CREATE POLICY lab_writes ON public.cases {policy}"
    with planted(lab, make, mend="DROP POLICY lab_writes ON public.cases"):
        result = look()
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary
    assert look().verdict is OK


def test_what_is_excepted_for_those_who_see_is_not_for_those_who_write(lab, look):
    make = "CREATE POLICY lab_writes ON public.cases FOR INSERT TO authenticated WITH CHECK (true)"
    with planted(lab, make, mend="DROP POLICY lab_writes ON public.cases"):
        assert look(tenant_exceptions=("cases=everybody may see",)).verdict is CRITICAL


def test_a_new_organization_is_nobodys_and_one_that_is_there_is_not(lab, look):
    founds = "CREATE POLICY lab_founds ON public.organizations FOR {} TO authenticated {}"
    mend = "DROP POLICY lab_founds ON public.organizations"
    grant = "GRANT INSERT ON public.organizations TO authenticated"
    with planted(lab, grant, founds.format("INSERT", "WITH CHECK (auth.uid() IS NOT NULL)"), mend=mend):
        assert look().verdict is OK
    with planted(lab, founds.format("DELETE", "USING (name <> '')"), mend=mend):
        assert "may delete any organization's rows of public.organizations" in look().summary


def test_without_the_database_or_its_tables_nobody_can_tell(lab, look):
    nowhere = DatabaseUrl("postgresql://nobody@127.0.0.1:9/none")
    assert look(read_database_url=nowhere).verdict is UNKNOWN
    assert look(exposed_schemas=("nowhere",)).verdict is UNKNOWN
