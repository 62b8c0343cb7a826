"""The document of a review: readable on its own, made from the journal, and inert whatever stands in it."""

import re

import mistune
import pytest

from opslib.archive import review_document
from opslib.archive.store import Archive
from opslib.guide.review import FORM, NOTEBOOK
from opslib.redaction import Redactor
from opslib.runs.journal import Journal
from tests.archive import build
from tests.archive.payloads import HTML, MARKDOWN, STREAM

KNOWN = {"h1", "h2", "p", "ul", "li", "code", "table", "thead", "tbody", "tr", "th", "td"}
"""The elements that a document is made of: none that loads, leads anywhere or runs."""
TIMES = {"after_it_began": "between 0 s and 2 min", "moment": "detected", "not_after": "2026-11-29T10:04:00Z"}


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def folder(archive, *results, notebook=NOTEBOOK, **said):
    run = build.asked(1, notebook=notebook, parameters={"incident": "INC-1"}, **said)
    made = archive.open(run)
    journal = Journal(made / "journal.jsonl", Redactor())
    for check, verdict, summary, rows in results:
        result = {"check": check, "verdict": verdict, "summary": summary, "rows": rows, "remedy": ""}
        journal.append("result", result=result)
    journal.append("closed", state="finished", verdict="OK")
    journal.close()
    return made


def text(made):
    review_document.write(made)
    return (made / review_document.NAME).read_text()


def test_each_section_says_what_its_check_said_in_its_readers_order(archive):
    said = text(folder(archive, ("review-times", "OK", "To detect 2 min.", [TIMES])))
    assert said.startswith(f"# Post-incident review of INC-1\n\n{FORM}\n")
    assert "## How long it took\n\nOK: To detect 2 min.\n\n| moment | not after | after it began |" in said
    assert "| detected | 2026-11-29 10:04:00 UTC | between 0 s and 2 min |" in said


def test_what_the_review_did_not_come_to_is_unknown_there(archive):
    said = text(folder(archive))
    assert said.count("UNKNOWN: the review ended before it came to this.") == 5


def test_places_in_the_archive_are_code(archive):
    row = {"at": "2026-11-29T10:04:00Z", "what": "x", "where": "runs/a-b/report.html#cell-id=clear"}
    assert "| `runs/a-b/report.html#cell-id=clear` |" in text(folder(archive, ("review-timeline", "OK", "x", [row])))


@pytest.mark.parametrize("payloads", [HTML, MARKDOWN, STREAM], ids=["html", "markdown", "terminal"])
def test_hostile_words_are_no_markup_and_break_no_table(archive, payloads):
    render = mistune.create_markdown(plugins=["table", "strikethrough", "url"], escape=False)
    for number, payload in enumerate(payloads.values()):
        word = payload.encode("utf-8", "replace").decode()  # as the journal takes it
        row = {"action": word, "owner": f"runs/{word}", "due": f"a|b\n# {word}", "state": "open"}
        place = Archive(archive.folder.parent / f"archive-{number}")
        html = render(text(folder(place, ("review-actions", "OK", word, [row]))))
        assert (html.count("<h1>"), html.count("<h2>"), html.count("<td")) == (1, 6, 4), word
        assert not set(re.findall(r"<([a-z][a-z0-9]*)", html)) - KNOWN, word


def test_other_notebooks_leave_none_and_the_document_is_sealed_with_the_run(archive):
    other = folder(archive, notebook="diagnostics/cache")
    review_document.write(other)
    assert not (other / review_document.NAME).exists()
    archive.close(other.name, Redactor())
    made = folder(archive, ("review-times", "OK", "x", [TIMES]), started_at="2026-11-01T00:02:00Z",
                  run="20261101T000200Z-reviews-post-incident-review-00000a")  # fmt: skip
    build.fill_result(made, "OK")
    review_document.write(made)
    archive.close(made.name, Redactor())
    assert review_document.NAME in (made / "MANIFEST.sha256").read_text()
