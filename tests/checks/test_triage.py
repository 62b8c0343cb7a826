"""Triage: every area has decisive checks; every symptom and code of the guide has a tree that ends in checks."""

import json
from pathlib import Path

import pytest

from opslib.areas import AREAS
from opslib.checks import triage
from opslib.errors import UsageError
from opslib.guide import catalogue
from opslib.headless.notebooks_parameters import declared
from opslib.model import Verdict

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "diagnostics" / "triage.ipynb"


def test_every_area_says_which_of_its_checks_tell_most():
    assert set(triage.ORDER) == set(AREAS) - {"triage"}
    found = triage.decisive()
    assert tuple(found) == triage.ORDER
    assert [area for area, checks in found.items() if not checks] == []
    names = [check.name for checks in found.values() for check in checks]
    assert len(names) > 80


def test_the_guides_common_issues_and_error_codes_are_trees_of_checks():
    items = catalogue.items().values()
    codes = {item.item.partition(":")[0] for item in items if item.kind == "error-code"}
    issues = {item.id for item in items if item.kind == "scenario" and item.id.startswith("TRB-")}
    trees = triage.trees()
    assert {code for tree in trees for code in tree.codes} == codes
    assert len(codes) == 8
    assert issues <= {item for tree in trees for item in tree.items}
    for tree in trees:
        assert len(tree.branches) >= 3, tree.name
        names = [branch.check.name for branch in tree.branches]
        assert len(set(names)) == len(names), tree.name
        assert {branch.after for branch in tree.branches} - {""} <= set(names), tree.name


def test_the_notebook_offers_every_symptom_and_code_and_no_other():
    book = json.loads(NOTEBOOK.read_text())
    (cell,) = [cell for cell in book["cells"] if cell["id"] == "parameters"]
    (symptom,) = [one for one in declared("".join(cell["source"])) if one.name == "symptom"]
    assert symptom.rule.choices == (triage.NONE, *triage.words())


def test_a_tree_is_found_by_its_name_and_by_its_code():
    assert triage.tree("AGENT_001") is triage.tree("agent-not-responding")
    assert triage.tree(triage.NONE).branches == ()
    assert triage.asked(triage.NONE) == {}
    assert len(triage.asked("DB_001")) == len(triage.tree("DB_001").branches)
    with pytest.raises(UsageError, match="no symptom and no error code 'E_42'") as told:
        triage.tree("E_42")
    assert "DB_002" in told.value.next_step


def test_checks_that_were_made_light_the_trees_and_what_was_not_made_is_not_seen():
    rows = triage.symptoms({"database-reachable": Verdict.CRITICAL}).read(None)
    (row,) = [row for row in rows if row["symptom"] == "no-connection-to-database"]
    assert rows[0]["explained_by"]
    assert row["explained_by"].startswith("the server refuses")
    assert (row["codes"], row["branches"], row["not_seen"]) == ("DB_001", 4, 3)
    dark = triage.symptoms({}).read(None)
    assert [row["explained_by"] for row in dark] == [""] * len(dark)
    assert all(row["not_seen"] == row["branches"] for row in dark)


def test_what_explains_a_finding_is_one_of_the_checks_and_goes_in_no_circle():
    names = {check.name for checks in triage.decisive().values() for check in checks}
    for effect, causes in triage.CAUSES.items():
        assert {effect, *causes} <= names
        assert all(causes.values())
        assert not {cause for cause in causes if effect in triage.CAUSES.get(cause, {})}
