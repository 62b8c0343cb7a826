"""The way from a browser to a row, each station broken by itself: found there, and nowhere else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from opslib.checks import supabase as checks
from opslib.lab.tokens import project_key, signed
from opslib.model import Reading, Verdict
from opslib.redaction import DatabaseUrl, Redactor, Secret
from opslib.runs.reading import evaluate, judge
from opslib.systems.target import VerifyTarget
from tests.supabase import project

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL
(TREE,) = checks.TREES
REF = "labvaluecanvaslabref"
OTHER = "z" * 20


@pytest.fixture
def there(lab):
    with project(lab.settings) as made:
        made.secret("OPENAI_API_KEY", "sk-somebodys-own-key")
        yield made


@pytest.fixture
def look(lab):
    """Evaluate a check with fields of the description changed."""
    opened = []

    def look(check, **said):
        target = VerifyTarget(lab.settings.model_copy(update=said), "test")
        opened.append(target)
        return evaluate(check, target)

    yield look
    for target in opened:
        target.close()


@pytest.fixture
def sql(lab):
    with lab.admin() as session:
        yield session.execute


def states(look, **said):
    found = {branch.check.name: look(branch.check, **said) for branch in TREE.branches}
    return TREE.states({name: result.verdict for name, result in found.items()})


def key(lab, role="anon", ref=REF, **claims):
    secret = lab.settings.jwt_secret.reveal()
    if not claims:
        return Secret(project_key(ref, role, secret))
    return Secret(signed({"iss": "supabase", "ref": ref, "role": role, "exp": 4_000_000_000, **claims}, secret))


def test_in_a_healthy_lab_every_branch_of_the_tree_is_excluded(there, look):
    assert set(states(look).values()) == {"excluded"}


def test_the_decisive_checks_are_quick_and_wait_for_no_window(there, look):
    results = [look(check) for check in checks.DECISIVE]
    assert [result.verdict for result in results] == [OK] * len(checks.DECISIVE)
    assert sum(result.reading.seconds for result in results) < 6


@pytest.mark.parametrize(
    ("said", "explains"),
    [
        ({"status": "INACTIVE"}, {"supabase-project"}),
        ({"jwt_generation": 1}, {"supabase-apikey"}),
        ({"origins": ["https://elsewhere.test"]}, {"supabase-cors"}),
        ({"clock_skew": -300}, {"supabase-clock"}),
        ({"banned": ["203.0.113.7"]}, {"supabase-network"}),
        ({"restrictions": {"dbAllowedCidrs": ["10.0.0.0/8"], "dbAllowedCidrsV6": []}}, {"supabase-network"}),
        ({"open": True}, {"supabase-apikey"}),
    ],
)
def test_each_fault_leads_to_its_own_leaf_and_to_no_other(there, look, said, explains):
    there.change(**said)
    found = states(look)
    assert {name for name, state in found.items() if state == "explains"} == explains


def test_a_grant_that_is_gone_and_a_policy_that_is_gone_are_told_apart(there, look, sql):
    sql("REVOKE SELECT ON public.billing_plans FROM anon")
    try:
        grant = look(checks.tables)
    finally:
        sql("GRANT SELECT ON public.billing_plans TO anon")
    sql("ALTER POLICY plans_read ON public.billing_plans TO authenticated")
    try:
        policy = look(checks.tables)
    finally:
        sql("ALTER POLICY plans_read ON public.billing_plans TO anon, authenticated")
    assert (grant.verdict, policy.verdict, look(checks.tables).verdict) == (CRITICAL, CRITICAL, OK)
    assert "billing_plans: no grant" in grant.summary
    assert "billing_plans: hidden by row level security" in policy.summary
    answered = [next(row for row in one.rows if row["table"] == "billing_plans") for one in (grant, policy)]
    assert [(row["status"], row["code"], row["rows"]) for row in answered] == [(401, "42501", None), (200, "", 0)]
    assert "never `DISABLE ROW LEVEL SECURITY`" in policy.remedy


def test_a_policy_that_says_false_hides_all_and_is_seen_by_the_empty_answer(there, look, sql):
    sql("ALTER POLICY plans_read ON public.billing_plans USING (false)")
    try:
        result = look(checks.tables)
    finally:
        sql("ALTER POLICY plans_read ON public.billing_plans USING (true)")
    assert (result.verdict, "a policy hides all of them" in result.summary) == (CRITICAL, True)


def test_a_members_table_that_shows_rows_to_everybody_or_to_no_member_is_found(there, look, sql):
    sql("CREATE POLICY lab_leak ON public.cases FOR SELECT TO anon USING (true)")
    try:
        leak = look(checks.tables)
    finally:
        sql("DROP POLICY lab_leak ON public.cases")
    sql("ALTER POLICY organizations_read ON public.organizations TO service_role")
    try:
        hidden = look(checks.tables)
    finally:
        sql("ALTER POLICY organizations_read ON public.organizations TO authenticated")
    assert (leak.verdict, "cases: shows rows to who has the public key alone" in leak.summary) == (CRITICAL, True)
    assert (hidden.verdict, "no policy lets authenticated see a row" in hidden.summary) == (CRITICAL, True)


def test_tables_that_are_not_there_or_not_served_are_named(there, look):
    result = look(checks.tables, public_tables=("value_cases", "webhook_dead_letter_queue"), member_tables=())
    assert result.verdict is CRITICAL
    assert "value_cases: is not in schema public" in result.summary
    assert look(checks.tables, public_tables=(), member_tables=()).verdict is UNKNOWN


def test_keys_of_all_wrong_kinds_are_told_without_being_shown(there, look, lab):
    anon, service = key(lab), key(lab, "service_role")
    for said, words in (
        ({"supabase_anon_key": service, "supabase_service_key": anon}, "are swapped"),
        ({"supabase_anon_key": service}, "Both variables hold one key"),
        ({"supabase_anon_key": key(lab, ref=OTHER)}, f"of the project {OTHER}"),
        ({"supabase_anon_key": key(lab, exp=1_700_000_000)}, "expired"),
        ({"supabase_anon_key": key(lab, iss="somebody")}, "issued by somebody"),
        ({"supabase_anon_key": Secret("your-anon-key-goes-here")}, "is neither a token"),
        ({"supabase_anon_key": Secret("sb_secret_" + "a" * 32)}, "passes every policy"),
        ({"jwt_secret": Secret("another-secret-of-another-project-32")}, "was not signed with JWT_SECRET"),
    ):
        result = look(checks.keys, **said)
        assert (result.verdict, words in result.summary) == (CRITICAL, True), result.summary
        redactor = Redactor([*lab.settings.secrets(), *(one for one in said.values())])
        assert not redactor.leaks(repr(result).encode())


def test_keys_of_the_older_form_that_were_switched_off_are_told_before_anybody_asks_the_gateway(there, look):
    there.change(legacy_keys=False)
    keys, apikey = look(checks.keys), look(checks.apikey)
    assert (keys.verdict, "does not take any more" in keys.summary) == (CRITICAL, True)
    assert (apikey.verdict, "Legacy API keys are disabled" in apikey.summary) == (CRITICAL, True)
    with there.doors.fault("supabase", "403", path="/api-keys/legacy"):
        assert look(checks.keys).verdict is OK


def test_keys_of_the_newer_form_and_signatures_that_nobody_can_see_are_no_fault(there, look, lab):
    publishable = Secret("sb_publishable_" + "a" * 32)
    assert look(checks.keys, supabase_anon_key=publishable, jwt_secret=None).verdict is OK
    assert look(checks.keys, supabase_service_key=None).verdict is OK
    assert look(checks.keys, supabase_anon_key=None).verdict is UNKNOWN
    assert look(checks.keys, supabase_anon_key=key(lab, exp=None)).verdict is WARNING
    soon = (datetime.now(UTC) + timedelta(days=20)).timestamp()
    assert look(checks.keys, supabase_anon_key=key(lab, exp=soon)).verdict is WARNING


def test_a_name_that_leads_nowhere_and_a_port_where_nobody_listens_are_critical(there, look):
    name = look(checks.name, supabase_site="https://nowhere.supabase.test")
    assert (name.verdict, "does not exist" in name.summary) == (CRITICAL, True)
    assert look(checks.name, supabase_site="https://api.openai.test").verdict is OK
    reach = look(checks.reach, supabase_site="http://127.0.0.1:9")
    assert (reach.verdict, reach.rows[0]["kind"]) == (CRITICAL, "refused")
    found = states(look, supabase_site="http://127.0.0.1:9")
    assert {name for name, state in found.items() if state == "explains"} == {"supabase-reach"}
    assert (found["supabase-apikey"], found["supabase-tables"]) == ("not reached", "not reached")


def test_a_name_server_that_is_silent_says_nothing_of_the_name(there, look):
    with there.doors.fault("names", "cut"):
        assert look(checks.name, supabase_site="https://api.openai.test").verdict is UNKNOWN


def test_a_service_that_is_down_is_named_by_whoever_asks_it(there, look):
    there.change(health={**there.state["health"], "rest": "UNHEALTHY"})
    services, apikey = look(checks.services_healthy()), look(checks.apikey)
    assert (services.verdict, apikey.verdict) == (CRITICAL, CRITICAL)
    assert "REST interface answers 503" in apikey.summary
    found = states(look)
    assert found["supabase-services"] == "explains"
    assert found["supabase-tables"] == "not reached"


def test_a_root_that_is_for_the_service_key_only_is_no_fault(there, look):
    with there.doors.fault("supabase", "401", path=f"/sites/{REF}/rest/v1/"):
        result = look(checks.apikey)
    assert (result.verdict, "for the service key only" in result.summary) == (OK, True)


def test_a_paused_project_leaves_key_tables_and_preflights_unknown(there, look):
    there.change(status="INACTIVE")
    results = [look(check) for check in (checks.apikey, checks.tables, checks.preflights)]
    assert {result.verdict for result in results} == {UNKNOWN}
    assert "is paused" in look(checks.project_healthy()).summary


@pytest.mark.parametrize("fault", ["500", "malformed", "cut"])
def test_an_address_that_is_ill_is_never_green(there, look, fault):
    with there.doors.fault("supabase", fault, path="/sites/"):
        verdicts = [look(check).verdict for check in (checks.apikey, checks.tables, checks.preflights)]
    assert OK not in verdicts


def test_what_is_not_described_or_not_told_is_unknown_and_the_rest_is_looked_at(there, look):
    for check in (checks.name, checks.reach, checks.apikey, checks.preflights):
        assert look(check, supabase_site=None).verdict is UNKNOWN
    assert look(checks.apikey, supabase_anon_key=None).verdict is UNKNOWN
    assert look(checks.preflights, front_end_url=None).verdict is UNKNOWN
    with there.doors.fault("supabase", "403", path="/network-"):
        assert look(checks.network).verdict is UNKNOWN
    away = DatabaseUrl("postgresql://ops_reader:nobody-listens-there@127.0.0.1:9/valuecanvas")
    assert look(checks.clocks, read_database_url=away).verdict is UNKNOWN


def test_a_ban_that_nobody_told_leaves_the_restrictions_to_be_judged(there, look):
    there.change(restrictions={"dbAllowedCidrs": [], "dbAllowedCidrsV6": []})
    with there.doors.fault("supabase", "403", path="/network-bans"):
        result = look(checks.network)
    assert (result.verdict, "No range at all" in result.summary) == (CRITICAL, True)


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [((0.2, 0.0), OK), ((29.0, -3.0), OK), ((45.0, 0.0), WARNING), ((-61.0, 0.0), CRITICAL), ((None, 0.0), UNKNOWN)],
)
def test_a_clock_is_judged_by_how_far_it_is_off(ahead, verdict):
    rows = tuple({"clock": name, "ahead": by, "why": ""} for name, by in zip("ab", ahead, strict=True))
    reading = Reading("supabase-clocks", "Clocks", "lab", datetime.now(UTC), 0.1, rows)
    assert judge(checks.clocks, reading).verdict is verdict
    both = replace(reading, rows=tuple({**row, "ahead": 90.0} for row in rows))
    assert "this machine's own clock first" in judge(checks.clocks, both).summary


def test_no_key_is_in_what_the_stand_in_notes(there, look, lab):
    look(checks.apikey)
    assert not Redactor(lab.settings.secrets()).leaks(repr(there.doors.calls("supabase")).encode())
    assert {call["method"] for call in there.doors.calls("supabase")} == {"GET"}
