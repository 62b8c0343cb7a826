"""Hostile words in every place that a value can reach: refused by field and rule, or plain data, read back equal."""

import ast
import socketserver
import threading
import uuid
from pathlib import Path
from typing import get_args

import psycopg.conninfo
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from pydantic import ValidationError
from redis.connection import parse_url

from opslib import settings
from opslib.actions import ACTIONS
from opslib.actions.base import faults
from opslib.archive.store import Archive
from opslib.errors import OpsError, Refused, SettingsError, Unreachable, UsageError
from opslib.headless import agreement, notebooks
from opslib.headless.notebooks_parameters import KINDS
from opslib.probes import cache as cache_probes
from opslib.probes.questions import question
from opslib.redaction import CacheUrl, DatabaseUrl
from opslib.runs.slot import slot_id
from opslib.systems import programs
from opslib.systems.object_store import Bucket
from opslib.systems.program_inputs import PROGRAMS, check_arguments
from opslib.systems.web import Reader, public
from tests.hostile_words import hostile
from tests.scale import count
from tests.signing import MOMENT
from tests.test_settings import GOOD

WORDS = hostile(count(300, 1500))
FEWER = hostile(count(150, 500))
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./: @~")


def tried(work):
    """Return what ``work`` returns and nothing, or None and what it was refused with."""
    try:
        return work(), ""
    except OpsError as error:
        return None, str(error)


STEP = {
    "backup": "newest",
    "sha256": "0" * 64,
    "database": "new",
    "label": "backup",
    "prefix": "llm:cache:",
    "table": "public.cases",
    "columns": "user_id,status",
    "workflow": "deploy-production.yml",
    "branch": "main",
    "flag": "force_full_deploy",
    "deployment": "dpl_Before2Rk9ZuC5mEa8",
    "through": "all",
    "version": "none",
    "secret": "TOGETHER_API_KEY",
    "variable": "TOGETHER_API_KEY",
    "key": "TOGETHER_API_KEY",
    "ref": "main",
    "provider": "openai",
    "manifest": "0" * 64,
    "files": "0" * 64,
    "users": "none",
    "keep": "none",
    "scope": "users",
    "commit": "0" * 40,
    "networks": "none",
    "of": "api",
    "level": "debug",
    "which": "api",
    "moment": "2026-11-29T10:00:00Z",
    "without_backup": "none",
    "services": "api",
    "decided_by": "none",
    "fenced_by": "none",
    "slot": "most",
    "incident": "INC-2026-1129",
    "severity": "critical",
    "news": "began",
    "export": "november",
    "start": "2026-11-29T10:00:00Z",
    "address": "203.0.113.9",
    "named": "none",
    "statements": "none",
}
LISTS = ("columns", "users", "keep", "networks", "services", "statements")
FIELDS = [
    (kind, name)
    for kind in ACTIONS.values()
    for name, field in kind.model_fields.items()
    if field.annotation is str or str in get_args(field.annotation)
]


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=lambda one: one if isinstance(one, str) else one.name)
def test_an_action_takes_a_word_only_where_it_is_plain(kind, field):
    whole = {name: STEP[name] for name in kind.model_fields if name in STEP}
    kind.model_validate(whole)
    for word in WORDS:
        try:
            assert getattr(kind.model_validate(whole | {field: word}), field) == word
        except ValidationError as error:
            said = faults(error)
            assert said.startswith(f"{field}: String should"), said
        else:
            # A list's comma parts names that are quoted one by one.
            assert (SAFE | {","} if field in LISTS else SAFE).issuperset(word), word
            assert " " not in word
            assert not {"", ".", ".."} & set(word.split("/")), word
            assert word[:1] not in ("-", "/", "."), word


def test_every_text_of_every_action_is_tried():
    assert {(kind.name, name) for kind, name in FIELDS} >= {
        ("take-backup", "label"),
        ("prove-backup", "backup"),
        ("stage-backup", "backup"),
        ("restore-into-new-database", "sha256"),
        ("swap-databases", "database"),
    }
    texts = {name for kind in ACTIONS.values() for name, field in kind.model_fields.items() if field.annotation is str}
    assert texts <= set(STEP)


IDENTIFIERS = {
    "S3_BUCKET_NAME": "{}",
    "OPS_BACKUP_PREFIX": "{}",
    "OPS_CONTINUOUS_PREFIX": "{}/",
    "AWS_REGION": "{}",
    "AWS_ENDPOINT_URL": "{}",
    "VITE_API_BASE_URL": "{}",
    "OPS_SERVER_METRICS_URL": "http://{}/metrics",
    "OPS_CORE_TABLES": "{}",
    "OPS_CACHE_PREFIX": "{}",
    "OPS_PROTECTED_PREFIXES": "{}",
    "OPS_APPLICATION_NAMES": "{}",
    "OPS_DATABASE_STANDBYS": "{}",
    "OPS_CACHE_WORKLOAD": "{}",
    "OPS_INFRASTRUCTURE": "{}",
    "OPS_INFRASTRUCTURE_VALUES": "{}",
    "OPS_INFRASTRUCTURE_BACKEND": "{}",
    "OPS_MANIFESTS": "{}",
    "OPS_RPO_HOURS": "{}",
    "OPS_ENVIRONMENT": "{}",
}


def described(name, value):
    """Return the settings with ``value`` for the variable ``name``; None when that is refused, in its name."""
    found, said = tried(lambda: settings.load_reading({**GOOD, name: value}))
    assert found or f"- {name}: " in said
    return found


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_a_description_takes_a_word_only_where_it_is_plain(name):
    field = next(field for field, info in settings.ReadSettings.model_fields.items() if info.alias == name)
    for word in WORDS:
        given = IDENTIFIERS[name].replace("{}", word)
        found = described(name, given)
        if found is None or given == "":
            continue
        value = getattr(found, field)
        if isinstance(value, (int, float)):
            assert float(given) == float(value)
            continue
        for one in value if isinstance(value, tuple) else (value,):
            assert one in given
            assert SAFE.union("[]").issuperset(one), given
            assert not one.startswith(("-", "/", ".")), given
            assert not {".", ".."} & set(one.split("/")), given


@pytest.mark.parametrize("place", ["{}:reader-password@127.0.0.1/valuecanvas", "reader:{}@127.0.0.1/valuecanvas"])
@pytest.mark.parametrize("name", ["OPS_READ_DATABASE_URL", "OPS_READ_REDIS_URL"])
def test_no_name_and_no_password_leads_to_another_server(name, place):
    for word in WORDS:
        if found := address(name, place.replace("{}", word)):
            assert found[0] == found[2], word
            assert found[0] == "127.0.0.1" or "/" in word, word


@pytest.mark.parametrize("place", ["r:reader-password@{}/1", "r:reader-password@127.0.0.1{}/1", "127.0.0.1:{}/1"])
@pytest.mark.parametrize("name", ["OPS_READ_DATABASE_URL", "OPS_READ_REDIS_URL"])
def test_a_host_is_the_same_for_us_as_for_those_who_connect(name, place):
    for word in WORDS:
        if found := address(name, place.replace("{}", word)):
            assert found[0] == found[2], word
            assert found[1] == found[3], word


@pytest.mark.parametrize("place", ["127.0.0.1/{}", "127.0.0.1/1?{}", "127.0.0.1/1?host={}", "127.0.0.1/1#{}"])
@pytest.mark.parametrize("name", ["OPS_READ_DATABASE_URL", "OPS_READ_REDIS_URL"])
def test_no_path_and_no_option_leads_to_another_server(name, place):
    for word in WORDS:
        if found := address(name, place.replace("{}", word)):
            assert found[:2] == ("127.0.0.1", found[3]), word


def address(name, rest):
    """Return host and path as we read them and as the client does; None when the address is refused."""
    scheme = "postgresql" if "DATABASE" in name else "redis"
    found = described(name, f"{scheme}://{rest}")
    if found is None:
        return None
    url = found.read_database_url if "DATABASE" in name else found.read_cache_url
    if isinstance(url, DatabaseUrl):
        said = psycopg.conninfo.conninfo_to_dict(url.reveal())
        assert set(said) <= {"host", "port", "user", "password", "dbname", *DatabaseUrl.options}
        return url.host, url.path, said["host"].lower(), said["dbname"]
    said = parse_url(url.reveal())
    assert set(said) <= {"host", "port", "username", "password", "db", "connection_class", *CacheUrl.options}
    return url.host, url.path, said["host"].lower(), str(said["db"]) if "db" in said else ""


def fingerprint(lab):
    with lab.admin() as session:
        asked = (
            "SELECT (SELECT count(*) FROM pg_class) AS relations, (SELECT count(*) FROM pg_roles) AS roles, "
            "(SELECT count(*) FROM pg_database) AS databases, (SELECT count(*) FROM public.users) AS users"
        )
        return session.execute(asked).fetchone()


def test_questions_to_the_database_take_words_as_values(lab):
    before = fingerprint(lab)
    for word in FEWER:
        rows, said = tried(lambda word=word: lab.target.database.ask(question("backups/source"), {"core": [word]}))
        if said:
            # No name that PostgreSQL could look up: it says so, or the text cannot be sent at all (NUL).
            assert "backups/source" in said
        elif word.isdigit() or word == "-" or word.startswith("pg_catalog."):
            # Looked up as what it says: a number is an object's, which a description therefore may not hold.
            assert len(rows) == 1
        else:
            assert rows[0]["missing_tables"] == [word]
    for word in FEWER[::5]:
        with pytest.raises(Unreachable):
            lab.target.database.ask(question("database/indexes_unused"), {"bytes": word + "x"})
    assert fingerprint(lab) == before


def test_keys_and_patterns_of_the_cache_are_bytes(lab):
    import redis

    own = f"hostile-{uuid.uuid4().hex}:"
    with redis.Redis.from_url(lab.settings.cache_url.reveal()) as client:
        others = client.dbsize()
        planted = {f"{own}{word}".encode() for word in FEWER}
        client.mset(dict.fromkeys(planted, "x"))
        try:
            for word in FEWER:
                sought = f"{own}{word}".encode()
                found = {key for batch in lab.target.cache.scan(sought.decode()) for key in batch}
                assert found == {key for key in planted if key.startswith(sought)}, word
            for word in FEWER[::3]:
                with pytest.raises((Unreachable, Refused)):
                    cache_probes.queue(f"{own}{word}").read(lab.target)
            assert client.dbsize() == others + len(planted)
        finally:
            client.delete(*planted)


def test_keys_of_the_object_store_stay_below_their_prefix(lab):
    prefix = f"hostile-{uuid.uuid4().hex}/"
    store = Bucket(lab.settings, lab.settings.backup_bucket)
    before = {item.key for item in store.list("")}
    kept = {}
    for word in FEWER:
        key = f"{prefix}{word}"
        version, said = tried(lambda key=key, word=word: store.put_new(key, word.encode(), {"word": "x"}))
        if said:
            assert "Nothing is put under the key" in said, word
            continue
        kept[key] = version
        assert store.read(key, version=version) == word.encode(), word
        assert store.head(key).size == len(word.encode())
    assert {item.key for item in store.list("")} - before == set(kept)
    assert before <= {item.key for item in store.list("")}
    assert len(kept) > len(FEWER) / 2
    for key, version in kept.items():
        store.delete_version(key, version)
    assert {item.key for item in store.list("")} == before
    store.close()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_gets_no_argument_that_is_not_on_its_list(program):
    for word in WORDS:
        for argument in (word, f"--dbname={word}", f"--snapshot={word}", f"--file={word}", f"--jobs={word}"):
            _, said = tried(lambda argument=argument: check_arguments(program, [argument]))
            if said:
                assert program in said
                continue
            assert "\n" not in argument
            value = argument.partition("=")[2]
            if program == "git-workspace" and argument.startswith("file:///"):
                # The repository's address, which the description names; no other scheme gets this far.
                assert SAFE.issuperset(argument), argument
                continue
            assert argument.startswith(("/", "--dbname=", "--jobs=", "--snapshot=", "--file="))
            if argument.startswith("--dbname="):
                assert SAFE.issuperset(value), value
            if argument.startswith("--file="):
                assert value in ("-", "/dev/null")


def test_no_program_is_found_by_a_word():
    for word in WORDS:
        with pytest.raises(UsageError, match="is not one of"):
            programs.find(word)


@pytest.fixture
def listener():
    """A server that answers anything and keeps every byte that it was sent."""
    got: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            lines = []
            while (line := self.rfile.readline(65536)) not in (b"\r\n", b""):
                lines.append(line)
            got.append(b"".join(lines))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], got
        server.shutdown()


def test_a_word_in_an_address_or_a_header_reaches_one_server_as_one_request(listener):
    port, got = listener
    reader = Reader()
    asked = 0
    for word in FEWER:
        for url, headers in (
            (f"http://127.0.0.1:{port}/{word}", {}),
            (f"http://127.0.0.1:{port}/?q={word}", {}),
            (f"http://127.0.0.1:{port}/", {"x-word": word}),
        ):
            try:
                reader.get(url, headers=headers, deadline=10)
            except (UsageError, Unreachable):
                continue
            asked += 1
            first, *others = got[-1].decode("latin-1").split("\r\n")
            assert first.startswith("GET /")
            assert first.endswith(" HTTP/1.1")
            assert {line.partition(":")[0].lower() for line in others if line} <= {
                *("host", "user-agent", "accept", "accept-encoding", "connection", "x-word"),
            }
            if headers:
                sent = next(line for line in others if line.lower().startswith("x-word:"))
                assert sent.partition(":")[2].strip() == word
    assert len(got) == asked > len(FEWER)
    reader.close()


def test_a_word_alone_is_no_address_unless_it_names_scheme_and_host():
    for word in WORDS:
        try:
            shown = public(word)
        except UsageError:
            continue
        assert shown.startswith(("http://", "https://"))
        assert "@" not in shown.split("/")[2]


def test_a_value_that_a_notebook_takes_is_that_text_in_the_kernel_and_nothing_else():
    book = notebooks.find("runbooks/restore-database")
    source = load_notebook_node(str(book.path))
    for kind in KINDS.values():
        for word in [word for word in WORDS if kind.pattern.fullmatch(word)]:
            made = parameterize_notebook(source, {"backup": word}, kernel_name="python3", language="python")
            (cell,) = [c for c in made.cells if "injected-parameters" in c.metadata.get("tags", [])]
            (statement,) = ast.parse(cell.source).body
            assert ast.literal_eval(statement.value) == word


def test_names_of_notebooks_environments_runs_plans_and_slots_are_looked_up_never_followed(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "x.ipynb").write_text("{}")
    store = Archive(tmp_path / "archive")
    for word in WORDS:
        with pytest.raises(UsageError):
            notebooks.find(word, tmp_path / "notebooks")
        with pytest.raises(SettingsError, match="There is no environment"):
            settings.load(word, root=tmp_path)
        with pytest.raises(UsageError):
            store.find(word)
        with pytest.raises(OpsError):
            agreement.apply(word, "lab", tmp_path / "archive")
        if not slot_named(word):
            continue
        assert SAFE.issuperset(word)
        assert "." not in word
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notebooks", "x.ipynb"]


def slot_named(word):
    try:
        return Path(slot_id(word, "lab", MOMENT.replace(microsecond=0))).name
    except UsageError:
        return ""
