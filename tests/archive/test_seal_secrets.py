import html
import json

import pytest

from opslib.archive import seal
from opslib.archive.seal_secrets import stands
from opslib.redaction import Redactor, Secret

TOKEN = "gh" + "p_" + "a7Z" * 13
WORD = 'x"<&qT7zLm2XcV9bN4kR8sWd'


@pytest.mark.parametrize(
    ("path", "text", "place"),
    [
        ("notes.txt", f"one\ntwo {TOKEN}", "line 2"),
        ("plan.json", json.dumps([{"plan": {"before": f"a\n{TOKEN}"}}]), "[0].plan.before"),
        ("journal.jsonl", '{"a":1}\n' + json.dumps({"text": TOKEN}), "line 2 .text"),
        ("notebook.ipynb", json.dumps({"cells": [{"source": [TOKEN[:9], TOKEN[9:]]}]}), ".cells[0].source"),
        ("report.html", f"<p>x</p><pre>ghp<span class=u>{TOKEN[3:]}</span></pre>", "line"),
        ("torn.json", '{"a": "' + TOKEN, "line 1"),
        ("notes.txt", f"\n{TOKEN}", "line 2"),
        ("text.json", json.dumps(TOKEN), "its text"),
        ("text.json", json.dumps([TOKEN[:9], TOKEN[9:]]), "its text"),
        ("keys.json", json.dumps({"a": {TOKEN: "x"}}), ".a a key"),
        ("keys.json", json.dumps({"A key": TOKEN}), ".?"),
        ("many.json", json.dumps([*"abcdefghijklmnopqrst", {"x": TOKEN}, "u" * 99]), "[20].x"),
        ("torn.jsonl", '{"a":1}\n{"a":2}\n{"a": "' + TOKEN, "line 3"),
    ],
)
def test_what_looks_like_a_credential_is_told_by_rule_and_place_but_not_repeated(path, text, place):
    said = stands(path, text.encode(), Redactor())
    assert said.startswith("GitHub token in ")
    assert said.removeprefix("GitHub token in ") == place if place != "line" else "in line" in said
    assert TOKEN not in said


@pytest.mark.parametrize("wrap", [str, html.escape, json.dumps, lambda word: json.dumps(html.escape(word))])
def test_a_known_secret_is_found_in_any_file_in_any_wrapping(wrap):
    for path in ("a.txt", "a.json", "a.html"):
        assert stands(path, f"text {wrap(WORD)} text".encode(), Redactor([Secret(WORD)])) == ""


def test_a_known_secret_in_the_lines_of_a_notebook_is_found_though_no_line_holds_it():
    for path in ("a.json", "a.ipynb", "a.jsonl"):
        said = json.dumps({"source": list(WORD)})
        assert Redactor([Secret(WORD)]).leaks(said.encode()) == 0
        assert stands(path, said.encode(), Redactor([Secret(WORD)])) == ""


def test_of_several_the_first_is_told():
    said = json.dumps({"a": "harmless", "b": TOKEN, "c": TOKEN})
    assert stands("plan.json", said.encode(), Redactor()) == "GitHub token in .b"


def test_what_no_reader_of_a_page_sees_and_harmless_text_is_nothing():
    assert stands("report.html", f"<!-- {TOKEN} --><style>{TOKEN}</style><p>fine</p>".encode(), Redactor()) is None
    for path in ("a.txt", "a.json", "a.jsonl", "a.html"):
        assert stands(path, b'{"a": ["fine", 3, null, []]}', Redactor()) is None
        assert stands(path, b"", Redactor()) is None


def test_neighbouring_cells_of_a_table_make_no_token_together():
    page = "<table><tr><td>Bearer</td><td>a1b2c3d4e5f6a1b2c3d4</td></tr></table>"
    assert stands("report.html", page.encode(), Redactor()) is None


def test_what_the_redactor_wrote_passes_the_gate(tmp_path):
    said = Redactor([Secret(WORD)]).tree({"a": [TOKEN, WORD], "b": f"postgresql://u:{TOKEN}@h/d"})
    (tmp_path / "plan.json").write_text(json.dumps(said))
    (tmp_path / "result.json").write_text(json.dumps({"reason": TOKEN}))
    assert seal.scan(tmp_path, Redactor([Secret(WORD)])).leaking == ("result.json (GitHub token in .reason)",)
