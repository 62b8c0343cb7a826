"""Signing in, and what goes wrong with it: each cause planted in the lab, found by its own check and by no other."""

from datetime import UTC, datetime

import pytest

from opslib.checks import authentication as checks
from opslib.checks.authentication_way import allowed
from opslib.lab.application_front import COOKIE
from opslib.lab.doors import change, front
from opslib.model import Reading, Verdict
from opslib.probes import authentication as probes
from opslib.probes.authentication_way import described
from opslib.runs.reading import evaluate, judge, take
from opslib.systems.target import VerifyTarget
from tests.supabase import project

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL
LOOP = checks.TREES[0]
ENDS = {"sessions_timebox": 1, "sessions_inactivity_timeout": 0.5}
"""Sessions that end at Supabase when they end at the API."""


@pytest.fixture
def there(lab):
    made_before = front(lab.settings)
    with project(lab.settings) as made:
        yield made
    front(lab.settings, **made_before)


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
    """Carry out statements in a transaction of the test that others see, and take them back."""

    def planted(make, mend, check):
        with lab.admin() as session:
            session.execute(make)
            try:
                target = VerifyTarget(lab.settings, "test")
                result = evaluate(check, target)
                target.close()
                return result
            finally:
                session.execute(mend)

    return planted


def auth(there, **said):
    there.change(auth={**there.state["auth"], **said})


def explained(look):
    found = LOOP.states({branch.check.name: look(branch.check).verdict for branch in LOOP.branches})
    return {name for name, state in found.items() if state == "explains"}


def test_the_healthy_lab_has_the_loop_by_design_and_nothing_else(there, look):
    assert [look(check).verdict for check in checks.DECISIVE] == [OK] * len(checks.DECISIVE)
    assert explained(look) == {"authentication-lifetimes"}
    auth(there, **ENDS)
    assert explained(look) == set()


@pytest.mark.parametrize(
    ("made", "config", "name"),
    [
        ({"login": "loop"}, {}, "authentication-way"),
        ({"cookie": "session={value}; Path=/; HttpOnly; SameSite=None"}, {}, "authentication-cookies"),
        ({}, {"site_url": "http://localhost:3000", "uri_allow_list": ""}, "authentication-redirects"),
        ({}, {"jwt_exp": 90_000}, "authentication-lifetimes"),
    ],
)
def test_each_cause_of_a_loop_leads_to_its_own_leaf(there, look, lab, made, config, name):
    auth(there, **ENDS, **config)
    front(lab.settings, **made) if made else None
    assert explained(look) == {name}


def test_a_circle_at_the_front_end_is_told_with_the_address_it_comes_back_to(there, look, lab):
    change(lab.settings, "vercel", login="loop")
    result = look(checks.way)
    assert result.verdict is CRITICAL
    assert "front end's sign-in: comes back to" in result.summary
    assert "a circle" in result.summary
    assert look(checks.way, front_end_url=None).verdict is OK


def test_a_sign_in_that_is_nowhere_a_host_that_is_silent_and_one_that_fails(there, look):
    nowhere = look(checks.way, sign_in_path="/no/such/path", front_end_url=None)
    assert (nowhere.verdict, "No way of signing in" in nowhere.summary) == (UNKNOWN, True)
    assert look(checks.way, application_url="http://127.0.0.1:9").verdict is UNKNOWN
    assert look(checks.way, front_end_url=None, application_url=None).verdict is UNKNOWN
    with there.doors.fault("vercel", "503", path="/login"):
        result = look(checks.way)
    assert (result.verdict, "with 503" in result.summary) == (CRITICAL, True)


def test_a_way_that_leaves_the_product_ends_there_and_nothing_of_it_is_asked(look, lab, there):
    result = look(checks.way, front_end_url=None, supabase_site=None)
    last = result.rows[-1]
    assert (last["end"], last["status"]) == ("leads elsewhere", None)
    assert there.doors.calls("vercel") == []


@pytest.mark.parametrize(
    ("cookie", "url", "verdict", "words"),
    [
        (COOKIE.format(value="x"), "https://app.test/", OK, ""),
        ("a=b; SameSite=None", "https://app.test/", CRITICAL, "SameSite=None without Secure"),
        ("a=b; SameSite=None; Secure", "https://app.test/", OK, ""),
        ("a=b; Secure", "http://app.test/", CRITICAL, "set over plain http"),
        ("a=b; Secure", "http://127.0.0.1:3000/", OK, ""),
        ("a=b; Domain=other.test; Secure", "https://app.test/", CRITICAL, "not below"),
        ("a=b; Domain=.app.test; Secure", "https://www.app.test/", OK, ""),
        ("a=b; Domain=test; Secure", "https://app.test/", CRITICAL, "not below"),
        ("a=b; Domain=app.test; Secure", "https://127.0.0.1/", CRITICAL, "not below"),
        (f"a={'b' * 4096}; Secure", "https://app.test/", CRITICAL, "4097 characters"),
        ("__Host-a=b; Secure; Path=/; Domain=app.test", "https://app.test/", CRITICAL, "prefix promises"),
        ("__Secure-a=b; Path=/", "https://app.test/", CRITICAL, "prefix promises"),
        ("session=b; Secure", "https://app.test/", WARNING, "no HttpOnly"),
        ("session=b; HttpOnly", "https://app.test/", WARNING, "no Secure"),
    ],
)
def test_a_cookie_is_judged_as_a_browser_would(cookie, url, verdict, words):
    reading = Reading("c", "c", "lab", datetime.now(UTC), 0.1, (described(cookie, url),))
    result = judge(checks.cookies, reading)
    assert (result.verdict, words in result.summary) == (verdict, True), result.summary


def test_a_cookies_value_is_nowhere_and_no_cookie_at_all_is_unknown(there, look, lab):
    front(lab.settings, cookie="session=q7Zr2Lm89f3K; Path=/; Domain=elsewhere.test")
    result = look(checks.cookies)
    assert (result.verdict, "q7Zr2Lm89f3K" in repr(result)) == (CRITICAL, False)
    front(lab.settings, cookie="")
    assert look(checks.cookies).verdict is UNKNOWN
    assert look(checks.cookies, application_url="http://127.0.0.1:9", front_end_url=None).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("site", "listed", "verdict", "words"),
    [
        ("https://app.test", "", OK, ""),
        ("https://app.test", "https://app.test/**", OK, ""),
        ("https://www.app.test", "https://app.test/**", WARNING, "The site URL is https://www.app.test"),
        ("https://www.app.test", "https://app.test/auth", CRITICAL, "is in no pattern"),
        ("http://app.test", "https://app.test/**", CRITICAL, "plain http"),
        ("http://localhost:3000", "https://app.test/**", CRITICAL, "their own machines"),
        ("", "https://app.test/**", CRITICAL, "not set"),
        ("https://app.test", "https://**", CRITICAL, "whoever asks"),
        ("https://app.test", "https://*.vercel.app/**", CRITICAL, "sites of anybody"),
        ("https://app.test", "https://*-ourteam.vercel.app/**", OK, ""),
        ("https://app.test", "http://localhost:5173/**", WARNING, "a developer's"),
    ],
)
def test_where_people_may_be_sent_back_to_is_judged_as_the_sign_in_reads_its_list(site, listed, verdict, words):
    row = {"front_end": "https://app.test", "lab": False}
    rows = ({**row, "what": "site URL", "pattern": site},)
    rows += ({**row, "what": "redirect URL", "pattern": listed},) if listed else ()
    result = judge(checks.redirects, Reading("r", "r", "production", datetime.now(UTC), 0.1, rows))
    assert (result.verdict, words in result.summary) == (verdict, True), result.summary


def test_one_star_stops_at_dots_and_slashes_and_two_do_not():
    for pattern, address, fits in (
        ("https://*.app.test/*", "https://a.app.test/login", True),
        ("https://*.app.test/*", "https://a.b.app.test/login", False),
        ("https://app.test/*", "https://app.test/a/b", False),
        ("https://app.test/**", "https://app.test/a/b", True),
        ("https://app?.test", "https://app1.test", True),
        ("https://app.test", "https://appxtest", False),
    ):
        assert allowed(address, "", [pattern]) is fits, pattern


@pytest.mark.parametrize(
    ("said", "verdict", "words"),
    [
        (ENDS, OK, "sessions end when the API's do"),
        ({}, WARNING, "A loop by design"),
        ({"sessions_timebox": 24}, WARNING, "refresh for 1 d"),
        ({**ENDS, "jwt_exp": 7200}, WARNING, "OPS_ACCESS_TOKEN_SECONDS says 3600, the project 7200"),
        ({**ENDS, "jwt_exp": 90_000}, CRITICAL, "Access tokens last"),
        ({**ENDS, "jwt_exp": 60}, WARNING, "a wrong clock signs people out"),
        ({**ENDS, "refresh_token_rotation_enabled": False}, WARNING, "do not rotate"),
        ({**ENDS, "security_refresh_token_reuse_interval": 0}, WARNING, "two tabs"),
        ({**ENDS, "jwt_exp": None}, UNKNOWN, "does not say"),
    ],
)
def test_lifetimes_are_held_against_the_products_own(there, look, said, verdict, words):
    auth(there, **said)
    result = look(checks.lifetimes)
    assert (result.verdict, words in result.summary) == (verdict, True), result.summary


def test_tokens_that_were_revoked_used_twice_or_left_behind_are_counted(planted):
    check = checks.refresh(24)
    revoked = planted(
        "UPDATE auth.refresh_tokens SET revoked = true", "UPDATE auth.refresh_tokens SET revoked = false", check
    )
    twice = planted(
        "INSERT INTO auth.refresh_tokens (token, user_id, session_id, parent)"
        " SELECT 'lab-twice-' || n, user_id, session_id, token FROM"
        " (SELECT * FROM auth.refresh_tokens ORDER BY id LIMIT 1) t, generate_series(1, 2) n",
        "DELETE FROM auth.refresh_tokens WHERE token LIKE 'lab-twice-%'",
        check,
    )
    orphan = planted(
        "INSERT INTO auth.refresh_tokens (token, user_id) VALUES ('lab-orphan', gen_random_uuid())",
        "DELETE FROM auth.refresh_tokens WHERE token = 'lab-orphan'",
        check,
    )
    ended = "UPDATE auth.sessions SET not_after = now() - interval '1 hour'"
    none = planted(ended, "UPDATE auth.sessions SET not_after = NULL", check)
    assert (revoked.verdict, "cannot be refreshed" in revoked.summary) == (CRITICAL, True)
    assert (twice.verdict, "1 refresh tokens were used twice" in twice.summary) == (WARNING, True)
    assert (orphan.verdict, "have no session any more" in orphan.summary) == (WARNING, True)
    assert none.verdict is UNKNOWN


@pytest.mark.parametrize(("times", "verdict"), [(6, WARNING), (21, CRITICAL)])
def test_who_signs_in_again_and_again_is_found(planted, times, verdict):
    result = planted(
        "INSERT INTO auth.sessions (user_id, user_agent) SELECT (SELECT min(id::text)::uuid FROM auth.users),"
        f" 'lab again' FROM generate_series(1, {times})",
        "DELETE FROM auth.sessions WHERE user_agent = 'lab again'",
        checks.sign_ins(1),
    )
    assert (result.verdict, len(result.rows)) == (verdict, 1)
    assert f"{times} times" in result.summary or f"{times + 1} times" in result.summary


def test_where_nobody_signed_in_nothing_is_said(planted):
    make = "UPDATE auth.sessions SET created_at = created_at - interval '100 days'"
    mend = "UPDATE auth.sessions SET created_at = created_at + interval '100 days'"
    assert planted(make, mend, checks.sign_ins(24)).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("events", "verdicts"),
    [
        ([("/token", 200, "", 95), ("/token", 400, "Invalid login credentials", 5)], (OK, OK)),
        ([("/token", 200, "", 50), ("/token", 400, "Invalid login credentials", 50)], (WARNING, OK)),
        ([("/token", 200, "", 10), ("/token", 400, "Invalid login credentials", 90)], (CRITICAL, OK)),
        ([("/token", 200, "", 70), ("/token", 400, "Invalid Refresh Token: Already Used", 30)], (OK, CRITICAL)),
        ([("/token", 200, "", 90), ("/token", 403, "session_not_found", 10)], (OK, WARNING)),
        ([("/token", 200, "", 99), ("/token", 500, "Database error", 1)], (WARNING, WARNING)),
        ([("/token", 200, "", 90), ("/token", 504, "timeout", 10)], (CRITICAL, CRITICAL)),
        ([("/otp", 429, "over_email_send_rate_limit", 3), ("/token", 200, "", 97)], (WARNING, WARNING)),
        ([("/token", 400, "Invalid login credentials", 19)], (UNKNOWN, UNKNOWN)),
        ([], (UNKNOWN, UNKNOWN)),
    ],
)
def test_refused_sign_ins_and_refused_sessions_are_told_apart(there, look, events, verdicts):
    there.change(events=[dict(zip(("path", "status", "said", "events"), one, strict=True)) for one in events])
    assert (look(checks.credentials(1)).verdict, look(checks.expired(1)).verdict) == verdicts


@pytest.mark.parametrize("fault", ["401", "403", "malformed"])
def test_what_supabase_does_not_tell_is_unknown_and_the_rest_is_looked_at(there, look, fault):
    with there.doors.fault("supabase", fault, path="/v1/projects"):
        said = [look(check).verdict for check in (checks.redirects, checks.lifetimes, checks.credentials(1))]
        rest = [look(check).verdict for check in (checks.way, checks.cookies, checks.refresh(1))]
    assert (said, rest) == ([UNKNOWN] * 3, [OK] * 3)
    assert look(checks.redirects, front_end_url=None).verdict is UNKNOWN


def test_what_a_person_does_names_the_projects_own_key_in_local_storage(lab):
    reading = take(probes.by_hand, lab.target)
    assert f"sb-{lab.settings.supabase_project}-auth-token" in reading.rows[0]["look_at"]
