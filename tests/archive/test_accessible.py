"""Pages read by axe-core in a real browser: whoever cannot see, or cannot use a mouse, reads our pages as well."""

import json
import os
import re
from pathlib import Path

import pytest

from opslib.archive import report
from opslib.archive.store import Archive
from opslib.headless import agreement, runner, undo
from opslib.model import Reading, Result, Verdict, now
from opslib.runs.display import bundle
from tests.archive import samples
from tests.picomatch import FOLDER
from tests.scale import NIGHTLY, nightly

AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
WRONG = ("serious", "critical")
MODERATE = ("moderate",)

needed = pytest.mark.skipif(not AXE.is_file() and not os.environ.get("CI"), reason="axe is not here: make test gets it")


USED = """(() => {
  const all = [...document.querySelectorAll('a[href], summary, select, button, input, [tabindex="0"]')];
  window.used = all.filter(one => one.checkVisibility());
  return used.length;
})()"""
FOCUSED = """(() => {
  const one = document.activeElement, style = getComputedStyle(one);
  return [used.indexOf(one), style.outlineStyle === 'none' ? 'none' : style.outlineWidth];
})()"""
"""Which of them has the focus, and how wide its outline is; -1 for none of them."""


def found(browser, *paths, impacts=WRONG, scheme="light"):
    """Return what axe finds on these pages, as ``page: rule: element``."""
    # Our pages let no script run, axe is one: the policy is not looked at here.
    context = browser.new_context(bypass_csp=True, color_scheme=scheme)
    said = []
    for path in paths:
        page = context.new_page()
        page.goto(path.as_uri())
        page.evaluate(AXE.read_text(encoding="utf-8"))
        # Of what is well, axe would note every element as well.
        for one in page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]:
            if one["impact"] in impacts:
                said += [f"{path.parent.name}/{path.name}: {one['id']}: {node['html'][:120]}" for node in one["nodes"]]
        page.close()
    context.close()
    return said


def pages(archive):
    return [*sorted(archive.glob("index*.html")), *sorted(archive.glob("runs/*/report.html"))]


@needed
def test_axe_finds_what_it_is_for(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><html lang=en><title>x</title><main><img src=x><a href=y></a></main>")
    assert {line.split(": ")[1] for line in found(browser, page)} >= {"image-alt", "link-name"}


@needed
def test_an_archives_index_and_reports_of_every_kind_have_nothing_serious(browser, sample):
    Archive(sample.folder).index()
    for run in (sample.first, sample.second, sample.interrupted, sample.last):
        report.write(sample.folder / "runs" / run)  # the sample's own pages are no pages of ours
    index, *others = there = pages(sample.folder)
    assert index == sample.folder / "index.html"
    assert len(there) >= 4
    assert found(browser, index, impacts=(*WRONG, *MODERATE)) == []
    assert found(browser, *(others if NIGHTLY else others[::2])) == []


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """A report of each kind: of readings and pictures, of a plan, a failed and a broken-off step, a drill, an audit."""
    root = tmp_path_factory.mktemp("kinds")
    story = samples.Story(root / "audit", "reviews/archive-audit")
    story.text("about", "## Is the record whole?\n\n| what | says |\n|---|---|\n| a | b |")
    rows = ({"severity": "error", "run": "X", "where": "runs/X/report.html", "what": "is not what the manifest names"},)
    story.code("sound", "run.check(x)", samples.result(Verdict.CRITICAL, rows=rows), samples.drawing())
    story.close()
    samples.Story(root / "drill", "recovery-drill", mode="drill").close()
    glass = samples.planned(root / "glass")
    said = json.loads((glass / "result.json").read_text())
    (glass / "result.json").write_text(json.dumps({**said, "break_glass": True}))
    made = [samples.diagnostics(root / "real"), samples.planned(root / "plan"), samples.failed(root / "failed")]
    made += [samples.interrupted(root / "interrupted"), glass, root / "audit", root / "drill"]
    return [report.write(one) for one in made]


@needed
def test_a_report_of_every_kind_has_nothing_serious_in_light_and_dark(browser, kinds):
    assert len(kinds) == 7
    assert found(browser, *(kinds if NIGHTLY else kinds[::2])) == []
    dark = kinds if NIGHTLY else kinds[2:3]
    assert found(browser, *dark, scheme="dark") == []


def test_no_page_moves_by_itself(browser, kinds, sample):
    Archive(sample.folder).index()
    page = browser.new_page()
    for path in (*kinds, sample.folder / "index.html"):
        page.goto(path.as_uri())
        assert page.evaluate("document.getAnimations().length") == 0
        assert not re.search(r"@keyframes|transition|animation|scroll-behavior|<marquee|<blink", path.read_text())
    page.close()


def test_everything_that_can_be_used_is_reached_by_the_keyboard_and_shows_that_it_is(browser, kinds, sample):
    Archive(sample.folder).index()
    page = browser.new_page()
    for path in (kinds[2], sample.folder / "index.html"):
        page.goto(path.as_uri())
        wanted = page.evaluate(USED)
        assert wanted >= 3
        reached = set()
        for _ in range(wanted + 1):
            page.keyboard.press("Tab")
            place, outline = page.evaluate(FOCUSED)
            reached |= {place} - {-1}
            assert place == -1 or outline not in ("none", "0px"), page.evaluate("document.activeElement.outerHTML")
        assert len(reached) == wanted
    page.close()


@needed
def test_a_card_of_every_verdict_has_nothing_serious(browser, tmp_path):
    reading = Reading("map", "Map", "lab", now(), 0.1, rows=({"a": 1, "b": "x"}, {"a": 2, "b": "y"}))
    cards = [
        bundle(Result(f"check-{word}", f"Check {word}", word, "It is so.", reading))["text/html"] for word in Verdict
    ]
    page = tmp_path / "cards.html"
    shown = "".join([bundle(reading)["text/html"], *cards])
    page.write_text(f"<!doctype html><html lang=en><title>Cards</title><main><h1>Cards</h1>{shown}</main>")
    assert found(browser, page) == []


@nightly
@needed
def test_real_runs_plans_and_undos_have_nothing_serious(browser, lab, tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    archive = tmp_path / "archive"
    for name in ("start-here", "diagnostics/database", "diagnostics/triage"):
        runner.run(name, (), "lab", archive)
    taken = runner.run("runbooks/back-up-database", (), "lab", archive)
    planned = runner.run("runbooks/restore-database", (), "lab", archive, mode="plan")
    agreement.apply(planned["run"], "lab", archive)
    undo.undo(taken["run"], archive)
    states = {json.loads(path.read_text())["mode"] for path in archive.glob("runs/*/result.json")}
    assert states >= {"run", "plan"}
    assert found(browser, *pages(archive)) == []
    assert Path(archive / "index.html").is_file()
