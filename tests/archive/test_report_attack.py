"""Hundreds of hostile pages in a real browser: nothing runs and nobody is asked, by either of two defences alone."""

import shutil

import pytest

from opslib.archive import report
from tests.archive import attack, samples
from tests.archive.attack import opened, sample
from tests.scale import count, first, nightly

LEAVING = {
    "base_target",
    "link_away",
    "link_blank",
    "link_download",
    "markdown_autolink_away",
    "markdown_bare",
    "markdown_file",
    "markdown_link_away",
    "markdown_relative",
    "meta_refresh",
}
"""What a policy that stands in the page cannot forbid: that the page is left, by itself or by a link that is
pressed. Only the sanitiser keeps these out."""

SURE = (
    "script",
    "image_error",
    "svg_animate",
    "svg_animate_link",
    "mutation_noscript",
    "iframe",
    "object_data",
    "form_action",
    "javascript_entity",
    "popover_ontoggle",
    "content_visibility",
    "animation",
    "details_ontoggle",
)
"""These run in every browser of today that does not defend itself, some at once, some when they are pressed."""
ASKING = ("image_beacon", "link_sheet", "style_import", "iframe_away", "base", "form", "meta_refresh", "link_ping")


@pytest.fixture(scope="module")
def chosen():
    return sample(count(40, 10_000))


def named(cases):
    return sorted(str(case) for case in cases)


def test_the_corpus_has_every_kind_of_payload_and_every_place():
    from tests.archive import payloads, places

    found = attack.cases()
    assert len(found) >= 300
    assert len(payloads.HTML) >= 66
    assert {case.place for case in found} == set(places.PLACES)
    assert {case.name for case in found} >= {*payloads.HTML, *payloads.MARKDOWN, *payloads.STREAM, *payloads.SVG}


LAYERS = {"both": attack.rendered, "the-sanitiser-alone": attack.unpoliced}


@pytest.mark.parametrize("layers", first(1, *LAYERS))
def test_no_hostile_page_runs_or_asks_anything(browser, tmp_path, chosen, layers):
    ran, asked, strange = opened(browser, tmp_path, chosen, LAYERS[layers])
    assert named(ran) == []
    assert named(asked) == []
    assert strange == []


@nightly
def test_the_policy_alone_stops_all_but_leaving_the_page(browser, tmp_path, chosen):
    ran, asked, strange = opened(browser, tmp_path, chosen, attack.unsanitised)
    assert named(ran) == []
    assert {case.name for case in asked} <= LEAVING
    # A window that is closed at once may have opened a connection and said nothing.
    brief = ("a window", "a connection without a word")
    assert [(name, what) for name, what in strange if name not in LEAVING and what not in brief] == []


def test_without_a_defence_the_same_payloads_run_and_ask(browser, tmp_path):
    found = [case for case in attack.cases() if case.place == "html" and case.name in (*SURE, *ASKING)]
    ran, asked, _ = opened(browser, tmp_path, found, attack.unprotected)
    assert {case.name for case in ran} >= set(SURE)
    assert {case.name for case in asked} >= set(ASKING)


def test_a_policy_that_does_not_come_first_is_too_late(browser, tmp_path):
    """Why it must be the head's first child: what stands before it runs."""
    (case,) = (case for case in attack.cases() if case.name == "script" and case.place == "html")

    def before(folder, case):
        return attack.rendered(folder, case).replace("<head>\n", f"<head>\n{case.text}\n", 1)

    def after(folder, case):
        return attack.rendered(folder, case).replace("\n<meta charset", f"\n{case.text}\n<meta charset", 1)

    assert opened(browser, tmp_path / "before", [case], before)[0] == [case]
    assert opened(browser, tmp_path / "after", [case], after)[0] == []


@pytest.mark.parametrize("script", [True, False], ids=["with-script", "without-script"])
def test_a_report_that_is_alone_and_offline_shows_everything(browser, tmp_path, script):
    path = report.write(samples.diagnostics(tmp_path / "run"))
    alone = shutil.copy(path, tmp_path / "alone.html")
    shutil.rmtree(tmp_path / "run")
    context = browser.new_context(offline=True, java_script_enabled=script)
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{alone}")
    page.locator("details.code > summary").first.click()
    assert asked == [f"file://{alone}"]
    assert page.locator("h1").inner_text() == "Database"
    assert page.locator("details.code pre").first.is_visible()
    assert page.locator("#results").is_visible()
    assert page.locator(".stack.results tbody th").first.is_visible()
    assert page.locator(".ops-drawing svg").first.is_visible()
    # The policy names the style by its digest: that it applies shows in the page's width.
    assert page.locator("body").evaluate("e => getComputedStyle(e).maxWidth") == "1088px"
    context.close()
