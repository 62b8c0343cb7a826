"""Code in a report is marked as pygments' own formatter marks it, but for classes that the page does not colour."""

import json
import re
from pathlib import Path

import pytest
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from opslib.archive import report_code
from opslib.archive.record import Record
from opslib.archive.report_known import Known
from opslib.runs.markup import visible
from tests.scale import count

ROOT = Path(__file__).resolve().parents[2]
COLOURED = re.compile("k|kn|kc|ow|s[12daie]|c|c1|cm|m[if]|nf|nc|fm")
ODD = [
    "", "\n", "\n\n a", "'''a\n\n b'''\n", "f'{x!r:>{w}}'\n\n", "@a.b\nclass X: pass\n#c\r\n", "x = <&>\"'",
    "\t1\n\x00\u202e", "def f(:\n 'unfinished\n", '"""\n"""\n' * 3, "# one\n# two\n\n\n# three",
    "r'\\d' b'x' 0x1f 1e3j",
    "x" * 30_000,
]  # fmt: skip


def as_pygments(source):
    marked = highlight(visible(source)[:20_000], PythonLexer(), HtmlFormatter(nowrap=True)).rstrip("\n")
    return re.sub(
        r'<span class="(\w+)">([^<]*)</span>', lambda one: one[0] if COLOURED.fullmatch(one[1]) else one[2], marked
    )


@pytest.mark.parametrize("source", ODD)
def test_odd_code_is_marked_as_pygments_marks_it(source):
    assert report_code.code(source) == as_pygments(source)


def test_the_notebooks_and_this_packages_code_is_marked_as_pygments_marks_it():
    modules = sorted((ROOT / "opslib" / "archive").glob("*.py"))[:: count(8, 1)]
    sources = [path.read_text(encoding="utf-8") for path in modules]
    for path in sorted((ROOT / "notebooks" / "diagnostics").glob("*.ipynb")):
        sources += ["".join(cell["source"]) for cell in json.loads(path.read_bytes())["cells"]]
    assert len(sources) > 200
    for source in sources:
        assert report_code.code(source) == as_pygments(source)


def line(event, **more):
    return {"event": event, **more}


def record(*journal):
    return Record("run", {}, {}, journal, len(journal), "", None)


def test_lines_of_several_events_come_in_the_journals_order():
    said = record(line("b", n=1), line("a", n=2), line(["a"], n=3), line("b", n=4), line("c", n=5))
    assert [one["n"] for one in said.events("a", "b")] == [1, 2, 4]
    assert [one["n"] for one in said.events("b", "b")] == [1, 4]
    assert said.events("none") == []


def test_an_output_holds_only_as_the_journal_has_it():
    known = Known(
        record(line("result", result={"check": "c", "title": "C", "verdict": "OK"}), line("result", result=[]))
    )
    assert known.has("result", {"check": "c", "verdict": "OK"})
    assert not known.has("result", {"check": "c", "verdict": "CRITICAL"})
    assert not known.has("result", {"check": ["c"], "verdict": {"a": 1}})
    assert known.has("survey", {"rows": [{"check": "C", "verdict": "OK"}]})
    assert not known.has("survey", {"rows": [{"check": "C", "verdict": "OK"}, {"check": "D", "verdict": "OK"}]})
    assert not known.has("evidence", {"action": "a", "status": "applied"})
    assert known.has("note", {"text": "x"})


def test_a_claim_that_is_no_name_is_not_proven_by_one_like_it():
    known = Known(record(line("result", result={"check": ["c"], "verdict": "OK"})))
    assert not known.has("result", {"check": ["c"], "verdict": "OK"})
