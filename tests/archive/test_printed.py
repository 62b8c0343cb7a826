"""Pages as they come out of a printer: a real browser prints each kind to PDF, and the PDF itself is read.

Nothing may lie beyond the right edge, no row, card's head or figure may be torn where a page ends.
"""

import re
from dataclasses import replace

import pypdfium2
import pytest

from opslib.archive import report
from opslib.archive.store import Archive
from opslib.model import Verdict
from tests.archive import build, samples
from tests.scale import first

A4, LETTER = ("A4", 595.3), ("Letter", 612.0)
EDGE = 14 * 72 / 25.4
"""The margin of the pages' style, in points."""
ARN = "arn:aws:iam::123456789012:policy/" + "valuecanvas-operators-read-everything-" * 3
SQL = "SELECT(count(*))FROM(public.case_documents)WHERE(tenant_id)IN('" + "0123abcd-" * 14 + "')"
CUT = """() => [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  return box.width && !e.closest('.hidden, thead, svg') && style.display !== 'none' && box.right > innerWidth + 1
}).map(e => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 60)}`)"""


def wide():
    """A reading with more and longer columns than a page has room for; each row says its number first and last."""

    def row(number):
        sums = {"digest": f"{number:02x}" * 32, "arn": f"{ARN}{number}", "statement": f"{SQL}{number}"}
        figures = {"calls": 123_456_789 * number, "total": 734_003_200 * number, "seen_at": samples.TAKEN}
        return {"first": f"row{number:02}a", **sums, "host": f"db-{number}.eu-central-1.internal", **figures}

    rows = tuple({**row(number), "last": f"row{number:02}z"} for number in range(1, 19))
    return replace(samples.reading("Statements"), rows=rows, units={"total": "bytes"})


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of each kind: reports of checks, of a plan, of a step that failed, of what is too wide; an index."""
    root = tmp_path_factory.mktemp("printed")
    story = samples.Story(root / "wide", "diagnostics/database")
    story.text("about", "## Statements\n\n| a | b |\n|---|---|\n| " + "x" * 150 + " | " + "y" * 150 + " |")
    story.code("statements", "run.read(probes.database.statements)", wide())
    story.code("verdict", "run.check(x)", samples.result(Verdict.CRITICAL, reading=wide(), rows=wide().rows[:12]))
    story.close()
    archive = Archive(root / "archive")
    for number in range(12):
        long = "diagnostics/" + "a-very-long-name-of-a-notebook-" * 3 if number % 5 == 4 else "diagnostics/database"
        build.sealed(archive, number, ("OK", "WARNING")[number % 2], notebook=long.rstrip("-"), requested_by="m" * 60)
    return {
        "real": report.write(samples.diagnostics(root / "real")),
        "plan": report.write(samples.planned(root / "plan")),
        "failed": report.write(samples.failed(root / "step")),
        "wide": report.write(root / "wide"),
        "index": archive.index(),
    }


def printed(browser, path, size):
    """Return the PDF of a page, and what lay beyond the printable width when it was laid out."""
    page = browser.new_page(viewport={"width": round((size[1] - 2 * EDGE) * 96 / 72), "height": 900})
    page.goto(path.as_uri())
    page.emulate_media(media="print")
    beyond = page.evaluate(CUT)
    data = page.pdf(format=size[0], prefer_css_page_size=False)
    page.close()
    return pypdfium2.PdfDocument(data), beyond


def texts(document):
    """Yield each page's text and the right edge of its rightmost character, in points."""
    for page in document:
        text = page.get_textpage()
        boxes = [text.get_charbox(number) for number in range(text.count_chars())]
        yield text.get_text_range(), max((right for left, _, right, _ in boxes if right > left), default=0.0)


@pytest.mark.parametrize("size", first(1, A4, LETTER), ids=lambda size: size[0])
@pytest.mark.parametrize("name", ["real", "plan", "failed", "wide", "index"])
def test_nothing_is_cut_at_the_right_edge(browser, pages, name, size):
    document, beyond = printed(browser, pages[name], size)
    assert beyond == []
    assert max(edge for _, edge in texts(document)) <= size[1] - EDGE + 2


@pytest.mark.parametrize("size", first(1, LETTER, A4), ids=lambda size: size[0])
def test_no_row_is_torn_and_every_row_is_there(browser, pages, size):
    document, _ = printed(browser, pages["wide"], size)
    found = [(set(re.findall(r"row\d\da", text)), set(re.findall(r"row\d\dz", text))) for text, _ in texts(document)]
    torn = [first ^ {f"{word[:-1]}a" for word in last} for first, last in found]
    assert not any(torn), torn
    assert len(set().union(*(first for first, _ in found))) == 18
