import json
from pathlib import Path

from opslib.guide import catalogue

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def cells(notebook):
    book = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text())
    return {cell["id"]: cell for cell in book["cells"]}


def test_the_guide_has_410_items_with_ids_of_their_own():
    assert len(catalogue.items()) == 410


def test_every_place_is_a_code_cell_that_exists_and_an_item_of_the_guide():
    wrong = [
        place
        for place in catalogue.places()
        if place.id not in catalogue.items() or cells(place.notebook).get(place.cell, {}).get("cell_type") != "code"
    ]
    assert wrong == []
    assert catalogue.places()


def test_a_notebook_that_exists_carries_out_every_item_that_is_its_own():
    existing = {p.relative_to(NOTEBOOKS).with_suffix("").as_posix() for p in NOTEBOOKS.rglob("*.ipynb")}
    carried = {place.id for place in catalogue.places()}
    open_items = [i.id for i in catalogue.items().values() if i.notebook in existing and i.id not in carried]
    assert open_items == []


def test_coverage_counts_items_once_however_many_cells_carry_them_out():
    for row in catalogue.coverage():
        assert 0 <= row["carried_out"] <= row["items"]
