"""The closed list of questions: both engines answer alike over the same lines; no word of a parameter is a command."""

import re
from datetime import timedelta
from functools import cache

import pytest

from opslib.errors import Refused
from opslib.lab.insights import carried_out
from opslib.lab.insights_grammar import Malformed
from opslib.probes.log_questions import QUESTIONS, SUBJECTS, Terms, composed, folded, ms, rows_of, text
from opslib.systems import duck
from opslib.systems.exported_logs import listed
from tests.hostile_words import hostile
from tests.logs import START, export, lines
from tests.scale import count

HOUR = timedelta(hours=1)
STEPS = ("lines", "spans", "once", "asked", "examples", "skew", "rejects")


def terms(**subject):
    return Terms(START + HOUR / 2, START + 2 * HOUR, START, subject)


def in_duck(folder, terms, questions=QUESTIONS, **bounds):
    files = [(one.name, one.stream) for one in listed(folder)]
    return duck.answers(
        duck.Texts({name: text(f"{name}.sql") for name in STEPS}, {name: QUESTIONS[name].sql for name in questions}),
        terms.given,
        form="export",
        folder=folder,
        files=files,
        bounds=duck.Bounds(512 * duck.MEGABYTE, folder=bounds.pop("work", None), **bounds),
    )


@cache
def once(folder, session=""):
    """Return what DuckDB answers, which many tests hold something against."""
    return in_duck(folder, terms(session=session) if session else terms())


def in_insights(said, terms, question, query=None):
    begin = terms.before if question.wide else terms.start
    events = [
        {"timestamp": ms(at), "message": message, "stream": stream}
        for at, stream, message in said
        # Both ends are taken in, by whole seconds, as StartQuery has it.
        if ms(begin) // 1000 <= ms(at) / 1000 <= ms(terms.end) // 1000
    ]
    return rows_of(question, carried_out(query or composed(question, terms), events, 10_000))


def alike(rows):
    rows = folded(rows, str) if rows and "message" in rows[0] and "lines" in rows[0] else rows
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


@pytest.fixture(scope="module")
def said():
    return lines(1500)


@pytest.fixture(scope="module")
def folder(said, tmp_path_factory):
    return export(tmp_path_factory.mktemp("export"), said)


@pytest.mark.parametrize(
    "subject",
    [{}, {"address": "198.51.100.2", "account": "user-1"}, {"tenant": "t-1"}, {"session": "s-2"}, {"request": "r-900"}],
    ids=lambda one: "-".join(one) or "all",
)
def test_both_engines_answer_every_question_alike_over_the_same_lines(folder, said, subject):
    asked = terms(**subject)
    found = in_duck(folder, asked)["rows"]
    assert list(found) == list(QUESTIONS)
    for name, question in QUESTIONS.items():
        assert tuple(found[name][0] if found[name] else question.columns) == question.columns, name
        assert alike(found[name]) == alike(in_insights(said, asked, question)), name
    if not subject:
        assert all(found.values())


def test_each_question_counts_what_was_written_and_not_what_the_other_engine_says(folder, said):
    asked = terms(session="s-2")
    found = once(folder, "s-2")["rows"]
    within = [(at, message) for at, _, message in said if asked.start <= at < asked.end and '"s-2"' in message]
    assert [row["moment"] for row in found["session"]] == [ms(at) for at, _ in within]
    assert sum(row["lines"] for row in found["requests"]) == len(within)
    assert sum(row["lines"] for row in found["access"]) == len(within)
    assert sum(row["lines"] for row in found["errors"]) == sum('"error"' in message for _, message in within)
    assert sum(row["lines"] for row in found["sign-ins"]) == sum("auth/login" in message for _, message in within)
    assert {row["message"] for row in folded(found["errors"], str)} <= {
        "cannot reach #.#.#.#: timed out",
        "job # failed",
        "no more memory",
    }


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("access", "ispresent(its_route)", "ispresent(its_key)"),
        ("access", "its_address, its_account", "its_account, its_address, its_tenant"),
        ("sign-ins", "/api/auth/login", "/api/auth/logout"),
        ("sights", "min(its_at)", "max(its_at)"),
        ("requests", "bin(1h)", "bin(10m)"),
        ("volume", "ispresent(its_status)", "ispresent(its_level)"),
        ("errors", '"error", ', ""),
        ("silence", "bin(10m)", "bin(1h)"),
        ("unread", "filter not (", "filter ("),
        ("session", 'its_session = "s-2"', 'its_session != "s-2"'),
    ],
)
def test_a_query_that_asks_otherwise_is_told_from_the_right_one(folder, said, name, right, wrong):
    asked, question = terms(session="s-2") if name == "session" else terms(), QUESTIONS[name]
    query = composed(question, asked)
    assert right in query
    other = in_insights(said, asked, question, query.replace(right, wrong))
    assert alike(once(folder, "s-2" if name == "session" else "")["rows"][name]) != alike(other)


def test_both_engines_know_a_field_by_the_same_names():
    insights, sql = text("lines.insights"), text("lines.sql")
    names = {
        word.strip()
        for line in insights.splitlines()
        if line.startswith("  ")
        for word in line.split(" as ")[0].strip().removeprefix("coalesce(").rstrip(")").split(",")
    }
    assert names == set(re.findall(r"'\$\.(\w+)'", sql.split(")) AS f\n")[0])) - {
        "at",
        "line",
        "timestamp",
        "time",
    }


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_word_with_any_sign_of_a_language_is_refused_for_every_subject(name):
    for word in (*hostile(count(200, 1500)), '" or 1=1 #', "a|limit 1", "a' --", "a\nb", "a\\", "/x/", "$start", "a b"):
        try:
            made = composed(QUESTIONS["access"], terms(**{name: word}))
        except Refused:
            made = ""
        plain = word.isascii() and re.fullmatch(r"[A-Za-z0-9_.:@-]+", word) is not None
        assert plain or not made, word
        assert not made or f'| filter its_{name} = "{word}"\n' in made


def test_a_subject_that_is_none_of_the_list_and_a_window_that_is_none_are_refused():
    with pytest.raises(Refused, match="given as route"):
        terms(route="x")
    with pytest.raises(Refused, match="window is none"):
        Terms(START, START, START)
    with pytest.raises(Refused, match="zone"):
        Terms(START.replace(tzinfo=None), START + HOUR, START)


def test_a_query_of_another_grammar_is_malformed_and_never_answered():
    for query in (
        "fields @message | drop everything",
        "filter its_x = 'single'",
        'filter a = "open',
        "stats sum(a) by b",
        "fields soundex(a)",
        "filter a = ",
        "stats count(*) by bin(5y)",
        "fields @message ; limit 1",
    ):
        with pytest.raises(Malformed):
            carried_out(query, [{"timestamp": 0, "message": "{}", "stream": "a"}], 10)
