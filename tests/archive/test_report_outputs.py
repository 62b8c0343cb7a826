"""What a cell put out is shown where it is harmless, and its absence is said where it is not."""

import base64
import struct
import zlib

import pytest

from opslib.archive.report_cells import code, markdown
from opslib.archive.report_outputs import MOST_IMAGE, rendered
from tests.archive.samples import output


def png(padding=0):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body = chunk(b"tEXt", b"k\0" + b"x" * padding) + chunk(b"IDAT", zlib.compress(b"\0\0"))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")).decode()


def test_an_image_stands_in_the_page_with_its_words():
    html = rendered(output({"image/png": png(), "text/plain": "a plot of load"}))
    assert html == f'<img src="data:image/png;base64,{png()}" alt="a plot of load">'


def test_an_image_that_is_too_large_or_no_image_is_withheld_with_its_reason():
    assert "is left out here; the notebook has it" in rendered(output({"image/png": png(MOST_IMAGE)}))
    for encoded in ("", "!!!", base64.b64encode(b"GIF89a").decode(), png()[:40]):
        assert "does not decode" in rendered(output({"image/png": encoded}))
    assert "does not decode" in rendered(output({"image/jpeg": png()}))


def test_a_foreign_table_keeps_its_structure_and_loses_everything_else():
    html = rendered(
        output({"text/html": '<table class="x" onclick="1"><tr><th scope="col">a</th></tr></table><style>*{}</style>'})
    )
    assert '<th scope="col">a</th>' in html
    assert 'class="x"' not in html
    assert "onclick" not in html
    assert "*{}" not in html


def test_a_drawing_of_another_library_passes_only_through_the_gate():
    good = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>'
    assert "<circle" in rendered(output({"image/svg+xml": good}))
    assert "withheld" in rendered(output({"image/svg+xml": good.replace("<circle", '<circle onload="1"')}))


def test_a_stream_is_shown_as_a_terminal_would_leave_it():
    said = rendered({"output_type": "stream", "name": "stderr", "text": ["\x1b[1mloa", "ding\x1b[0m 10%\rdone\n"]})
    assert "standard error" in said
    assert ">done</pre>" in said


def test_a_long_stream_keeps_its_end():
    said = rendered({"output_type": "stream", "name": "stdout", "text": "a" * 50_000 + "the end"})
    assert "the end</pre>" in said
    assert "38007 characters before this are in the notebook" in said


def test_an_error_shows_its_sentence_and_folds_its_traceback_away():
    error = {"output_type": "error", "ename": "Unreachable", "evalue": "Redis refuses.", "traceback": ["\x1b[31mx"] * 9}
    said = rendered(error)
    assert "<strong>Unreachable: </strong>Redis refuses." in said
    assert "<details><summary>Traceback</summary>" in said


def test_markdown_becomes_structure():
    html = markdown(
        "# Title\n\nSome *words*, `code` and [a page](https://example.org/a?b=1&c=2).\n\n- one\n- two\n\n> quoted"
    )
    for piece in ("<h3>Title</h3>", "<em>words</em>", "<code>code</code>", "<li>one</li>", "<blockquote>"):
        assert piece in html
    assert "<span>a page (<code>https://example.org/a?b=1&amp;c=2</code>)</span>" in html


@pytest.mark.parametrize(
    "source",
    [
        "[x](javascript:alert(1))",
        "[x](../runbooks/restore-database.ipynb)",
        "[x](data:text/html,1)",
        "[x](//evil.example)",
    ],
)
def test_a_link_to_anything_but_the_web_or_this_page_is_text(source):
    assert "<a " not in markdown(source)
    assert "x" in markdown(source)


def test_code_is_marked_by_short_classes_and_escaped():
    html = code('environment = "<b>"  # target')
    assert '<span class="s">' in html
    assert '<span class="c"># target</span>' in html
    assert "<b>" not in html
