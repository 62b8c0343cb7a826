"""Code in a report is marked as pygments would, by fewer classes; whatever it is, all of it is there."""

import ast
import html
import json
import re
from pathlib import Path

import pytest
from pygments.lexers import PythonLexer
from pygments.token import STANDARD_TYPES

from opslib.archive import report_code
from opslib.archive.record import Record
from opslib.archive.report_known import Known
from opslib.runs.markup import visible
from tests.scale import count

ROOT = Path(__file__).resolve().parents[2]
CLASSES = {"k": "k", "kn": "k", "kc": "k", "ow": "k", "c1": "c", "nf": "f", "nc": "f", "fm": "f"}
ODD = [
    "", "\n", "\n\n a", "'''a\n\n b'''\n", "f'{x!r:>{w}}'\n\n", "@a.b\nclass X: pass\n#c\r\n", "x = <&>\"'",
    "\t1\n\x00\u202e", "def f(:\n 'unfinished\n", '"""\n"""\n' * 3, "# one\n# two\n\n\n# three",
    "r'\\d' b'x' 0x1f 1e3j", "%time x = 1\n!ls\n?x\nx = 2", "if x:\n    a\n  b", "ü = 'ß' # ß\nif ü: pass",
    "(" * 300, "f'{", "x" * 30_000,
]  # fmt: skip


def marked(source):
    """Return the text of what a page shows of a source, and the class of each of its characters."""
    shown, classes = "", []
    for name, inside, outside in re.findall(
        r'<span class="([kscmf])">([^<]+)</span>|([^<]+)', report_code.code(source)
    ):
        text = html.unescape(inside or outside)
        shown += text
        classes += [name] * len(text)
    return shown, classes


def by_pygments(source):
    """Return the same class for each character, of what pygments takes it for."""
    found = []
    for kind, value in PythonLexer(stripnl=False, ensurenl=False).get_tokens(source):
        name = STANDARD_TYPES.get(kind, "")
        found += [CLASSES.get(name, name[:1] if name[:1] in ("s", "m") else "")] * len(value)
    return found


def formatted(source):
    """Return where a source has strings with values in them: we show them as one, pygments shows the values."""
    lines = source.encode().splitlines(keepends=True)

    def at(row, column):
        return len((b"".join(lines[: row - 1]) + lines[row - 1][:column]).decode())

    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.JoinedStr)]
    spans = [(at(one.lineno, one.col_offset), at(one.end_lineno, one.end_col_offset)) for one in found]
    return {place for first, last in spans for place in range(first, last)}


@pytest.mark.parametrize("source", ODD)
def test_of_odd_code_every_character_is_shown_once(source):
    shown, _ = marked(source)
    assert shown == visible(source)[:20_000].rstrip("\n")


def test_each_part_has_its_class():
    source = "async def f(x: int = 0x1f) -> None:  # why\n    return x is not f'{f\"a{1}\"} b'\nclass g: def_ = True\n"
    shown, classes = marked(source)
    assert shown == source.rstrip("\n")
    found = "".join(name or " " for name in classes)
    assert found == (
        "kkkkk kkk f          mmmm     kkkk   ccccc     kkkkkk   kk kkk ssssssssssssss kkkkk f         kkkk"
    )


def test_what_comes_before_the_first_fault_is_marked():
    assert marked("import x\ny = ('a', \n'''b")[1][:6] == ["k"] * 6
    assert set(marked("import x\n'''b")[1][9:]) == {""}


def test_the_notebooks_and_this_packages_code_is_marked_as_pygments_would():
    modules = sorted((ROOT / "opslib" / "archive").glob("*.py"))[:: count(8, 1)]
    sources = [path.read_text(encoding="utf-8")[:20_000] for path in modules]
    for path in sorted((ROOT / "notebooks" / "diagnostics").glob("*.ipynb")):
        cells = json.loads(path.read_bytes())["cells"]
        sources += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(sources) > 200
    different = set()
    for source in sources:
        (shown, ours), theirs, as_one = marked(source), by_pygments(source), formatted(source)
        assert shown == source.rstrip("\n")
        for word in re.finditer(r"\w+|[^\w\s]", shown):
            at = word.start()
            if at in as_one:
                assert ours[at] == "s", source[at:]
            elif ours[at] != theirs[at]:
                different.add(word[0])
    # Names that Python calls by itself are coloured by pygments wherever they stand, and words that are none elsewhere.
    assert {one for one in different if not re.fullmatch("__[a-z]+__|match|case|_", one)} == set()


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
