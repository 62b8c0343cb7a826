import copy
import html
import json
import pickle
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from opslib.redaction import MARK, CacheUrl, DatabaseUrl, Redactor, Secret

WORD = "p\"<&'ä/\\ passW0rd"


def test_a_secret_shows_nowhere():
    secret = Secret(WORD)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret}",
        json.dumps([secret], default=str),
    ]
    assert not [text for text in shown if "passW0rd" in text]
    assert secret.reveal() == WORD


def test_a_secret_is_not_pickled_copied_deep_or_iterated():
    secret = Secret(WORD)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    with pytest.raises(TypeError):
        list(secret)


def test_an_address_shows_host_and_database_but_neither_user_nor_password():
    url = DatabaseUrl("postgresql://ops:s3cr%40t-word@db.example.com:6432/valuecanvas?sslmode=require")
    assert str(url) == "DatabaseUrl(postgresql://db.example.com:6432/valuecanvas)"
    assert (url.host, url.port, url.path) == ("db.example.com", 6432, "valuecanvas")
    assert set(url.parts()) >= {"s3cr%40t-word", "s3cr@t-word"}


def test_another_database_of_the_same_server_keeps_the_rest_of_the_address():
    url = DatabaseUrl("postgresql://ops:secret-word@h:1/a?sslmode=disable").with_path("b c")
    assert url.reveal() == "postgresql://ops:secret-word@h:1/b%20c?sslmode=disable"


def test_the_same_address_at_another_place_keeps_user_password_and_database():
    url = DatabaseUrl("postgresql://ops:secret-word@h/a?sslmode=disable")
    assert url.place == "h:5432"
    moved = url.at_place("10.0.0.7:6543")
    assert moved.reveal() == "postgresql://ops:secret-word@10.0.0.7:6543/a?sslmode=disable"
    assert moved.place == "10.0.0.7:6543"


@pytest.mark.parametrize(
    ("kind", "address", "fault"),
    [
        (DatabaseUrl, "mysql://u:p@h/d", "does not start with postgresql://"),
        (DatabaseUrl, "postgresql://u:p@h", "names no database"),
        (DatabaseUrl, "postgresql:///d", "names no host"),
        (DatabaseUrl, "postgresql://u:p@h:port/d", "malformed"),
        (CacheUrl, "http://h", "redis://"),
    ],
)
def test_a_malformed_address_is_named_without_being_repeated(kind, address, fault):
    said = kind.check(address)
    assert fault in said
    assert "u:p" not in said


def test_secrets_are_equal_when_kind_and_value_are():
    assert Secret("hunter2-hunter2") == Secret("hunter2-hunter2") != Secret("hunter2-hunter3")
    assert Secret("redis://h") != CacheUrl("redis://h") != "redis://h"
    assert len({Secret("hunter2-hunter2"), Secret("hunter2-hunter2"), Secret("hunter2-hunter3")}) == 2


def test_a_field_for_a_secret_takes_text_or_a_secret_of_its_kind_and_nothing_weak():
    field = TypeAdapter(CacheUrl)
    url = CacheUrl("redis://h/0")
    assert field.validate_python(url) is url
    assert field.validate_python("redis://h/0") == url
    for value in (7, Secret("redis://h/0")):
        with pytest.raises(ValidationError, match="is not text"):
            field.validate_python(value)
    with pytest.raises(ValidationError, match="redis://"):
        field.validate_python("http://h")


def test_an_address_of_a_server_only_has_neither_port_nor_database_nor_password():
    url = DatabaseUrl("postgresql://db")
    assert (url.host, url.port, url.path, url.public) == ("db", None, "", "postgresql://db")
    assert DatabaseUrl("postgresql:///d").host == ""
    assert DatabaseUrl("postgresql:///d").public == "postgresql:/d"


def test_what_stands_in_an_address_without_password_is_a_secret_only_with_user_or_query():
    assert CacheUrl("redis://:word@h").parts() == ("redis://:word@h", "word", "word")
    assert CacheUrl("redis://ops@h").parts() == ("redis://ops@h", "", "")
    assert CacheUrl("redis://h?ssl_ca_certs=x").parts() == ("redis://h?ssl_ca_certs=x", "", "")


ADDRESS = "postgresql://ops:hunter2-hunter2@db.example.com:6432/valuecanvas?sslmode=require"


@pytest.mark.parametrize(
    "address",
    [
        ADDRESS,
        "postgres://[::1]:1/a",
        "postgresql://h/0_a.B-c",
        "postgresql://ops:%40%23%25hunter2@h/d",
        "postgresql://h/d?sslmode=disable&sslrootcert=/ca.pem",
    ],
)
def test_an_ordinary_address_is_taken(address):
    assert DatabaseUrl.check(address) is None


@pytest.mark.parametrize(
    ("was", "now", "fault"),
    [
        ("db.example", "db .example", "holds blanks"),
        ("db.example", "db\n.example", "cannot be printed"),
        ("db.example", "db%0a.example", "cannot be printed"),
        ("valuecanvas", "d#x", "holds a #"),
        ("valuecanvas", "d%x", "holds a #"),
        ("valuecanvas", "d%4", "holds a #"),
        ("ops:", "o@ps:", "a second @"),
        (":6432", ":", "no port after the colon"),
        (":6432", ":port", "malformed"),
        (":6432", ":65536", "malformed"),
        ("db.example.com", "a,b", "names a host that is none, or several"),
        ("db.example.com", "-a", "names a host that is none, or several"),
        ("sslmode", "host", "has an option other than sslmode, "),
        ("require", "require&options=", "has an option other than sslmode, "),
        ("valuecanvas", "a/b", "has a path that is no plain name"),
        ("valuecanvas", "-a", "has a path that is no plain name"),
        ("valuecanvas", "a" * 64, "has a path that is no plain name"),
        ("valuecanvas", "", "names no database"),
        ("hunter2-hunter2", "ops", "has a password that is a name in the same address"),
        ("hunter2-hunter2", "db.example.com", "has a password that is a name in the same address"),
        ("hunter2-hunter2", "valuecanvas", "has a password that is a name in the same address"),
        ("hunter2-hunter2", "%64b%2eexample.com", "has a password that is a name in the same address"),
    ],
)
def test_an_address_that_could_lead_elsewhere_is_refused_with_the_reason(was, now, fault):
    assert fault in DatabaseUrl.check(ADDRESS.replace(was, now))


@pytest.mark.parametrize(
    ("path", "good"), [("", True), ("/", True), ("/0", True), ("/15", True), ("/01", False), ("/x", False)]
)
def test_a_cache_is_named_by_a_number(path, good):
    assert (CacheUrl.check(f"redis://h{path}") is None) is good


ENCODINGS = {
    "plain": lambda s: s,
    "url": lambda s: quote(s, safe=""),
    "url path": quote,
    "json": lambda s: json.dumps(s),
    "json unicode": lambda s: json.dumps(s, ensure_ascii=False),
    "json in json": lambda s: json.dumps(json.dumps(s)),
    "html": lambda s: html.escape(s),
    "half html": lambda s: html.escape(s, quote=False),
    "repr": repr,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_known_secret_is_found_in_each_encoding_that_we_write(encoding):
    text = f"before {ENCODINGS[encoding](WORD)} after"
    redactor = Redactor([Secret(WORD)])
    assert redactor.leaks(text.encode()) > 0
    clean = redactor.text(text)
    assert MARK in clean
    assert "passW0rd" not in clean


def test_keys_lists_and_deep_values_are_redacted():
    redactor = Redactor([Secret("hunter2-hunter2")])
    tree = {"a": [{"hunter2-hunter2": 1}], "b": ("x hunter2-hunter2",), "n": 3, "z": None}
    assert redactor.tree(tree) == {"a": [{MARK: 1}], "b": [f"x {MARK}"], "n": 3, "z": None}


def test_a_tree_without_a_secret_stays_as_it_is_in_plain_lists_and_mappings():
    tree = {"a": {7: [1, ("x", {"y": None})]}, "b": "x", "c": [True, 2.5]}
    assert Redactor([Secret("hunter2-hunter2")]).tree(tree) == {
        "a": {"7": [1, ["x", {"y": None}]]},
        "b": "x",
        "c": [True, 2.5],
    }


@pytest.mark.parametrize("count", range(1, 6))
def test_each_item_of_a_list_is_looked_at_and_the_others_stay(count):
    redactor = Redactor([Secret("hunter2-hunter2")])
    for place in range(count):
        items = ["x", {"y": 1}, ["z"], 4, None][:count]
        clean = list(items)
        items[place], clean[place] = "a hunter2-hunter2", f"a {MARK}"
        assert redactor.tree(items) == clean


def test_texts_of_a_tree_are_not_joined_to_a_secret():
    assert Redactor([Secret("hunter2-hunter2")]).tree(["hunter2-", "hunter2"]) == ["hunter2-", "hunter2"]


def test_what_looks_like_a_credential_is_told_by_rule_and_place():
    (found,) = Redactor().suspicious("key " + "ghp_" + "a" * 36)
    assert (found.rule, found.start, found.end) == ("GitHub token", 4, 44)


def test_what_is_a_credential_only_once_escapes_are_undone_is_hidden_and_what_is_one_before_too():
    token = "ghp_" + "a" * 36
    assert Redactor().text(f"x {token[:9]}%61{token[10:]}") == f"x {MARK}"
    assert Redactor().text(f"\\n{token[1:]}") == f"\\n{token[1:]}"
    npm = "npm_" + "a1" * 18
    assert Redactor().text(f"C:\\{npm}") == f"C:\\{MARK}"


def test_neighbours_and_overlaps_are_one_mark_and_what_is_between_stays():
    redactor = Redactor([Secret("hunter2-hunter2"), Secret("hunter2-other42")])
    assert redactor.text("hunter2-hunter2hunter2-other42") == MARK
    assert redactor.text("hunter2-hunter2-other42") == MARK
    assert redactor.text("hunter2-hunter2 hunter2-other42") == f"{MARK} {MARK}"


def test_a_piece_that_a_secret_only_touches_stays_whole():
    redactor = Redactor([Secret("hunter2-hunter2")])
    assert redactor.texts(["a ", "hunter2-hunter2", " b", "hunter2", "-hunter2", "c"]) == [
        "a ",
        MARK,
        " b",
        MARK,
        "",
        "c",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ops:whatever@host/db",
        "Authorization: Bearer abcdefghijklmnop1234",
        "AKIA" + "IOSFODNN7EXAMPLF",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.SflKxwRJSMeKKF2QT4fw",
        "sk-abcdefghijklmnopqrstuvwx",
        "sbp_" + "0123456789abcdef0123456789abcdef01234567",
        "ghp_" + "a" * 36,
    ],
)
def test_what_looks_like_a_credential_is_redacted_though_nobody_knew_it(text):
    assert MARK in Redactor().text(text)


@pytest.mark.parametrize(
    "text",
    [
        "valuecanvas-api-7d9f8b6c5-x2x4q",
        "2026-11-23T13:06:14Z backups/valuecanvas-20261123.dump",
        "c0ffee" * 10,
        "postgresql://db.example.com:5432/valuecanvas",
        "SELECT count(*) FROM cases",
    ],
)
def test_names_digests_and_public_addresses_are_left_alone(text):
    assert Redactor([Secret("hunter2-hunter2")]).text(text) == text


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=8, max_size=40), st.text())
def test_no_secret_of_eight_characters_or_more_survives_in_plain_text(value, around):
    redactor = Redactor([Secret(value)])
    assert value not in redactor.text(around + value + around).replace(MARK, "")


def test_a_secret_cut_in_two_is_found_and_the_pieces_stay_as_many():
    redactor = Redactor([Secret("hunter2-hunter2")])
    assert redactor.texts(["a hunt", "", "er2-hunter2 b"]) == [f"a {MARK}", "", " b"]
    assert redactor.begun("a hunter2-hunt") == "a hunter2-hunt"
    assert redactor.begun("a hunter2-hunter2 b") == f"a {MARK} b"


def test_the_first_or_last_part_of_a_longer_secret_is_hidden_where_a_text_was_cut():
    word = "qT7zLm2XcV9bN4kR8sWd"
    redactor = Redactor([Secret(word)])
    for cut in (word[:14] + "…", "…" + word[-14:]):
        assert redactor.text(f"row {cut} end").replace(MARK, "").replace("…", "") == "row  end"


def test_what_a_reader_cannot_undo_by_itself_is_out_of_reach_and_so_said():
    # Neither other letters nor other gaps: that is why notebook code never holds a writing credential.
    word = "qT7zLm2XcV9bN4kR8sWd"
    redactor = Redactor([Secret(word)])
    for text in (word.swapcase(), " ".join(word), word[::-1], word[:8] + "…"):
        assert redactor.text(text) == text


@pytest.mark.parametrize(
    "value",
    ["short1!", "aaaaaaaa", "abababab", "password", "Password123!", "postgres", "12345678", "abcdefgh", "changeme"],
)
def test_a_secret_that_would_shred_the_report_is_refused_and_not_repeated(value):
    for said in (Secret.check(value), DatabaseUrl.check(f"postgresql://ops:{value}@h/d")):
        assert said
        assert value not in said.removeprefix("has a password that")


def test_a_password_that_is_a_name_of_its_address_is_refused():
    assert "name" in DatabaseUrl.check("postgresql://ops:valuecanvas@h/valuecanvas")


@pytest.mark.parametrize("value", ["writer-secret-key", "hunter2-hunter2", "0f8fad5bd9cb469fa16570867728950e"])
def test_an_ordinary_secret_is_taken(value):
    assert Secret.check(value) is None
    assert DatabaseUrl.check(f"postgresql://ops:{value}@h/d") is None


def test_an_address_without_password_is_no_secret():
    assert CacheUrl("redis://127.0.0.1:6379/0").parts() == ()


@given(st.lists(st.sampled_from([" ", "&amp;", "%25", "\\", "\\n", "<b>", "\x1b[1m", '"', "é", "+", "41"]), max_size=8))
def test_the_gate_finds_what_the_redactor_finds_and_nothing_is_left_after_it(around):
    redactor = Redactor([Secret(WORD)])
    text = "".join(around) + json.dumps(WORD) + "".join(reversed(around))
    assert redactor.leaks(text.encode()) == 1
    assert redactor.leaks(redactor.text(text).encode()) == 0
