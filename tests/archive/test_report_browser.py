"""A real browser opens a hostile report: nothing runs, nothing is asked for, nothing sticks out."""

import re
import shutil

import pytest

from opslib.archive import report
from tests.archive import hostile, samples
from tests.archive.payloads import PAYLOADS

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FORBIDDEN = (
    "script, iframe, object, embed, link, base, form, input, button, foreignObject, animate, use, video, template"
)
HANDLERS = "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on'))"

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on PATH")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER)
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Two pages: every payload at once (the plain ones first, so that none hides the next), and a real run."""
    root = tmp_path_factory.mktemp("runs")
    words = "\n\n".join(text for name, text in PAYLOADS.items() if name not in ("long", "surrogate"))
    return {
        "hostile": report.write(hostile.everywhere(root / "hostile", words)),
        "real": report.write(samples.diagnostics(root / "real")),
    }


@pytest.mark.parametrize("bypass", [False, True], ids=["with-its-policy", "with-its-policy-switched-off"])
def test_a_hostile_report_asks_for_nothing_and_runs_nothing(browser, pages, bypass):
    context = browser.new_context(bypass_csp=bypass)
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(pages["hostile"].as_uri(), wait_until="load")
    for details in page.locator("details > summary").all()[:3]:
        details.click()
    page.keyboard.press("Tab")
    assert [url for url in asked if not re.match(r"data:image/", url)] == [pages["hostile"].as_uri()]
    assert said == []
    assert page.evaluate("window.__ran") is None
    assert page.locator(FORBIDDEN).count() == 0
    assert page.evaluate(HANDLERS) == []
    context.close()


@pytest.mark.parametrize("width", [360, 1200])
def test_a_report_is_never_wider_than_the_window(browser, pages, width):
    for path in pages.values():
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()


def test_a_link_in_the_results_leads_to_its_cell(browser, pages):
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.goto(pages["real"].as_uri())
    page.get_by_role("link", name="check-vacuum").first.click()
    assert page.url.endswith("#cell-id=check-vacuum")
    assert page.locator(":target").get_attribute("id") == "cell-id=check-vacuum"
    page.close()


def test_the_first_stop_of_the_keyboard_skips_to_the_result(browser, pages):
    page = browser.new_page()
    page.goto(pages["real"].as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the result"
    page.close()


CONTRAST = """() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = v => v / 255 <= .03928 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  const over = (top, alpha, under) => under.map((u, i) => top[i] * alpha + u * (1 - alpha));
  const worst = [];
  for (const node of document.querySelectorAll('body *')) {
    if (![...node.childNodes].some(c => c.nodeType === 3 && c.textContent.trim()) || node.closest('svg')) continue;
    if (!node.getClientRects().length || node.closest('.hidden, .skip')) continue;
    let back = null, alpha = 1;
    for (let e = node; e; e = e.parentElement) {
      const style = getComputedStyle(e), colour = rgb(style.backgroundColor);
      if (!back && colour.length && (colour.length < 4 || colour[3] > .99)) back = colour.slice(0, 3);
      if (!back) alpha *= +style.opacity;
    }
    const front = over(rgb(getComputedStyle(node).color).slice(0, 3), alpha, back);
    const [a, b] = [light(front), light(back)];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) worst.push(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(worst)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_at_least_the_contrast_of_level_aa(browser, pages, scheme):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(pages["real"].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate(CONTRAST) == []
    context.close()
