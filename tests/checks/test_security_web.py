"""What browsers are told, and what they get: by behaviour, against the lab's front end and API."""

from datetime import UTC, datetime

import pytest

from opslib.checks import security as checks
from opslib.checks.security_web import policy, reaches
from opslib.lab.doors import change, front
from opslib.lab.tokens import signed
from opslib.lab.vendors import product
from opslib.lab.vendors.pages import HEADERS
from opslib.model import Reading, Verdict
from opslib.redaction import Redactor
from opslib.runs.reading import evaluate, judge
from opslib.systems.target import VerifyTarget
from tests.vendors import Doors

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL


@pytest.fixture
def doors(lab):
    made = Doors(lab.settings)
    made_before = front(lab.settings)
    with made.restored():
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


def served(lab, **said):
    change(lab.settings, "vercel", **said)


def test_the_healthy_lab_sends_what_protects_and_lets_only_its_front_end_in(doors, look):
    assert [look(check).verdict for check in (checks.headers, checks.cors, checks.bundle)] == [OK] * 3


@pytest.mark.parametrize(
    ("header", "value", "verdict", "words"),
    [
        ("content-security-policy", "", WARNING, "there is none"),
        (
            "content-security-policy",
            "default-src 'self' http://127.0.0.1:*; script-src * 'unsafe-eval'; frame-ancestors 'none'",
            WARNING,
            "allows * 'unsafe-eval'",
        ),
        ("content-security-policy", "img-src 'self'; frame-ancestors 'none'", WARNING, "neither script-src"),
        ("content-security-policy", "default-src 'self'", CRITICAL, "connect-src stops what the front end needs"),
        (
            "content-security-policy",
            "default-src 'self' http://127.0.0.1:*; frame-ancestors *",
            WARNING,
            "clickjacking",
        ),
        ("strict-transport-security", "", WARNING, "no HSTS"),
        ("strict-transport-security", "max-age=86400", WARNING, "lasts 1 days only"),
        ("x-content-type-options", "", WARNING, "no nosniff"),
        ("referrer-policy", "unsafe-url", WARNING, "tells other sites the whole address"),
    ],
)
def test_a_header_that_is_missing_or_weak_is_named(doors, lab, look, header, value, verdict, words):
    made = {name: text for name, text in HEADERS.items() if name != header} | ({header: value} if value else {})
    served(lab, headers=made)
    result = look(checks.headers)
    assert (result.verdict, words in result.summary) == (verdict, True), result.summary


@pytest.mark.parametrize(
    ("how", "verdict", "words"),
    [
        ("reflect", CRITICAL, "https://somebody-else.example, null, "),
        ("prefix", CRITICAL, ".somebody-else.example may call the API with a person's own session"),
        ("any", CRITICAL, "* with credentials"),
        ("none", CRITICAL, "the front end itself, may not call the API"),
    ],
)
def test_who_may_call_is_found_by_trying(doors, lab, look, how, verdict, words):
    front(lab.settings, cors=how)
    result = look(checks.cors)
    assert (result.verdict, words in result.summary) == (verdict, True), result.summary


def test_a_key_that_a_build_put_into_the_browser_is_found_by_its_looks_and_by_what_is_known(doors, lab, look):
    served(lab, bundle="const a='tgp_v1_" + "q7Zr2Lm89f3K" * 4 + "';")
    looks = look(checks.bundle)
    secret = lab.settings.jwt_secret
    served(lab, bundle=f"const b='{secret.reveal()}';")
    known = look(checks.bundle)
    claims = {"role": "service_role", "iss": "supabase", "exp": 4_000_000_000}
    served(lab, bundle=f"const c='{signed(claims, 'a secret of another project')}';")
    service = look(checks.bundle)
    for result in (looks, known, service):
        assert (result.verdict, "index-" in result.summary) == (CRITICAL, True), result.summary
        assert not Redactor(lab.settings.secrets()).leaks(repr(result).encode())
        assert "q7Zr2Lm89f3K" not in repr(result)
    assert "a secret that the target description or the vault holds" in known.summary


def test_the_key_that_everybody_may_have_is_no_secret_and_a_source_map_is_worth_a_warning(doors, lab, look):
    anon = lab.settings.supabase_anon_key.reveal()
    served(lab, bundle=f"const a='{anon}', b='sb_publishable_{'a' * 30}';")
    assert look(checks.bundle).verdict is OK
    served(lab, bundle="\n//# sourceMappingURL=index.js.map")
    result = look(checks.bundle)
    assert (result.verdict, "source maps are public: assets/index.js.map" in result.summary) == (WARNING, True)


def test_pieces_that_a_script_loads_later_are_looked_through_too_and_other_hosts_are_not_asked(doors, lab, look):
    served(lab, bundle="const a=()=>import('./lazy-1.js'), b=['assets/lazy-2.js','https://cdn.test/x.js'];")
    result = look(checks.bundle)
    files = {row["file"] for row in result.rows}
    assert {"assets/lazy-1.js", "assets/lazy-2.js", "index.html"} <= files
    assert result.verdict is OK
    assert not [one for one in files if "cdn" in one]


def test_env_files_in_git_are_judged_by_what_is_in_them(lab, look, tmp_path):
    assert look(checks.tracked).verdict is WARNING
    product.write(tmp_path / "checkout")

    def kept(content):
        product.commit(tmp_path / "checkout", content)
        return look(checks.tracked, checkout=tmp_path / "checkout")

    quiet = kept(
        {".env.example": b"VITE_API_BASE_URL=\nTOGETHER_API_KEY=your-key-here\nREDIS_URL=redis://localhost:6379\n"}
    )
    assert quiet.verdict is OK, quiet.summary
    tracked = kept({"web/.env.production": b"VITE_API_BASE_URL=https://api.test\n"})
    assert (tracked.verdict, "web/.env.production" in tracked.summary) == (WARNING, True)
    real = kept(
        {
            "web/.env.production": b"OPENAI_API_KEY=sk-q7Zr2Lm89f3Kq7Zr2Lm89f3K\nDATABASE_URL=postgresql://a:s3cretword@db/x\n"
        }
    )
    assert (real.verdict, "DATABASE_URL, OPENAI_API_KEY" in real.summary) == (CRITICAL, True)
    assert "q7Zr2Lm89f3K" not in repr(real)


def test_what_cannot_be_asked_is_unknown_and_never_green(doors, lab, look, tmp_path):
    with doors.fault("vercel", "500", path="/sites/"):
        assert look(checks.bundle).verdict is UNKNOWN
    with doors.fault("vercel", "cut", path="/sites/"):
        headers = look(checks.headers)
    assert (headers.verdict, "front end" in headers.summary) == (UNKNOWN, True)
    assert [look(check, front_end_url=None).verdict for check in (checks.bundle, checks.cors)] == [UNKNOWN] * 2
    assert look(checks.headers, front_end_url=None, application_url=None).verdict is UNKNOWN
    assert look(checks.cors, application_url="http://127.0.0.1:9").verdict is UNKNOWN
    assert look(checks.tracked, checkout=None).verdict is UNKNOWN
    assert look(checks.tracked, checkout=tmp_path).verdict is UNKNOWN
    assert look(checks.bundle, vault_secret="valuecanvas/nowhere").verdict is UNKNOWN


def test_plain_http_to_another_machine_is_critical():
    row = {"where": "API", "address": "http://api.test/health", "plain": "on another machine", "status": 200, "why": ""}
    values = {**HEADERS, "x-frame-options": "DENY"}
    rows = tuple({**row, "header": name, "value": value} for name, value in values.items())
    result = judge(checks.headers, Reading("security-headers", "", "lab", datetime.now(UTC), 0.1, rows))
    assert (result.verdict, "without TLS" in result.summary) == (CRITICAL, True)


def test_a_policys_first_directive_counts_and_sources_are_matched_as_browsers_do():
    assert policy("script-src 'self'; SCRIPT-SRC *;; img-src") == {"script-src": ("'self'",), "img-src": ()}
    own, api = "https://app.test", "https://api.test"
    for sources, reached in (
        (("'self'",), False),
        (("https://api.test",), True),
        (("api.test",), True),
        (("https://*.test",), True),
        (("https:",), True),
        (("*",), True),
        (("http://api.test",), False),
        (("https://api.test:8443",), False),
        (("https://api.test:*",), True),
        (("'none'",), False),
        ((), False),
    ):
        assert reaches(sources, api, own) is reached, sources
    assert reaches(("'self'",), own, own)


@pytest.mark.parametrize(
    ("headers", "policy_said", "transport_said"),
    [
        ({}, OK, OK),
        ({"content-security-policy": None}, WARNING, OK),
        ({"content-security-policy": "default-src 'self' 'unsafe-eval'; frame-ancestors 'none'"}, CRITICAL, OK),
        ({"strict-transport-security": "max-age=60"}, OK, WARNING),
        ({"x-content-type-options": None}, OK, OK),
    ],
)
def test_a_line_of_the_checklist_is_judged_by_its_own_headers_alone(
    lab, doors, look, headers, policy_said, transport_said
):
    served(lab, headers={name: text for name, text in (HEADERS | headers).items() if text is not None})
    assert look(checks.content_policy).verdict is policy_said
    assert look(checks.transport).verdict is transport_said


def test_a_front_end_that_does_not_answer_has_neither(look):
    nobody = {"front_end_url": "http://127.0.0.1:9", "application_url": None}
    assert look(checks.content_policy, **nobody).verdict is UNKNOWN
    assert look(checks.transport, **nobody).verdict is UNKNOWN
    assert look(checks.content_policy, front_end_url=None).verdict is UNKNOWN
