import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import UsageError
from opslib.headless import notebooks
from opslib.headless.notebooks_parameters import declared

CELL = """environment: str = "lab"  # target: lab, staging or production
hours: float = 24.0  # oldest backup to accept [hours, 0.5 to 100]
count: int  # how many [1 to 10]
prove: bool = True  # restore it
backup: str = "latest"  # which one [kind: backup]"""


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "runbooks" / "try-things.ipynb"
    path.parent.mkdir()
    cells = [
        {"cell_type": "markdown", "id": "what-this-is", "source": ["# Try things\n", "\n", "When bored."]},
        {"cell_type": "code", "id": "parameters", "metadata": {"tags": ["parameters"]}, "source": CELL},
    ]
    path.write_text(json.dumps({"cells": cells}))
    return notebooks.find("runbooks/try-things", tmp_path)


def test_a_notebook_says_title_purpose_and_typed_parameters(notebook):
    assert (notebook.name, notebook.title, notebook.about) == ("runbooks/try-things", "Try things", "When bored.")
    assert [(p.name, p.type, p.required) for p in notebook.parameters] == [
        ("environment", str, False),
        ("hours", float, False),
        ("count", int, True),
        ("prove", bool, False),
        ("backup", str, False),
    ]
    assert notebook.parameters[1].help == "oldest backup to accept"


def test_values_are_typed_and_defaults_filled_in(notebook):
    assert notebook.values(["count=3", "prove=false", "hours=1.5"], "staging") == {
        "environment": "staging",
        "hours": 1.5,
        "count": 3,
        "prove": False,
        "backup": "latest",
    }


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (["count=three"], "count: expected a whole number"),
        (["count=1.5"], "count: expected a whole number"),
        (["count=1", "hours=soon"], "hours: expected a number of hours, 0.5 to 100"),
        (["count=1", "hours=nan"], "hours: expected a number"),
        (["count=1", "prove=yes"], "prove: expected true or false"),
        (["count=1", "dryrun=true"], "dryrun is not a parameter"),
        (["count=1", "evn=production"], "evn is not a parameter"),
        (["count=1", "environment=production"], "given with --environment"),
        (["count=1", "x=0; open('PWNED','w').write('y'); y=1"], "x is not a parameter"),
        (["count=1", "os.system('true')=1"], "not of the form name=value"),
        (["count=1", "backup=a\nb"], "backup: expected latest, a backup's name"),
        ([], "count is required"),
    ],
)
def test_a_wrong_unknown_or_missing_value_is_refused_by_name(notebook, given_, said):
    with pytest.raises(UsageError) as raised:
        notebook.values(given_, "lab")
    assert said in str(raised.value)


def test_all_faults_are_said_at_once(notebook):
    with pytest.raises(UsageError) as raised:
        notebook.values(["hours=x", "nope=1"], "lab")
    assert all(word in str(raised.value) for word in ("hours:", "nope is not", "count is required"))


@given(st.text())
def test_no_text_given_as_a_parameter_is_anything_but_a_value_or_a_refusal(text):
    parameters = declared(CELL)
    book = notebooks.Notebook("x", None, "", "", parameters, "")
    try:
        values = book.values([text, "count=1"], "lab")
    except UsageError:
        return
    assert {name: type(value) for name, value in values.items()} == {p.name: p.type for p in parameters}


@pytest.mark.parametrize(
    "cell",
    [
        "environment: str = 'lab'\nimport os",
        "environment: str = 'lab'\nx: list = []",
        "environment: str = 'lab'\nx: int = 1.5",
        "environment: str = 'lab'\nx: int = 1 + 1",
        "environment: str = 'lab'\nX: int = 1",
        "hours: float = 1.0",
        "environment: str = 'moon'",
        "environment: str = 'production'",
        "",
    ],
)
def test_a_parameters_cell_holds_typed_literals_only(cell):
    with pytest.raises((ValueError, SyntaxError)):
        declared(cell)


@pytest.mark.parametrize(
    "data",
    [b"[1]", b"null", b"NaN", b'{"cells": ["a", "b"]}', b'{"cells": 1}', b'\xff\xfe{"cells": []}', b"{}"],
)
def test_a_file_that_is_no_notebook_is_wrong_usage_and_no_crash(tmp_path, data):
    (tmp_path / "x.ipynb").write_bytes(data)
    with pytest.raises(UsageError, match="not a notebook of ours"):
        notebooks.find("x", tmp_path)


def test_a_parameters_cell_that_is_not_python_is_wrong_usage(tmp_path):
    cells = [{"source": "# T"}, {"source": "environment: =", "metadata": {"tags": ["parameters"]}}]
    (tmp_path / "x.ipynb").write_text(json.dumps({"cells": cells}))
    with pytest.raises(UsageError, match="not a notebook of ours"):
        notebooks.find("x", tmp_path)


def test_two_cells_of_one_id_are_refused(notebook, tmp_path):
    book = json.loads(notebook.path.read_text())
    book["cells"] += [
        {"cell_type": "code", "id": "act", "source": "1"},
        {"cell_type": "code", "id": "act", "source": "2"},
    ]
    notebook.path.write_text(json.dumps(book))
    with pytest.raises(UsageError, match="two cells have the same id"):
        notebooks.find("runbooks/try-things", tmp_path)


def test_an_unknown_notebook_is_answered_with_near_names(notebook, tmp_path):
    with pytest.raises(UsageError, match="Did you mean runbooks/try-things"):
        notebooks.find("runbook/try-thing", tmp_path)


def test_of_near_names_three_are_told_and_where_none_is_the_way_to_all(notebook, tmp_path):
    for number in range(4):
        notebook.path.with_name(f"try-thing{number}.ipynb").write_bytes(notebook.path.read_bytes())
    with pytest.raises(UsageError) as refused:
        notebooks.find("runbooks/try-thing", tmp_path)
    assert refused.value.next_step.startswith("Did you mean runbooks/try-thing")
    assert refused.value.next_step.count(" or ") == 2
    with pytest.raises(UsageError) as refused:
        notebooks.find("0", tmp_path)
    assert refused.value.next_step == "See all with: ops list"


def test_a_notebook_is_found_by_its_path_too(notebook, tmp_path):
    assert notebooks.find(str(notebook.path), tmp_path) == notebook
    assert notebooks.find("notebooks/runbooks/try-things.ipynb", tmp_path) == notebook


def book(*cells, **metadata):
    tagged = [{"metadata": {"tags": ["parameters"]}, "source": cell} for cell in cells]
    return {"metadata": metadata, "cells": [{"source": "# Try things", "metadata": {}}, {"source": ""}, *tagged]}


def papermill(**values):
    return {"papermill": {"parameters": values}}


def test_what_papermill_puts_in_must_be_parameters_of_their_type_and_rule():
    notebooks.injected(book(CELL, **papermill(count=3, hours=2, environment="staging")))
    notebooks.injected(book(CELL.replace("count: int ", "count: int = 1 ")))
    notebooks.injected(book(CELL.replace("count: int ", "count: int = 1 "), papermill={"parameters": None}))


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({}, "count is required: a whole number, 1 to 10"),
        ({"count": "3"}, "count: expected a whole number, 1 to 10"),
        ({"count": 11}, "count: expected a whole number, 1 to 10"),
        ({"count": 3, "hours": float("nan")}, "hours: expected a number of hours"),
        ({"count": 3, "cuont": 3}, "'cuont' is not a parameter (did you mean count?)"),
        ({"count": 3, "environment": "prod"}, "environment: expected one of: lab, staging, production"),
    ],
)
def test_what_papermill_puts_in_wrongly_is_refused_before_a_cell_runs(given_, said):
    with pytest.raises(UsageError) as refused:
        notebooks.injected(book(CELL, **papermill(**given_)))
    assert said in refused.value.message
    assert refused.value.message.startswith("The notebook cannot be run: ")
    assert refused.value.next_step == "Its parameters are: hours, count, prove, backup."


@pytest.mark.parametrize("cells", [[], [CELL, CELL], ["x = 1"], ["x ="]])
def test_papermill_runs_nothing_without_one_cell_of_parameters(cells):
    with pytest.raises(UsageError, match="This is not a notebook of ours") as refused:
        notebooks.injected(book(*cells))
    assert refused.value.next_step == "It needs a parameters cell."


def test_a_row_of_the_list_says_name_title_and_purpose(notebook):
    assert notebooks.summary(notebook) == {
        "notebook": "runbooks/try-things",
        "title": "Try things",
        "about": "When bored.",
    }


def test_what_an_editor_keeps_beside_the_notebooks_is_none_of_them(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_NOTEBOOKS", str(tmp_path))
    kept = tmp_path / "runbooks" / ".ipynb_checkpoints" / "try-things-checkpoint.ipynb"
    kept.parent.mkdir()
    kept.write_bytes(notebook.path.read_bytes())
    assert [one.name for one in notebooks.everything()] == ["runbooks/try-things"]


def test_a_notebook_without_parameters_of_its_own_says_so():
    with pytest.raises(UsageError) as refused:
        notebooks.injected(book(CELL.splitlines()[0], **papermill(count=3)))
    assert refused.value.next_step == "Its parameters are: none."
