"""What the documents name is there: the tests of the threat model, and the files that pages link to."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_test_that_the_threat_model_names_exists():
    text = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    named = re.findall(r"(tests/[a-z_/]+\.py)(?:::(test_\w+\*?))?", text)
    assert len(named) > 50
    missing = []
    for file, name in named:
        path = ROOT / file
        wanted = f"def {name.removesuffix('*')}" if name.endswith("*") else f"def {name}("
        if not path.is_file() or (name and wanted not in path.read_text(encoding="utf-8")):
            missing.append(f"{file}::{name}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_links_to_files_that_are_there(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
