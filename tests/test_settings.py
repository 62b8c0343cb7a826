import os
import re

import pytest

from opslib import settings
from opslib.errors import SettingsError
from opslib.redaction import Redactor

GOOD = {
    "OPS_ENVIRONMENT": "staging",
    "OPS_READ_DATABASE_URL": "postgresql://reader:reader-password@db.example.com:5432/valuecanvas",
    "DATABASE_URL": "postgresql://owner:owner-password@db.example.com:5432/valuecanvas",
    "OPS_SCRATCH_DATABASE_URL": "postgresql://owner:scratch-password@scratch.example.com/postgres",
    "OPS_READ_REDIS_URL": "redis://reader:cache-reader-pw@cache.example.com:6379/0",
    "REDIS_URL": "redis://default:cache-writer-pw@cache.example.com:6379/0",
    "AWS_ACCESS_KEY_ID": "writer-key-id",
    "AWS_SECRET_ACCESS_KEY": "writer-secret-key",
    "S3_BUCKET_NAME": "valuecanvas-backups",
}
LAB = {name: re.sub(r"[a-z]+\.example\.com", "127.0.0.1", value) for name, value in GOOD.items()} | {
    "OPS_ENVIRONMENT": "lab",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
    "OPS_READ_AWS_ACCESS_KEY_ID": "reader-key-id",
    "OPS_READ_AWS_SECRET_ACCESS_KEY": "reader-secret-key",
}
WRITING = ("owner-password", "scratch-password", "cache-writer-pw", "writer-key-id", "writer-secret-key")


@pytest.fixture
def describe(tmp_path, monkeypatch):
    for name in [*GOOD, *(str(f.alias) for f in settings.Settings.model_fields.values())]:
        monkeypatch.delenv(name, raising=False)

    def write(values, environment="staging", extra=""):
        lines = [f"{name}={value}" for name, value in values.items()]
        (tmp_path / f".env.{environment}").write_text("\n".join(lines) + f"\n{extra}\n")
        return settings.load(environment, root=tmp_path, lab=tmp_path / f".env.{environment}")

    return write


def test_a_whole_description_is_read_from_its_file(describe):
    target = describe(GOOD)
    assert target.environment == "staging"
    assert target.database_url.public == "postgresql://db.example.com:5432/valuecanvas"
    assert target.backup_retention_days == 30


def test_all_that_is_missing_or_malformed_is_listed_at_once(describe):
    broken = {**GOOD, "DATABASE_URL": "mysql://owner:owner-password@h/d", "OPS_RPO_HOURS": "soon", "REDIS_URL": ""}
    del broken["S3_BUCKET_NAME"]
    with pytest.raises(SettingsError) as raised:
        describe(broken)
    said = str(raised.value)
    for name in ("DATABASE_URL", "OPS_RPO_HOURS", "REDIS_URL", "S3_BUCKET_NAME"):
        assert f"- {name}: " in said
    assert "4 faults:" in said


def test_no_fault_repeats_a_secret(describe):
    with pytest.raises(SettingsError) as raised:
        describe({**GOOD, "DATABASE_URL": "mysql://owner:owner-password@h/d", "OPS_RPO_HOURS": "x"})
    assert not [word for word in WRITING if word in str(raised.value) + repr(raised.value)]


def test_a_description_of_another_environment_is_refused(describe):
    with pytest.raises(SettingsError, match="describes staging, but production was asked for"):
        describe(GOOD, "production")


def test_a_variable_that_file_and_shell_set_differently_is_refused(describe, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner:owner-password@production.example.com/valuecanvas")
    with pytest.raises(SettingsError, match=r"DATABASE_URL: .env.staging and the environment disagree"):
        describe(GOOD)


def test_the_shell_completes_what_the_file_leaves_out(describe, monkeypatch):
    monkeypatch.setenv("S3_BUCKET_NAME", "from-the-shell")
    values = {name: value for name, value in GOOD.items() if name != "S3_BUCKET_NAME"}
    assert describe(values).backup_bucket == "from-the-shell"


def test_the_lab_never_listens_to_the_shell(describe, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner:owner-password@production.example.com/valuecanvas")
    monkeypatch.setenv("OPS_ENVIRONMENT", "production")
    target = describe(LAB, "lab")
    assert target.database_url.host == "127.0.0.1"


def test_a_name_set_twice_and_a_line_of_no_form_are_reported(describe):
    with pytest.raises(SettingsError) as raised:
        describe(GOOD, extra="REDIS_URL=redis://x/0\n???")
    assert "REDIS_URL: set twice" in str(raised.value)
    assert "not of the form NAME=value" in str(raised.value)


def test_an_unknown_environment_is_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match="lab, staging, production"):
        settings.load("prod")


def test_the_notebooks_part_holds_nothing_that_can_write(describe):
    target = describe({**GOOD, "OPS_READ_AWS_ACCESS_KEY_ID": "reader-key-id"})
    variables = target.variables()
    assert "reader-password" in variables["OPS_READ_DATABASE_URL"]
    assert not [word for word in WRITING if word in " ".join(variables.values())]
    reading = settings.load_reading(variables)
    assert reading == target.reading()
    assert not hasattr(reading, "database_url")


def test_what_a_report_may_show_names_no_credential(describe):
    target = describe(GOOD)
    shown = " ".join(target.public().values())
    assert "db.example.com:5432/valuecanvas" in shown
    assert Redactor(target.secrets()).leaks(shown.encode()) == 0


def test_every_secret_of_the_description_is_known_to_the_redactor(describe):
    redactor = Redactor(describe(GOOD).secrets())
    for word in (*WRITING, "reader-password", "cache-reader-pw"):
        assert redactor.leaks(f"xx {word} yy".encode()) > 0, word


def test_a_description_is_frozen_and_prints_no_secret(describe):
    target = describe(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        target.rpo_hours = 5
    assert not [word for word in WRITING if word in repr(target)]


def test_lists_are_separated_by_commas(describe):
    target = describe({**GOOD, "OPS_CORE_TABLES": "auth.users, public.cases"})
    assert target.core_tables == ("auth.users", "public.cases")
    assert os.environ.get("OPS_CORE_TABLES") is None


@pytest.mark.parametrize("name", ["OPS_UNATTENDED_ACTIONS", "OPS_ALLOWED_SIGNERS", "OPS_MOST", "OPS_OPERATORS"])
def test_the_shell_adds_nothing_to_what_guards_a_target_that_has_a_file(describe, monkeypatch, name):
    monkeypatch.setenv(name, "ann=7")
    with pytest.raises(SettingsError, match=f"{name}: only .env.staging may set it"):
        describe(GOOD)
    assert describe({**GOOD, name: "ann=7"}).environment == "staging"


def test_the_shell_leads_the_leases_of_a_target_that_has_a_file_to_no_other_store(describe, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SettingsError, match=r"AWS_ENDPOINT_URL: only \.env\.staging may set it"):
        describe(GOOD)


def test_credentials_may_come_from_the_shell_alone(describe, monkeypatch):
    monkeypatch.setenv("OPS_ANCHOR_AWS_SECRET_ACCESS_KEY", "anchor-secret-key")
    assert describe(GOOD).anchor_aws_secret_access_key.reveal() == "anchor-secret-key"


@pytest.mark.parametrize("given", ["/tmp/an-archive-of-my-own", ""])
def test_a_description_can_fix_the_archive_and_the_shell_must_agree(describe, monkeypatch, given):
    monkeypatch.setenv("OPS_ARCHIVE", given)
    with pytest.raises(SettingsError, match=r"OPS_ARCHIVE: must be /srv/archive, as \.env\.staging says"):
        describe({**GOOD, "OPS_ARCHIVE": "/srv/archive"})
    monkeypatch.setenv("OPS_ARCHIVE", "/srv/archive")
    assert describe({**GOOD, "OPS_ARCHIVE": "/srv/archive"}).environment == "staging"


def test_no_part_of_the_description_takes_the_place_of_another_parts_field_or_validator():
    # The later class of two with one name silently wins: what the other one checks would be checked no more.
    own: dict[str, list[str]] = {}
    for part in settings.Settings.__mro__:
        # Validators stand in the decorators of a class that pydantic made, together with those that it inherits.
        inherited = {name for base in part.__bases__ for name in _said(base)}
        for name in _said(part) - inherited | {*vars(part).get("__annotations__", {})}:
            if not name.startswith(("__", "model_")):
                own.setdefault(name, []).append(part.__name__)
    assert {"site", "status_pages", "_once"} <= {*own}
    assert {name: parts for name, parts in own.items() if len(parts) > 1 and "BaseModel" not in parts} == {}


def _said(part):
    decorators = getattr(part, "__pydantic_decorators__", None)
    if decorators is None:
        return set()
    return {f"{name}" for kind in ("field_validators", "model_validators") for name in getattr(decorators, kind)}
