"""The project's own address in the lab answers as PostgREST, the gateway and the sign-in are documented to."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from opslib.errors import Unreachable
from opslib.lab.tokens import signed
from opslib.systems.supabase import Event
from opslib.systems.target import VerifyTarget
from opslib.systems.web import Preflights
from tests import specs
from tests.supabase import project


@pytest.fixture
def there(lab):
    with project(lab.settings) as made:
        yield made


@pytest.fixture
def ask(lab):
    web = Preflights()

    def ask(path, key=None, bearer=None):
        headers = {"apikey": key} if key else {}
        headers |= {"authorization": f"Bearer {bearer}"} if bearer else {}
        return web.get(f"{lab.settings.supabase_site}{path}", headers=headers)

    yield ask
    web.close()


def member(lab, **said):
    with lab.admin() as session:
        one = session.execute(
            "select user_id, organization_id from organization_members where status = 'active'"
        ).fetchone()
    claims = {"role": "authenticated", "sub": str(one["user_id"]), "org_id": str(one["organization_id"]), **said}
    return signed(claims, lab.settings.jwt_secret.reveal()), one


def test_nobody_gets_through_without_a_key_or_with_a_wrong_one(ask, there):
    for path in ("/rest/v1/", "/rest/v1/billing_plans", "/auth/v1/health", "/auth/v1/settings"):
        bare, wrong = ask(path), ask(path, key="eyJhbGciOiJIUzI1NiJ9.e30.bm8")
        assert (bare.status, json.loads(bare.text)["message"]) == (401, "No API key found in request")
        assert (wrong.status, json.loads(wrong.text)["message"]) == (401, "Invalid API key")


def test_rows_are_those_of_the_real_database_as_the_tokens_role_sees_them(ask, lab, there):
    anon, service = lab.settings.supabase_anon_key.reveal(), lab.settings.supabase_service_key.reveal()
    token, one = member(lab)
    assert len(json.loads(ask("/rest/v1/billing_plans", anon).text)) == 3
    assert json.loads(ask("/rest/v1/cases", anon).text) == []
    seen = json.loads(ask("/rest/v1/cases?limit=50", anon, token).text)
    assert seen
    assert {row["organization_id"] for row in seen} == {str(one["organization_id"])}
    everybody = json.loads(ask("/rest/v1/cases?limit=50", service).text)
    assert len({row["organization_id"] for row in everybody}) > 1


def test_a_missing_grant_is_401_for_nobody_and_403_for_somebody(ask, lab, there):
    anon, (token, _) = lab.settings.supabase_anon_key.reveal(), member(lab)
    with lab.admin() as session:
        session.execute("revoke select on public.roles from anon, authenticated")
        try:
            answers = [ask("/rest/v1/roles", anon), ask("/rest/v1/roles", anon, token)]
        finally:
            session.execute("grant select on public.roles to anon, authenticated")
    assert [(one.status, json.loads(one.text)["code"]) for one in answers] == [(401, "42501"), (403, "42501")]


def test_tokens_that_expired_or_that_somebody_else_signed_are_refused(ask, lab, there):
    anon = lab.settings.supabase_anon_key.reveal()
    old = ask("/rest/v1/cases", anon, member(lab, exp=1_700_000_000)[0])
    strange = ask("/rest/v1/cases", anon, signed({"role": "authenticated"}, "not the lab's"))
    assert [json.loads(one.text)["code"] for one in (old, strange)] == ["PGRST303", "PGRST301"]
    assert json.loads(ask("/rest/v1/nothing", anon).text)["code"] == "PGRST205"


def test_a_paused_project_answers_540_to_everything(ask, lab, there):
    there.change(status="INACTIVE")
    anon = lab.settings.supabase_anon_key.reveal()
    assert {ask(path, anon).status for path in ("/rest/v1/", "/rest/v1/cases", "/auth/v1/health")} == {540}


def test_a_preflight_needs_no_key_and_says_who_may_call(lab, there):
    web, address = Preflights(), f"{lab.settings.supabase_site}/rest/v1/cases"
    asked = {"origin": "https://app.test", "access-control-request-headers": "apikey"}
    free = web.preflight(address, asked)
    there.change(origins=["https://other.test"])
    shut = web.preflight(address, asked)
    web.close()
    allowed = [free.headers[f"access-control-allow-{what}"] for what in ("origin", "headers")]
    assert allowed == ["*", "apikey"]
    assert "access-control-allow-origin" not in shut.headers


def test_a_reading_token_may_ask_for_the_bans_and_change_nothing(lab, there):
    there.change(banned=["203.0.113.7"])
    target = VerifyTarget(lab.settings, "test")
    assert target.supabase_asked.bans().addresses == ["203.0.113.7"]
    assert target.supabase_asked.restrictions().config.four == ["0.0.0.0/0"]
    target.close()
    assert [(call["method"], call["status"]) for call in there.posts()] == [("POST", 201)]


def test_what_the_management_api_answers_more_is_as_its_description_says(lab, there):
    target, moment = VerifyTarget(lab.settings, "test"), datetime.now(UTC)
    target.supabase_asked.bans()
    target.supabase.restrictions()
    target.supabase.logs(Event, "select 1 from auth_logs", moment - timedelta(hours=1), moment)
    target.supabase.auth_config()
    target.keyring.legacy_keys()
    with pytest.raises(Unreachable):
        target.supabase.logs(Event, "select 1 from auth_logs", moment - timedelta(hours=25), moment)
    target.close()
    calls, spec = there.doors.calls("supabase"), specs.load("supabase-management.json", "/supabase")
    # Of the sign-in's settings the API lists 237; the stand-in has those that are read, each of the kind described.
    said = [fault for call in calls for fault in spec.faults(call) if "is a required property" not in fault]
    assert [call["status"] for call in calls] == [201, 200, 200, 200, 200, 400]
    assert said == []
