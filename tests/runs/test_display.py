"""Our values in a notebook: one bundle, the same HTML that the report draws from its JSON."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from opslib.canonical import digest, to_json
from opslib.model import StepStatus, Verdict
from opslib.runs import display
from opslib.runs.display import MIME, Note, Summary, bundle, html_of
from opslib.runs.tables import MOST_ROWS
from tests.archive import samples
from tests.archive.harmless import Page
from tests.scale import count

SUMMARY = Summary(
    run="r-1", notebook="diagnostics/database", environment="lab", verdict="OK", counts={"OK": 3}, steps=0
)
VALUES = {
    "reading": samples.reading(),
    "result": samples.result(Verdict.WARNING),
    "evidence": samples.evidence(),
    "plan": samples.plan(),
    "picture": samples.drawing(),
    "summary": SUMMARY,
    "note": Note("Pool restarted."),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({name for value in VALUES.values() for name in to_json(value)})


def said(value):
    return bundle(value)[MIME]["value"]


@pytest.mark.parametrize("kind", VALUES)
def test_each_of_our_values_has_text_html_and_json(kind):
    made = bundle(VALUES[kind])
    assert set(made) == {"text/plain", "text/html", MIME}
    assert made[MIME]["kind"] == kind
    assert made["text/html"].endswith(html_of(kind, json.loads(json.dumps(made[MIME]["value"]))))
    assert made["text/plain"].strip()


@pytest.mark.parametrize("kind", VALUES)
def test_a_cells_last_expression_shows_its_card(kind):
    shell = InteractiveShell()
    display.register(shell)
    data, _ = shell.display_formatter.format(VALUES[kind])
    assert data[MIME]["kind"] == kind
    assert data["text/plain"] == bundle(VALUES[kind])["text/plain"]


def test_a_plain_mapping_in_a_notebook_stays_what_it_is():
    shell = InteractiveShell()
    display.register(shell)
    assert MIME not in shell.display_formatter.format({"a": 1})[0]


def test_what_is_none_of_our_values_has_no_card():
    with pytest.raises(TypeError, match="none of our values"):
        bundle("text")


def test_a_table_shows_20_rows_and_says_how_many_are_left():
    made = bundle(samples.reading(count=33))
    assert len(made[MIME]["value"]["rows"]) == MOST_ROWS
    for text in (made["text/html"], made["text/plain"]):
        assert "… 13 more rows, kept in the journal" in text
    page = Page(made["text/html"])
    assert sum(tag == "tr" for tag, _ in page.elements) == MOST_ROWS + 1


def test_figures_are_humanised_and_exact_in_their_title():
    html = html_of("reading", said(samples.reading(count=2)))
    assert '<td class="n" title="734003200 bytes">700.0 MiB</td>' in html
    assert '<th scope="col" class="n">total</th>' in html  # the unit stands at the figure, once
    assert '<td class="n" title="1250000">1\u202f250\u202f000</td>' in html


def test_a_wide_table_says_once_what_is_the_same_in_all_rows():
    rows = [
        {"pid": n, "state": f"s{n}", "a": n, "b": n, "seconds": n, "user_name": "api", "held_by": []} for n in (1, 2)
    ]
    html = html_of("reading", {"title": "t", "rows": rows, "units": {"seconds": "s"}})
    assert "In each of these rows: user name: api, held by: –." in html
    assert html.count("api") == 1


def test_two_columns_that_differ_by_their_units_alone_are_told_apart():
    units = {"loses_seconds": "s", "loses_bytes": "bytes"}
    rows = [{"way": f"w{n}", "loses_seconds": n, "a": n, "b": n, "c": n, "d": n, "loses_bytes": None} for n in (1, 2)]
    assert "In each of these rows: loses bytes: –." in html_of("reading", {"title": "t", "rows": rows, "units": units})
    row = {"lost": 3, "lost_seconds": 1.0, "a": 1, "b": 2}
    html = html_of("reading", {"title": "t", "rows": [row], "units": {"lost_seconds": "s"}})
    assert '<th scope="row">lost <span class="ops-unit">(s)</span></th>' in html


def test_columns_that_differ_by_their_unit_alone_stay_apart():
    rows = [{"victims": 2, "victims_seconds": 65.0}, {"victims": 0, "victims_seconds": 0.0}]
    html = html_of("reading", {"title": "t", "rows": rows, "units": {"victims_seconds": "seconds"}})
    assert ">victims</th>" in html
    assert '>victims <span class="ops-unit">(seconds)</span></th>' in html


def test_sizes_in_a_plan_are_humanised_beside_their_figure_and_what_stays_is_said():
    html = html_of(
        "plan", said(samples.plan(before={"bytes": 0, "live": "db"}, after={"bytes": 32030951, "live": "db"}))
    )
    assert "30.5 MiB (32\u202f030\u202f951 bytes)" in html
    assert "<td>unchanged</td>" in html


def test_numbers_that_name_something_are_left_alone():
    html = html_of("reading", {"title": "t", "rows": [{"pid": 123456, "n": 1}, {"pid": 7, "n": 2}]})
    assert ">123456<" in html


def test_a_long_text_is_shortened_with_the_whole_in_its_title():
    html = html_of("reading", {"title": "t", "rows": [{"query": "select " * 60}, {"query": "b"}]})
    assert "…</td>" in html
    assert f'title="{"select " * 60}"' in html


def test_no_rows_are_said_and_are_not_an_empty_table():
    html = html_of("reading", said(samples.reading("Locks", 0)))
    assert "Locks: No rows." in html
    assert "<table" not in html


def test_a_reading_that_could_not_be_taken_is_unknown_with_its_reason():
    made = bundle(samples.reading("Locks", 0, unknown="PostgreSQL refuses connections."))
    assert "UNKNOWN" in made["text/html"]
    assert "PostgreSQL refuses connections." in made["text/html"]
    assert "UNKNOWN: PostgreSQL refuses connections." in made["text/plain"]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_result_says_its_verdict_in_word_and_shape(verdict):
    html = html_of("result", said(samples.result(verdict)))
    shape = {"OK": "✓", "WARNING": "▲", "UNKNOWN": "?", "CRITICAL": "✕"}[verdict]
    assert f'<span aria-hidden="true">{shape}</span> {verdict}</span>' in html


def test_a_result_shows_figure_threshold_and_guide_items_and_a_remedy_only_when_not_ok():
    bad, good = (html_of("result", said(samples.result(verdict))) for verdict in (Verdict.CRITICAL, Verdict.OK))
    for html in (bad, good):
        assert "84 %" in html
        assert "critical\u00a0&gt;\u00a090\u00a0%" in html
        assert "<code>MON-DB-02T</code>" in html
    assert "Look for the pool" in bad
    assert "Look for the pool" not in good


def test_a_step_shows_the_guide_beside_what_runs_and_the_digest_that_was_approved():
    html = html_of("evidence", said(samples.evidence()))
    for words in (
        "pg_dump $DATABASE_URL",
        "A dump that nobody restored",
        "1 object in valuecanvas-backups",
        "Restored;",
    ):
        assert words in html
    assert samples.plan().digest[:12] in html
    assert "APPLIED" in html


def test_a_plan_from_the_journal_has_the_same_digest_as_the_plan_itself():
    plan = samples.plan()
    assert plan.digest[:12] in html_of("plan", json.loads(json.dumps(to_json(plan))))
    assert digest(to_json(plan)) == plan.digest


def test_a_plan_that_cannot_know_its_count_says_so():
    html = html_of("plan", said(samples.plan(touches=None, touched="tables")))
    assert "unknown until an earlier step has run (tables)" in html


def test_a_planned_step_is_not_told_as_done():
    html = html_of("evidence", said(samples.evidence(StepStatus.PLANNED, verification=None, values={})))
    assert "PLANNED" in html
    assert "APPLIED" not in html


def test_a_drawing_that_was_tampered_with_is_withheld_and_its_words_stay():
    html = html_of("picture", {**said(samples.drawing()), "svg": "<svg><script>1</script></svg>"})
    assert "The drawing is withheld" in html
    assert "84 of 100 connections are in use" in html
    assert "<script" not in html


@pytest.mark.parametrize("kind", [*VALUES, "something-else"])
@settings(max_examples=count(40, 400), deadline=None)
@given(value=JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8))
def test_any_json_becomes_html_without_an_error_and_without_script(kind, value):
    page = Page(html_of(kind, value))
    assert not {"script", "style", "img", "iframe", "a"} & {tag for tag, _ in page.elements}
    assert not [name for _, attrs in page.elements for name, _ in attrs if name.startswith("on")]
