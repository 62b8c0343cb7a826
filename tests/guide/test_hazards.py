"""Each hazard of the guide has a test in which its wrong form is refused or corrected; the table says which."""

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = list(csv.DictReader((ROOT / "tests/guide/hazards.tsv").open(encoding="utf-8"), delimiter="\t"))
HAZARDS = [f"GH-{number:02}" for number in range(1, 34)]


def test_every_hazard_is_in_the_table_and_so_is_each_that_the_product_names():
    assert sorted({row["hazard"] for row in ROWS}) == HAZARDS
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "opslib").rglob("*.py")]
    assert {name for text in sources for name in re.findall(r"GH-\d\d", text)} <= set(HAZARDS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['hazard']} {row['case']}")
def test_its_test_is_there(row):
    file, name = row["test"].split("::")
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
