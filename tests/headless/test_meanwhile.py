"""What a run's end needs is made ready while the notebook's process starts."""

import pytest

from opslib.archive import report_cells, report_code
from opslib.headless import meanwhile

CELLS = [
    {"cell_type": "markdown", "source": "# Nobody has seen this title before"},
    {"cell_type": "code", "source": "nobody = 'has seen this line before'"},
    {"cell_type": "raw", "source": "neither this"},
]


@pytest.fixture(params=[True, False], ids=["imported", "to be imported"])
def ready(request):
    """A process that has imported all, and one that has not."""
    before = meanwhile._READY.is_set()
    (meanwhile._READY.set if request.param else meanwhile._READY.clear)()
    yield
    (meanwhile._READY.set if before else meanwhile._READY.clear)()


def test_a_cell_is_marked_once_for_its_page(ready):
    report_code.code.cache_clear()
    report_cells.markdown.cache_clear()
    with meanwhile.preparing(CELLS):
        pass
    before = report_code.code.cache_info().misses, report_cells.markdown.cache_info().misses
    report_code.code(CELLS[1]["source"])
    report_cells.markdown(CELLS[0]["source"])
    assert (report_code.code.cache_info().misses, report_cells.markdown.cache_info().misses) == before


def test_one_that_cannot_be_marked_breaks_nothing_off(ready):
    with pytest.raises(AttributeError):
        report_code.code(None)
    with meanwhile.preparing([{"cell_type": "code", "source": None}]):
        done = True
    assert done
