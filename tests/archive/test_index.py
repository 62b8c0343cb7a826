from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from opslib.archive import index, index_rows
from opslib.archive import summary as summaries
from opslib.archive.store import Archive
from opslib.archive.summary import Summary
from opslib.model import Verdict

from . import build
from .conftest import Sample

HOSTILE = "<script>alert(1)</script>\"'&<img src=http://example.org/x onerror=alert(1)>"


def summary(number: int, **said: object) -> Summary:
    fields = {
        "sealed": "sealed",
        "notebook": "diagnostics/database",
        "environment": "lab",
        "who": "ada@ops-1",
        "started_at": "2026-11-23T13:06:14Z",
        "seconds": 12.3,
        "state": "finished",
        "verdict": Verdict.OK,
    }
    return Summary(run=build.asked(number)["run"], **{**fields, **said})  # type: ignore[arg-type]


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_asks_nobody_for_anything_and_forbids_it_first() -> None:
    page = Tags(index.render([summary(1, report="runs/x/report.html")], 0, 0))
    tags = [tag for tag, _ in page.seen]
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(tags)
    head = page.seen[tags.index("head") :]
    assert head[1][1]["http-equiv"] == "Content-Security-Policy"
    assert head[2][1] == {"charset": "utf-8"}
    assert (head[1][1]["content"] or "").startswith("default-src 'none'; style-src 'sha256-")
    addresses = [value for _, attrs in page.seen for name, value in attrs.items() if name in ("href", "src")]
    assert addresses == ["runs/x/report.html"]
    assert not any("style" in attrs for _, attrs in page.seen)


@pytest.mark.parametrize(
    "field", ["notebook", "environment", "who", "started_at", "state", "reason", "report", "damage", "sealed"]
)
def test_text_from_a_run_stays_text(field: str) -> None:
    said = {"report": "r", "reason": "r", "damage": "d", "state": "failed", field: HOSTILE}
    page = Tags(index.render([summary(1, **said)], 0, 0))
    assert not {"script", "img"} & {tag for tag, _ in page.seen}
    assert not any(name.startswith("on") for _, attrs in page.seen for name in attrs)


def test_characters_that_turn_or_hide_text_are_shown() -> None:
    assert "\u202e" not in index.render([summary(1, who="ada\u202ebob")], 0, 0)


def test_a_verdict_is_told_by_word_and_shape_and_not_by_colour_alone() -> None:
    text = index.render([summary(number, verdict=verdict) for number, verdict in enumerate(Verdict)], 0, 0)
    shown = re.findall(r'<span class="ops-badge ops-\w+"><span aria-hidden="true">(.)</span> (\w+)</span>', text)
    assert {word for _, word in shown} == {"OK", "WARNING", "UNKNOWN", "CRITICAL"}
    assert len({shape for shape, _ in shown}) == 4


def test_a_run_without_a_verdict_is_never_shown_as_ok() -> None:
    text = index.render([summary(1, verdict=None, sealed="open", state="open")], 0, 0)
    assert "NO VERDICT" in text
    assert 'ops-OK"' not in text


MIXED = [
    summary(1),
    summary(2, verdict=Verdict.CRITICAL, notebook=HOSTILE),
    summary(3, environment="staging", verdict=None, sealed="open"),
    summary(4, environment="staging", notebook="runbooks/restore-database"),
]


def test_a_page_is_filtered_by_what_its_runs_have_and_by_nothing_in_which_all_are_alike() -> None:
    page = Tags(index.render(MIXED, 0, 0))
    assert [attrs["id"] for tag, attrs in page.seen if tag == "select"] == [
        *("by-notebook", "by-environment", "by-verdict", "by-seal")
    ]
    assert not {"script", "img", "form"} & {tag for tag, _ in page.seen}
    alike = Tags(index.render([summary(1), summary(2)], 0, 0))
    assert "select" not in [tag for tag, _ in alike.seen]


def test_in_a_browser_the_choices_hide_the_others_together_and_without_a_script(browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "index.html").write_text(index.render(MIXED, 0, 0))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "index.html").as_uri())

    def shown() -> list[int]:
        rows = page.locator("tbody tr")
        return [number for number in range(rows.count()) if rows.nth(number).is_visible()]

    assert shown() == [0, 1, 2, 3]
    page.get_by_label("Environment").select_option("staging")
    assert shown() == [2, 3]
    page.get_by_label("Verdict").select_option("OK")
    assert shown() == [3]
    page.get_by_label("Environment").select_option("all")
    assert shown() == [0, 3]
    page.get_by_label("Verdict").select_option("all")
    page.get_by_label("Notebook").select_option(label=HOSTILE)
    assert shown() == [1]
    context.close()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (3720, "1 h 02 min"),
    ],
)
def test_a_duration_is_said_as_a_person_says_it(seconds: float | None, said: str) -> None:
    assert index_rows.duration(seconds) == said


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 400, 401, 600, 601])
def test_every_run_stands_on_a_page_and_older_pages_are_full(count: int) -> None:
    runs = list(range(1, count + 1))
    older = index.older_pages(count)
    pages = [runs[(page - 1) * 200 : page * 200] for page in range(1, older + 1)]
    assert all(len(page) == 200 for page in pages)
    assert set(runs) == {run for page in [*pages, runs[-200:]] for run in page}


def test_pages_lead_from_the_newest_to_the_oldest_and_back() -> None:
    def links(page: int) -> dict[str, str | None]:
        text = index.render([summary(1)], page, 3)
        return dict(re.findall(r'<a href="(index[^"]*)">(\w+)</a>', text))

    assert links(0) == {"index-0003.html": "older", "index-0001.html": "oldest"}
    assert links(3) == {"index.html": "newest", "index-0002.html": "older", "index-0001.html": "oldest"}
    assert links(2) == {"index.html": "newest", "index-0003.html": "newer", "index-0001.html": "oldest"}
    assert links(1) == {"index.html": "newest", "index-0002.html": "newer"}


def folders(archive: Path, first: int, last: int) -> list[str]:
    for number in range(first, last + 1):
        run = build.asked(number)
        (archive / "runs" / run["run"]).mkdir(parents=True)
    (archive / "running").mkdir(exist_ok=True)
    return sorted(path.name for path in (archive / "runs").iterdir())


def test_older_pages_are_written_only_when_they_change(tmp_path: Path) -> None:
    ids = folders(tmp_path, 1, 450)
    index.write(tmp_path, ids, None)
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["index-0001.html", "index-0002.html", "index.html"]
    (tmp_path / "index-0001.html").touch()

    def written() -> dict[str, int]:
        return {path.name: path.stat().st_ino for path in tmp_path.glob("*.html")}

    before = written()
    ids = folders(tmp_path, 451, 451)
    index.write(tmp_path, ids, ids[-1])
    assert {name for name, inode in written().items() if before[name] != inode} == {"index.html"}
    build.fill_result(tmp_path / "runs" / ids[10], "CRITICAL")
    before = written()
    index.write(tmp_path, ids, ids[10])
    assert {name for name, inode in written().items() if before[name] != inode} == {"index-0001.html"}
    ids = folders(tmp_path, 452, 601)
    before = written()
    index.write(tmp_path, ids, ids[-1])
    assert "index-0003.html" in written()
    assert {name for name, inode in written().items() if before.get(name) == inode} == {"index-0001.html"}
    assert 'href="index-0003.html">newer' in (tmp_path / "index-0002.html").read_text()


def test_the_archive_keeps_its_index_as_runs_close(sample: Sample) -> None:
    text = Tags((sample.folder / "index.html").read_text()).text
    assert "5 newest runs: 1 CRITICAL, 1 UNKNOWN, 1 WARNING, 1 OK, 1 without verdict." in text
    assert "QUARANTINED" in text
    assert "interrupted" in text
    links = [attrs["href"] for tag, attrs in Tags((sample.folder / "index.html").read_text()).seen if tag == "a"]
    assert links == [f"runs/{run}/report.html" for run in (sample.last, sample.second, sample.first)]
    assert all((sample.folder / str(link)).is_file() for link in links)


def test_the_index_can_be_written_anew(sample: Sample) -> None:
    before = (sample.folder / "index.html").read_bytes()
    (sample.folder / "index.html").unlink()
    (sample.folder / "index-0007.html").write_text("left over")
    assert Archive(sample.folder).index().read_bytes() == before
    assert not (sample.folder / "index-0007.html").exists()


@pytest.fixture
def settled(tmp_path: Path) -> tuple[Path, list[str]]:
    """An archive of three sealed runs that nobody has touched for a moment, with its page, and their ids."""
    ids = folders(tmp_path, 1, 3)
    for number, run in enumerate(ids):
        (tmp_path / "runs" / run / "run.json").write_text(json.dumps(build.asked(number + 1)))
        build.fill_result(tmp_path / "runs" / run, ("OK", "CRITICAL", "WARNING")[number])
        (tmp_path / "runs" / run / "MANIFEST.sha256").touch()
    time.sleep(2 * index_rows.SETTLED / 1e9)
    index.write(tmp_path, ids, ids[-1])
    return tmp_path, ids


def made_from_the_runs(archive: Path, ids: list[str]) -> str:
    return index.render([summaries.read(archive, run) for run in reversed(ids)], 0, 0)


def kept(archive: Path) -> int:
    return len((archive / index_rows.KEPT).read_text().split("\n")[1:])


def test_the_page_of_kept_rows_is_the_page_of_the_runs(settled: tuple[Path, list[str]]) -> None:
    archive, ids = settled
    assert kept(archive) == 3
    ids = folders(archive, 4, 4)
    index.write(archive, ids, ids[-1])
    assert kept(archive) == 3
    assert (archive / "index.html").read_text() == made_from_the_runs(archive, ids)
    index.write(archive, ids, ids[-1])
    assert kept(archive) == 3


def test_a_row_is_made_anew_once_its_run_has_changed(settled: tuple[Path, list[str]]) -> None:
    archive, ids = settled
    build.fill_result(archive / "runs" / ids[0], "CRITICAL")
    (archive / "quarantine").mkdir()
    (archive / "runs" / ids[1]).rename(archive / "quarantine" / ids[1])
    index.write(archive, ids, ids[-1])
    page = (archive / "index.html").read_text()
    assert page == made_from_the_runs(archive, ids)
    assert "QUARANTINED" in Tags(page).text
    assert "2 CRITICAL" not in page
    assert "1 CRITICAL, 1 WARNING" in page
    (archive / "runs" / ids[0] / "MANIFEST.sha256").unlink()
    index.write(archive, ids, ids[-1])
    assert (archive / "index.html").read_text() == made_from_the_runs(archive, ids) != page


def test_rows_that_are_torn_or_of_other_code_are_not_used(settled: tuple[Path, list[str]]) -> None:
    archive, ids = settled
    path = archive / index_rows.KEPT
    whole = path.read_text()
    others = whole.replace('["', '["0').replace("<td>", "<td>forged ")
    path.write_text(whole[:-40] + others + "\n[]\n{}\nno JSON\n" + others[:50])
    index.write(archive, ids, ids[-1])
    page = (archive / "index.html").read_text()
    assert page == made_from_the_runs(archive, ids)
    index.write(archive, ids, None)
    assert (archive / "index.html").read_text() == page
