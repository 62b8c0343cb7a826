"""Each variable of the guide's lists: right, missing, a template's, malformed; told apart without its value."""

import base64
import json

import pytest

from opslib.guide import catalogue
from opslib.lab import development
from opslib.lab.development import PROJECT, key
from opslib.model import Verdict
from opslib.systems.env_variables import VARIABLES, judged, leaks, length
from opslib.systems.publishable import FRAMEWORKS

GOOD = {one.name: one.standard for one in VARIABLES if one.standard} | development.values()
PRODUCTION = GOOD | {
    "VITE_APP_ENV": "production",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIA" + "LABDUMMYLABDUMMY",
    "AWS_SECRET_ACCESS_KEY": "lab/dummy/" * 4,
    "S3_BUCKET_NAME": "valuecanvas-backups",
    "S3_ENABLED": "true",
    "SECRETS_MANAGER_SECRET_NAME": "valuecanvas/production/secrets",
    "SECRETS_MANAGER_ENABLED": "true",
    "VITE_SENTRY_DSN": "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/42",
    "VITE_SENTRY_ENABLED": "true",
    "OTLP_ENDPOINT": "http://localhost:4318",
    "CLOUDWATCH_LOG_GROUP": "/valuecanvas/application",
    "CLOUDWATCH_ENABLED": "true",
    "VITE_HTTPS_ONLY": "true",
    "CORS_ALLOWED_ORIGINS": "https://valuecanvas.com,https://app.valuecanvas.com",
    "RATE_LIMIT_PER_MINUTE": "60",
    "CSRF_PROTECTION_ENABLED": "true",
    "CSP_ENABLED": "true",
    "DATABASE_URL": "postgresql://api@db.valuecanvas.com/postgres?sslmode=require",
}


def found(values, **said):
    rows = judged(values, **said)
    return {row["variable"]: (row["standing"], row["finding"]) for row in rows if row["standing"] != Verdict.OK}


def test_every_variable_of_the_guide_has_its_rule():
    lists = ("ENV-VARD-", "ENV-VARP-", "ENV-VARL-", "IMP-ENV-01")
    items = {item for item in catalogue.items() if item.startswith(lists)}
    # The rest is no variable of a file: a rule for all of them, and what a provider says of a key.
    assert {one.item for one in VARIABLES} == items - {"ENV-VARP-00", "ENV-VARL-03", "ENV-VARL-04", "ENV-VARL-05"}


def test_what_is_right_is_ok_and_every_needed_variable_has_a_row():
    assert found(GOOD) == {}
    assert len(judged(GOOD)) == 13
    assert found(PRODUCTION, production=True) == {}
    assert len(judged(PRODUCTION, production=True)) == len(VARIABLES)


@pytest.mark.parametrize("one", VARIABLES, ids=lambda one: one.name)
@pytest.mark.parametrize("value", ["", "your-value-here", "<value>", " padded", "?", "\x1b[2J"])
def test_what_is_missing_a_templates_or_of_no_form_is_critical(one, value):
    standing, finding = found(PRODUCTION | {one.name: value}, production=True)[one.name]
    assert standing == (Verdict.WARNING if one.recommended and not value else Verdict.CRITICAL)
    assert finding
    assert not value.strip() or value.strip() == "?" or value not in finding


WRONG = [
    ("VITE_APP_ENV", "dev", "is not development"),
    ("VITE_APP_URL", "http://app.valuecanvas.com", "plain http to another machine"),
    ("VITE_APP_URL", "https://me:word@app.valuecanvas.com", "user or password"),
    ("VITE_APP_URL", "localhost:5173", "is no address"),
    ("VITE_API_BASE_URL", "http://localhost:99999", "is no address"),
    ("VITE_SUPABASE_ANON_KEY", key("service_role"), "service role key, not the one of this name"),
    ("SUPABASE_SERVICE_ROLE_KEY", key("anon"), "public key, not the one of this name"),
    ("SUPABASE_SERVICE_ROLE_KEY", key("service_role", "labvaluecanvasothers"), "of another project"),
    ("VITE_SUPABASE_ANON_KEY", key("anon", "labvaluecanvasothers"), "of another project"),
    ("VITE_SUPABASE_ANON_KEY", key("anon", expires=1_600_000_000), "has expired"),
    ("VITE_SUPABASE_ANON_KEY", key("admin"), "no key of Supabase's"),
    ("VITE_SUPABASE_ANON_KEY", "eyJ." + "x" * 40 + ".y", "no key of Supabase's"),
    ("VITE_SUPABASE_ANON_KEY", "eyJ." + base64.b64encode(b"[1]").decode() + ".y", "no key of Supabase's"),
    ("JWT_SECRET", "short-secret", "fewer than 32"),
    ("JWT_SECRET", "a" * 64, "different characters"),
    ("TOGETHER_API_KEY", "sk-" + "0" * 40, "does not look like a key of Together"),
    ("OPENAI_API_KEY", "tgp_v1_" + "0" * 40, "does not look like a key of OpenAI"),
    ("REDIS_URL", "http://localhost:6379", "is no address"),
    ("REDIS_ENABLED", "yes", "is not true"),
    ("VITE_LLM_PROVIDER", "anthropic", "is not together or openai"),
    ("AWS_REGION", "virginia", "does not look like a region"),
    ("CORS_ALLOWED_ORIGINS", "*", "allows any origin"),
    ("CORS_ALLOWED_ORIGINS", "https://*.valuecanvas.com", "allows any origin"),
    ("CORS_ALLOWED_ORIGINS", "http://valuecanvas.com", "no https origin"),
    ("VITE_SENTRY_DSN", "https://o1.ingest.sentry.io/42", "is no DSN"),
    ("OTLP_ENDPOINT", "http://collector.valuecanvas.com:4318", "plain http to another machine"),
    ("DATABASE_URL", "https://db.valuecanvas.com", "is no address of a PostgreSQL"),
    ("RATE_LIMIT_PER_MINUTE", "0", "does not look like a number"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_what_is_wrong_is_told_without_its_value(name, value, said):
    rows = judged(PRODUCTION | {name: value}, production=True)
    row = next(row for row in rows if row["variable"] == name and row["standing"] == Verdict.CRITICAL)
    assert said in row["finding"]
    assert len(value) < 8 or value not in json.dumps(rows)


@pytest.mark.parametrize("value", ["sb_publishable_" + "a1" * 15, key("anon")])
def test_a_public_key_may_have_a_public_name(value):
    assert found(GOOD | {"VITE_SUPABASE_ANON_KEY": value}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VITE_TOGETHER_API_KEY", "anything-at-all"),
        ("VITE_OPENAI_API_KEY", "sk-" + "1a" * 20),
        ("VITE_LLM_API_KEY", "anything-at-all"),
        ("VITE_SUPABASE_SERVICE_ROLE_KEY", key("service_role")),
        ("VITE_HARMLESS", key("service_role")),
        ("VITE_HARMLESS", "sb_secret_" + "a1" * 15),
        ("VITE_HARMLESS", "sk-proj-" + "1a" * 20),
        ("VITE_DB", "postgres://me:hunter2hunter2@db/valuecanvas"),
    ],
)
def test_a_secret_under_a_name_that_browsers_get_is_critical(name, value):
    assert found(GOOD | {name: value})[name] == (Verdict.CRITICAL, "is a secret under a name that every browser gets")


@pytest.mark.parametrize(("prefix", "framework"), list(FRAMEWORKS.items())[1:])
def test_a_secret_under_another_frameworks_name_is_a_warning_until_that_is_the_one_in_use(prefix, framework):
    name = f"{prefix}TOGETHER_API_KEY"
    said = f"is a secret under a name that builds with {framework} give to every browser"
    assert found(GOOD | {name: "anything-at-all"})[name] == (Verdict.WARNING, said)
    (row,) = [row for row in judged(GOOD | {name: "x1"}, published=(prefix,)) if row["variable"] == name]
    assert row["standing"] == Verdict.CRITICAL
    assert name not in found(GOOD | {name: "true"})
    assert f"{prefix}SENTRY_DSN" not in found(GOOD | {f"{prefix}SENTRY_DSN": "https://k@o.ingest.sentry.io/1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("VITE_LLM_TOKEN_LIMIT", "4096"), ("VITE_STRIPE_PUBLISHABLE_KEY", "pk_live_1"), ("VITE_KEYBOARD_ENABLED", "true")],
)
def test_a_name_alone_that_sounds_like_one_is_none(name, value):
    assert not leaks(name, value)


def test_lengths_are_told_in_three_words():
    assert [length(value) for value in ("", "a" * 15, "a" * 16, "a" * 63, "a" * 64)] == [
        *("none", "short", "middling", "middling", "long")
    ]


def test_a_key_of_a_project_is_not_held_against_an_address_of_this_machine():
    assert found(GOOD | {"VITE_SUPABASE_URL": "http://127.0.0.1:54321"}) == {}
    assert PROJECT in GOOD["VITE_SUPABASE_URL"]


@pytest.mark.parametrize("host", ["localhost", "otel-collector", "otel.observability.svc", "otel.a.svc.cluster.local"])
def test_a_collector_beside_the_program_or_in_its_cluster_may_be_without_tls(host):
    assert found(PRODUCTION | {"OTLP_ENDPOINT": f"http://{host}:4318"}, production=True) == {}
