"""A real browser opens a hostile report: nothing runs, nothing is asked for, nothing sticks out."""

import json

import pytest

from opslib.archive import report
from tests.archive import hostile, samples
from tests.archive.payloads import PAYLOADS

FORBIDDEN = (
    "script, iframe, object, embed, link, base, form, input, button, foreignObject, animate, use, video, template"
)
HANDLERS = "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on'))"


def with_alarm(folder):
    """Let the run's end say that the glass was broken."""
    said = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**said, "break_glass": True}))
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every payload at once (the plain ones first, so that none hides the next), a real run, and a plan."""
    root = tmp_path_factory.mktemp("runs")
    words = "\n\n".join(text for name, text in PAYLOADS.items() if name not in ("long", "surrogate", "escaped_bytes"))
    return {
        "hostile": report.write(hostile.everywhere(root / "hostile", words)),
        "real": report.write(samples.diagnostics(root / "real")),
        "plan": report.write(with_alarm(samples.planned(root / "plan"))),
    }


def test_a_report_with_every_payload_at_once_holds_nothing_that_could_run(browser, pages):
    page = browser.new_page()
    page.goto(pages["hostile"].as_uri())
    assert page.locator(FORBIDDEN).count() == 0
    assert page.evaluate(HANDLERS) == []
    page.close()


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
@pytest.mark.parametrize("name", ["real", "plan"])
def test_every_text_has_at_least_the_contrast_of_level_aa(browser, pages, scheme, name):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(pages[name].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate(CONTRAST) == []
    context.close()
