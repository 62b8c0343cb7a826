"""How a notebook reads: ids, lengths, no helper code, no outputs, first screen, last cell."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from opslib.areas import AREAS
from opslib.guide.routines import ROUTINES
from opslib.headless.notebooks_parameters import declared
from tools import tidy

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
PATHS = sorted(p for p in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
ALLOWED = (ast.Expr, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)
VERBS = {"read", "check", "ahead", "survey", "changes", "require", "step", "note", "finish", "confirm", "watch"}


def name(path):
    return path.relative_to(FOLDER).with_suffix("").as_posix()


@pytest.fixture(params=PATHS, ids=name)
def path(request):
    return request.param


@pytest.fixture
def book(path):
    return nbformat.read(path, as_version=4)


def code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert len(PATHS) >= 4


def test_the_file_is_in_its_normal_form_without_outputs(path):
    text = path.read_text(encoding="utf-8")
    assert text == tidy.notebook(text), "run: make tidy"


def test_the_file_is_valid_notebook_format(book):
    nbformat.validate(book)


def test_cell_ids_are_words_written_by_hand_and_unique(book):
    ids = [cell["id"] for cell in book.cells]
    assert len(set(ids)) == len(ids)
    assert [i for i in ids if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", i) or re.fullmatch(r"[0-9a-f-]{8,}", i)] == []


def test_the_first_screen_says_when_what_how_long_undo_and_who(book):
    first = book.cells[0]
    assert first.cell_type == "markdown"
    assert first["id"] == "what-this-is"
    assert first.source.startswith("# ")
    said = first.source.lower()
    missing = [word for word in ("when", "changes", "takes", "undo", "approv") if word not in said]
    assert missing == []


def test_parameters_are_typed_literals_with_help(path, book):
    (cell,) = [cell for cell in code(book) if "parameters" in cell.metadata.get("tags", [])]
    assert cell["id"] == "parameters"
    # That each has a rule which its default fits is what declared() demands.
    assert [p.name for p in declared(cell.source) if not p.help] == []


def test_a_run_begins_after_the_parameters_and_finishes_in_the_last_cell(book):
    cells = code(book)
    assert [cells[0]["id"], cells[1]["id"], cells[-1]["id"]] == ["parameters", "begin", "finish"]
    assert cells[1].source.splitlines()[-1] == "run = begin(environment)"
    assert cells[-1].source == "run.finish()"
    assert book.cells[-1]["id"] == "finish"


def test_code_cells_are_one_sentence_without_helper_code(book):
    wrong = []
    for cell in code(book):
        tree = ast.parse(cell.source)
        lines = [line for line in cell.source.splitlines() if line.strip()]
        # A parameter is a line of its own, not a part of a sentence.
        if len(lines) > (12 if cell["id"] == "parameters" else 10) or not lines:
            wrong.append(f"{cell['id']}: {len(lines)} lines")
        if "parameters" in cell.metadata.get("tags", []):
            continue
        wrong += [f"{cell['id']}: {ast.unparse(node)}" for node in tree.body if not isinstance(node, ALLOWED)]
        for node in ast.walk(tree):
            if isinstance(node, (ast.Lambda, ast.comprehension, ast.IfExp)):
                wrong.append(f"{cell['id']}: {type(node).__name__}")
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "display", "open"):
                wrong.append(f"{cell['id']}: {ast.unparse(node.func)}()")
    assert wrong == []


def test_every_code_cell_but_the_first_two_follows_its_sentence(book):
    before = {cell["id"]: previous.cell_type for previous, cell in zip(book.cells, book.cells[1:], strict=False)}
    bare = [c["id"] for c in code(book) if before[c["id"]] != "markdown" and c["id"] not in ("parameters", "begin")]
    assert bare == []


def test_the_run_speaks_only_the_verbs_of_the_vocabulary(book):
    used = {
        node.func.attr
        for cell in code(book)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "run"
    }
    assert used <= VERBS


def test_names_are_nouns_of_the_closed_list_or_verbs_with_an_object(path):
    kind, _, word = name(path).rpartition("/")
    assert not re.search(r"[0-9_A-Z]", word)
    if kind == "diagnostics":
        assert word in AREAS
    elif kind == "routines":
        assert word in ROUTINES
    elif kind != "reviews":  # which are nouns as well: what one looks back on
        assert "-" in word


def test_diagnostics_take_no_step(path, book):
    if name(path).startswith("diagnostics/"):
        assert not [cell["id"] for cell in code(book) if "run.step" in cell.source]
