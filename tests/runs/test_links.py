"""Where names in tables lead: to notebooks in JupyterLab, to reports in the archive, and nowhere else."""

import pytest

from opslib.model import Reading, now
from opslib.runs import links
from opslib.runs.display import bundle, lies
from opslib.runs.tables import cell, table, text_table

RUN = "20261129T191018Z-runbooks-back-up-database-21b512"
PLACE = {"notebook": "runbooks/back-up-database", "run": RUN}
HOSTILE = (
    "javascript:alert(1)",
    "//evil.example/x",
    "../../../etc/passwd",
    "a/b/c",
    "diagnostics/cache.ipynb?x=",
    "diagnostics/ca\u202eche",
    'x" onclick="alert(1)',
    "diagnostics/" + "a" * 300,
    "",
    "Diagnostics/Cache",
    7,
    None,
)


def test_in_jupyterlab_a_place_leads_to_the_notebook_and_in_a_report_to_its_newest_run():
    with links.leading(notebooks="../"):
        assert 'href="../runbooks/back-up-database.ipynb"' in cell(PLACE, column="notebook")
        assert "href" not in cell(RUN, column="run")
    with links.leading(runs="../"):
        assert f'href="../{RUN}/report.html"' in cell(PLACE, column="notebook")
        assert f'href="../{RUN}/report.html"' in cell(RUN, column="run")
        assert "href" not in cell({**PLACE, "run": None}, column="notebook")


def test_where_nothing_is_known_of_the_page_nothing_leads_anywhere():
    assert "href" not in cell(PLACE, column="notebook") + cell(RUN, column="run")
    assert "runbooks/back-up-database" in cell(PLACE, column="notebook")


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_but_of_our_own_form_becomes_a_link(name):
    with links.leading(notebooks="../", runs="../"):
        assert "href" not in cell({"notebook": name, "run": RUN}, column="notebook")
    with links.leading(runs="../"):
        assert "href" not in cell({"notebook": "start-here", "run": name}, column="notebook")
        assert "href" not in cell(name, column="run")


def test_several_places_stand_in_one_cell_and_as_their_names_in_plain_text():
    rows = [{"section": "Runbooks", "notebooks": [PLACE, {"notebook": "start-here", "run": None}]}]
    with links.leading(runs="../"):
        assert str(table(rows)).count("href") == 1
    assert "runbooks/back-up-database, start-here" in text_table(rows)


def test_a_notebook_below_a_folder_leads_to_others_from_there():
    reading = Reading("map", "Map", "lab", now(), 0.0, rows=({"notebook": PLACE},))
    try:
        for depth, way in ((0, ""), (1, "../")):
            lies(depth)
            assert f'href="{way}runbooks/back-up-database.ipynb"' in bundle(reading)["text/html"]
    finally:
        lies(1)
