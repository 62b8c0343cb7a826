"""Tokens of providers, made up anew at each run, and texts full of names and digests that must stay as they are.

No string of a token's form stands in this file: each is put together from parts.
"""

import base64
import json
import random
import string
import uuid
import zlib
from hashlib import sha1, sha256
from pathlib import Path

import pytest

from opslib import redaction_library, redaction_patterns
from opslib.redaction import MARK, Redactor

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def tokens(seed):
    """Return one made-up credential per provider: (text around it, the part that must be gone)."""
    chance = random.Random(seed)

    def some(count, letters=ALNUM):
        return "".join(chance.choice(letters) for _ in range(count - 3)) + "a7Z"[: 3 if letters is ALNUM else 0]

    def digits(count):
        return "".join(chance.choice(HEX) for _ in range(count))

    def coded(said):
        return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")

    jwt = f"{coded({'alg': 'HS256', 'typ': 'JWT'})}.{coded({'role': 'service_role', 'n': some(9)})}.{some(43)}"
    aws = "AKIA" + some(16, string.ascii_uppercase + "234567") + "A7Z"
    pem = "-----BEGIN RSA {0}-----\n{1}\n{2}\n-----END RSA {0}-----".format("PRIVATE KEY", some(64), some(64))
    basic = base64.b64encode(f"ops:{some(14)}".encode()).decode()
    made = {
        "OpenAI": "sk-" + some(48),
        "OpenAI project": "sk-" + "proj-" + some(70),
        "Anthropic": "sk-" + "ant-api03-" + some(80),
        "Together.ai": "tgp_" + "v1_" + some(43),
        "Supabase JWT": jwt,
        "Supabase management": "sbp" + "_" + digits(40),
        "Supabase secret": "sb" + "_secret_" + some(31),
        "Vercel": "vcp" + "_" + some(56),
        "Netlify": "nfp" + "_" + some(36),
        "Cloudflare": "cfut" + "_" + some(48),
        "AWS id": aws,
        "Slack bot": "xoxb" + "-123456789012-1234567890123-" + some(24),
        "Slack app": "xapp" + "-1-A0123456789-1234567890123-" + digits(64),
        "GitHub": "ghp" + "_" + some(36),
        "GitHub fine": "github_" + "pat_" + some(22) + "_" + some(59),
        "GitLab": "glpat" + "-" + some(20),
        "npm": "npm" + "_" + some(36),
        "PyPI": "pypi-" + "AgEIcHlwaS5vcmc" + some(80),
        "Stripe": "sk" + "_live_" + some(24),
        "SendGrid": "SG" + "." + some(22) + "." + some(43),
        "Google": "AI" + "za" + some(35),
        "Telegram": "123456789:" + "AA" + some(33),
        "private key": pem,
    }
    said = {name: (f"value: {token} was set", token) for name, token in made.items()}
    for name, before, token, after in (
        ("Together.ai named", "TOGETHER_API_KEY=", digits(64), ""),
        ("AWS pair", f"{aws}:", some(40), ""),
        ("PagerDuty", "Authorization: Token token=", some(20), ""),
        ("PagerDuty routing", '"routing_key": "', digits(30) + "a7", '"'),
        ("Sentry", "https://", digits(32), "@o4501.ingest.sentry.io/4502"),
        ("bearer", "Authorization: Bearer ", some(32), ""),
        ("basic", "Authorization: Basic ", basic, ""),
        ("redis-cli", "redis-cli -h cache -a ", some(20), " ping"),
        ("database", "postgresql://owner:", some(20), "@db.example.com:5432/valuecanvas"),
        ("cache", "rediss://:", some(20), "@cache.example.com:6379/0"),
        ("webhook", "https://hooks.slack.com/services/", f"T0{some(9).upper()}/B0{some(9).upper()}/{some(24)}", ""),
        ("Cloudflare named", "CLOUDFLARE_API_TOKEN: ", some(40), ""),
        ("Vercel named", "VERCEL_TOKEN=", some(24), ""),
    ):
        said[name] = (before + token + after, token)
    return said


def test_tokens_of_at_least_thirty_providers_are_made():
    assert len(tokens(1)) >= 32


@pytest.mark.parametrize("name", tokens(0))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_token_that_nobody_told_us_is_hidden(name, seed):
    text, token = tokens(seed)[name]
    clean = Redactor().text(f"line before\n{text}\nline after")
    assert token not in clean
    assert MARK in clean
    assert clean.startswith("line before\n")
    assert clean.endswith("\nline after")


@pytest.mark.parametrize("wrap", [json.dumps, lambda s: json.dumps(json.dumps(s)), lambda s: s.replace("/", "&#47;")])
def test_a_token_is_hidden_inside_json_and_html_too(wrap):
    for text, token in tokens(4).values():
        if "\n" not in text:
            assert token not in Redactor().text(wrap(text)).replace("\\", ""), text


def test_a_credential_is_hidden_where_its_hint_begins_within_another_one():
    said, token = tokens(5)["AWS pair"]
    assert token not in Redactor().text("AKI" + said)


@pytest.mark.parametrize("name", tokens(0))
def test_no_piece_of_a_token_is_left_and_it_may_stand_at_either_end_of_a_text(name):
    # As in a process that has looked for none yet.
    redaction_patterns._sieves.cache_clear()
    redaction_patterns.rules.cache_clear()
    text, token = tokens(6)[name]
    for said in (text, text.removeprefix("value: "), text.removesuffix(" was set")):
        clean = Redactor().text(said)
        assert MARK in clean
        assert not [token[at : at + 8] for at in range(len(token) - 7) if token[at : at + 8] in clean]


def test_a_private_key_is_hidden_to_its_end_or_to_that_of_the_text():
    begin, end = (f"-----{word} PRIVATE {'KEY'}-----" for word in ("BEGIN", "END"))
    lines = "\n".join("aB3+" * 16 for _ in range(20))
    assert Redactor().text(f"x\n{begin}\n{lines}\n{end}\ny") == f"x\n{MARK}\ny"
    assert Redactor().text(f"x\n{begin}\n{lines}") == f"x\n{MARK}"


@pytest.mark.parametrize("prefix", redaction_patterns._GITLAB)
def test_each_kind_of_gitlab_token_is_hidden_whole(prefix):
    assert Redactor().text(f"a {prefix}{'a7Z_-' * 4} b") == f"a {MARK} b"


@pytest.mark.parametrize("turn", [str.lower, str.upper, str.title])
def test_a_name_that_announces_a_credential_may_be_written_in_any_case(turn):
    digits = "0123456789abcdef0123456789abcdef01234"
    for name, between, value in (
        ("bearer", " ", digits),
        ("basic", " ", base64.b64encode(b"a:password").decode().rstrip("=")),
        ("x-auth-key", ": ", digits),
        ("token token", "=", digits),
        ("password", " ", f"'{digits}'"),
        ("cloudant_apikey", "=", "0123456789abcdef" * 4),
        ("softlayer_key", "=", "0123456789abcdef" * 4),
        ("iam_key", "=", "a1B2" * 11),
    ):
        clean = Redactor().text(f"{turn(name)}{between}{value}")
        assert MARK in clean, name


@pytest.mark.parametrize(
    "said",
    ["ops:" + "x" * 8, "a:" + "y" * 9, "ops:" + "z" * 10, "ops:" + "w" * 11],
)
def test_a_user_and_a_password_in_base64_are_hidden_with_and_without_padding(said):
    coded = base64.b64encode(said.encode()).decode()
    for value in {coded, coded.rstrip("=")}:
        assert Redactor().text(f"Authorization: Basic {value}").replace("=", "") == f"Authorization: Basic {MARK}"


@pytest.mark.parametrize(
    "said", [b"no colon in here", b":password only", b"ops:\x00\x01unprintable", b"ops:\xff\xfe\xfd"]
)
def test_base64_that_is_no_user_and_password_stays(said):
    text = f"basic {base64.b64encode(said).decode()}"
    assert Redactor().text(text) == text


@pytest.mark.parametrize("key", ["a1" * 20, "A1" * 20, "aB" * 20])
def test_forty_letters_beside_an_aws_id_are_a_key_only_when_they_are_of_every_sort(key):
    aws = "AKIA" + "IOSFODNN7EXAMPLX"
    assert Redactor().text(f"{aws}: {key}") == f"{MARK}: {key}"
    assert Redactor().text(f"{aws}: {'aB1+' * 10}") == f"{MARK}: {MARK}"


def test_a_text_that_is_shorter_than_any_credential_is_not_looked_at():
    assert Redactor().text("redis://a:b9c@h1") == f"redis://{MARK}@h1"
    assert Redactor().text("redis://a:b9c@h") == "redis://a:b9c@h"


def clean_corpus():
    """Yield texts as runs have them: what looks random in them is a name or a digest."""
    chance = random.Random(7)
    raw = [chance.randbytes(24) for _ in range(400)]
    yield "\n".join(f"{sha256(data).hexdigest()}  runs/{sha1(data).hexdigest()}/report.html" for data in raw)
    yield "\n".join(f"{uuid.UUID(bytes=data[:16])} | {data[:6].hex()} | {sha1(data).hexdigest()[:12]}" for data in raw)
    words = ("api", "worker", "risk", "disk", "task", "redis", "sk", "bearer", "basic", "vercel", "cloudflare", "iam")
    for word in words:
        tails = ["".join(chance.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(5)) for _ in range(40)]
        yield "\n".join(f"valuecanvas-{word}-{chance.randbytes(5).hex()}-{tail}   1/1   Running" for tail in tails)
    yield "\n".join(
        f"2026-11-23T13:06:{n % 60:02d}Z INFO pod={word}-7d9f8b6c5-x2x4q GET https://api.example.com/v1/cases/"
        f"{uuid.UUID(bytes=raw[n][:16])}?page={n} 200 {n}ms user={word}@example.com s3://valuecanvas-backups/backups/"
        for n, word in enumerate(words * 20)
    )
    png = b"\x89PNG\r\n\x1a\n" + zlib.compress(chance.randbytes(200_000))
    yield base64.b64encode(png).decode()
    yield "data:image/png;base64," + base64.b64encode(png[:50_000]).decode()
    yield "ssh-ed25519 " + base64.b64encode(chance.randbytes(51)).decode() + " ann@valuecanvas"
    yield (
        "CREATE TABLE public.api_keys (id uuid PRIMARY KEY, key_hash text, password_hash text, token text);\n"
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ops_reader' AND state = 'idle';\n"
        "ALTER ROLE ops_reader PASSWORD NULL; -- password 'your_password' is a placeholder\n"
        "psql postgresql://db.example.com:5432/valuecanvas; psql $DATABASE_URL; psql postgresql://<user>:<password>@h/d\n"
        "export PGPASSWORD=$PASSWORD; redis-cli -a $REDIS_PASSWORD info; redis-cli -u redis://$USER:$PASS@host:6379\n"
        "curl -H 'Authorization: Bearer $TOKEN' https://user@example.com/; npm i --registry https://r:4873/@scope/x\n"
        "kubectl get secret valuecanvas-tls -o yaml; bearer authentication; basic authentication; token=…\n"
        "git 27a7d8e0f1c2b3a4958677685746352413021f0e README; arn:aws:iam::123456789012:role/backup-writer\n"
        "run 20261123T130614Z-runbooks-restore-database-a1b2c3 digest " + sha256(b"x").hexdigest()
    )
    root = Path(__file__).resolve().parents[1]
    for path in (*sorted((root / "opslib").rglob("*.sql")), *sorted((root / "notebooks").rglob("*.ipynb"))):
        yield path.read_text(encoding="utf-8")
    yield from (path.read_text(encoding="utf-8") for path in sorted((root / "docs").rglob("*.md")))


def test_names_digests_and_pictures_stay_as_they_are():
    changed = [text[:80] for text in clean_corpus() if Redactor().text(text) != text]
    assert changed == []


def test_a_string_that_a_vendor_prints_in_its_manual_is_left_alone_and_no_other_of_its_form():
    for text in redaction_patterns.ALLOWED:
        assert Redactor().text(f"key: {text}") == f"key: {text}"
    assert MARK in Redactor().text("key: " + "AKIA" + "IOSFODNN7EXAMPLX")


def test_each_module_of_the_library_that_is_named_has_rules():
    names = {rule.name for rule in redaction_patterns.rules()[len(redaction_patterns.OWN) :]}
    assert len(names) == len(redaction_library.LIBRARY)


def test_all_rules_are_made_at_once_where_a_process_forks_others():
    redaction_patterns.prepare()
    made = [rule for rule in redaction_patterns.rules() if "pattern" in vars(rule)]
    assert len(made) == len(redaction_patterns.rules()) > 50
