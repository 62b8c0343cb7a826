"""A picture's legend stands whole in it: what is too long for a line would be cut."""

import importlib
import pkgutil

import opslib.pictures
from opslib.pictures import svg


def test_no_legend_is_cut():
    modules = [
        importlib.import_module(f"opslib.pictures.{one.name}") for one in pkgutil.iter_modules(opslib.pictures.__path__)
    ]
    legends = {one.__name__: one.LEGEND for one in modules if hasattr(one, "LEGEND")}
    assert len(legends) >= 5
    lines = {name: [text] if isinstance(text, str) else text for name, text in legends.items()}
    drawn = {
        name: [svg.drawing("x", "x", 60, *svg.sentence(one).nodes) for one in told] for name, told in lines.items()
    }
    assert [name for name, told in drawn.items() if any("…" in one for one in told)] == []
    assert max(len(svg.sentence(one).nodes) for told in lines.values() for one in told) == 2
