"""The same searches with the same answers, by SQLite beside the archive and by PostgreSQL for a team."""

from __future__ import annotations

import json
import random
import shutil
from contextlib import closing
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opslib.archive import holds, search_index, search_words, team_index
from opslib.archive.search_wanted import EVER, Wanted
from opslib.archive.searched import Line, Searched
from opslib.archive.store import Archive
from opslib.archive.summary import Summary
from opslib.model import Verdict
from opslib.redaction import Redactor
from opslib.systems.index_tables import DAY
from tests import scale

from . import build
from .test_search_index import DISK, judged, kept, ran

__all__ = ["kept"]


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


@pytest.fixture
def base(index_base):
    index_base.empty()
    return index_base


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request):
    """Open one of the two indexes of an archive."""
    if request.param == "sqlite":
        return lambda archive: search_index.opened(archive.folder)
    base = request.getfixturevalue("base")
    return lambda archive: team_index.opened(archive.folder, base.url)


@pytest.fixture
def find(archive, opened):
    def find(*words, **said):
        with opened(archive) as index:
            return [one.run for one in index.search(Wanted(words=words, **said))]

    return find


def test_words_are_found_newest_first_whole_in_any_case_and_by_their_beginning(find, kept):
    one, two, three = kept
    assert find("DISK") == [two, one]
    assert find("used", "wal") == [two]
    assert find("dis") == []
    assert find("dis*") == [two, one]
    assert find("broken") == [three]
    assert find("öl") == [three]
    assert find("ada") == [three, two, one]
    assert find() == [three, two, one]
    assert find("41.5") == [one]


def test_words_that_stand_together_are_found_in_their_order_alone(archive, find):
    apart = ran(archive, 1, judged(DISK, "OK", 1.0, "10.0.0 and 0.0.17"))
    whole = ran(archive, 2, judged(DISK, "OK", 1.0, "10.0.0.17"))
    assert find("10.0") == find("0.0.17") == find("0.0 17") == [whole, apart]
    assert find("10.0.0.17") == [whole]
    assert find("10.0.0.1*") == [whole]
    assert find("10.0.0 a*", "0.0.1*") == [apart]
    assert find("0.10*") == find("and 1*") == []
    assert find("17 10") == find("0.10") == find("17.0.0") == []
    assert find("10.0.0 and", "0.17") == [apart]
    assert find("10.0.0 and", verdict="CRITICAL") == []


@pytest.mark.parametrize("word", ['"', "wal OR broken", "text:wal", "NEAR(", "facts : f*", "'; DROP TABLE runs", "*"])
def test_a_word_is_never_a_query(find, kept, word):
    assert find(word) == []
    assert len(find("used")) == 2


def test_facts_are_filtered_by_whole_and_together(find, kept):
    one, two, three = kept
    assert find(notebook="diagnostics/database") == [two, one]
    assert find(notebook="diagnostics") == []
    assert find("used", verdict="CRITICAL") == [two]
    assert find(environment="staging") == [three]
    assert find(name="drop-index") == [three]
    assert find(name="drop") == []
    assert find(name=DISK, verdict="OK", environment="lab") == [one]
    # What stands in a text is no fact.
    assert find(verdict="used") == []


def test_time_is_counted_from_the_first_moment_on_and_up_to_the_last(find, kept):
    one, two, three = kept
    assert find(since="2026-11-01T00:02:00Z") == [three, two]
    assert find(until="2026-11-01T00:02:00Z") == [one]
    assert find("used", since="2026-11-01T00:02:00Z", until="2026-11-01T00:03:00Z") == [two]
    assert find(since="2026-11-02") == []
    assert find("used", until="2026-10-01") == []


def test_a_long_run_that_ended_among_later_ones_is_of_the_time_at_which_it_began(archive, find):
    long = archive.open(build.asked(1))
    build.fill(long)
    short = [ran(archive, number) for number in (5, 6)]
    archive.close(long.name, Redactor())
    assert find(since="2026-11-01T00:02:00Z") == short[::-1]
    assert find(until="2026-11-01T00:06:00Z") == [long.name, short[0]]


def test_a_hit_shows_the_lines_in_which_it_stands(archive, kept, opened):
    with opened(archive) as index:
        (found,) = index.search(Wanted(words=("wal",)))
        (named,) = index.search(Wanted(name="drop-index"))
    assert [(line.kind, line.name, line.verdict, line.value) for line in found.lines] == [
        ("check", DISK, "CRITICAL", 93.0)
    ]
    assert (found.who, found.state, found.verdict) == ("ada@ops-1", "finished", "CRITICAL")
    assert [(line.kind, line.text) for line in named.lines] == [("step", "Drop the broken index")]


def test_a_checks_history_is_its_values_oldest_first_in_one_environment(archive, kept, opened):
    ran(archive, 4, judged(DISK, "UNKNOWN", None, "Could not look."), environment="staging")
    with opened(archive) as index:
        assert [(one.run, one.verdict, one.value, one.unit) for one in index.history(DISK, "lab")] == [
            (kept[0], "OK", 41.5, "percent"),
            (kept[1], "CRITICAL", 93.0, "percent"),
        ]
        assert [one.run for one in index.history(DISK, "lab", most=1)] == [kept[1]]
        assert [one.value for one in index.history(DISK, "staging")] == [None]
        assert index.checks("lab") == [DISK]


def test_a_long_text_is_cut_and_what_is_no_number_is_none(archive, opened):
    run = ran(archive, 1, judged(DISK, "OK", None, "x" * 5000), judged("odd", "OK", True, "a truth is no number"))  # type: ignore[arg-type]
    folder = archive.folder / "runs" / run
    assert len(json.loads((folder / "journal.jsonl").read_text().splitlines()[1])["result"]["summary"]) == 5000
    with opened(archive) as index:
        lines = {line.name: line for line in index.search(Wanted(words=("disk", "truth")))[0].lines}
    assert len(lines[DISK].text) == 2000
    assert lines["odd"].value is None


def test_what_no_database_takes_is_told_as_a_sign(archive, opened):
    folder = archive.open(build.asked(1, parameters={"odd": "a\0b"}))
    build.fill(folder)
    (folder / "result.json").write_text(json.dumps(build.result(folder.name, reason="half a sign: x\ud800y")))
    archive.close(folder.name, Redactor())
    with opened(archive) as index:
        (found,) = index.search(Wanted(words=("odd", "half")))
        assert [line.text for line in found.lines] == ["a\ufffdb", "half a sign: x?y"]
        assert index.search(Wanted(words=("a\0b",))) == index.search(Wanted(words=("a-b",))) != []


PARTS = [
    "disk",
    "Disk",
    "DÏSK",
    "dis",
    "93",
    "5",
    "ab",
    "a",
    "b",
    "straße",
    "STRASSE",
    "İ",
    "ﬁ",
    "中文",
    "é",
    "e\u0301",
    "_",
]
BETWEEN = [" ", "-", ".", "/", "'", "%", "\n", "", "_", "\u0301", "\u200d", '"', "*"]
text = st.lists(st.tuples(st.sampled_from(PARTS) | st.text(max_size=3), st.sampled_from(BETWEEN)), max_size=5).map(
    lambda parts: "".join(part for pair in parts for part in pair)
)
name = st.sampled_from(["disk", "cache-memory", "database-disk"])
notebook, environment = st.sampled_from(["diagnostics/cache", "runbooks/x"]), st.sampled_from(["lab", "staging", ""])
verdict = st.sampled_from([None, *Verdict])
moment = st.sampled_from(["", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00.5Z", "2026-11-02", "x"])
line = st.builds(
    Line,
    st.sampled_from(["check", "step", "note", "parameter"]),
    name,
    text,
    st.sampled_from(["OK", "CRITICAL", ""]),
    st.none() | st.floats(-1e9, 1e9),
    st.sampled_from(["", "%"]),
    st.none() | st.just(80.0),
    st.none() | st.just(90.0),
    st.booleans(),
)
BEGUN = ["disk*", "di*", "a-b*", "a-a*", "disk-d*", "a-b-a*", "*", "diskdiskdisk*"]
asked = st.lists(text | st.sampled_from([*BEGUN, "93.5"]), max_size=2)
wanted = st.builds(
    Wanted,
    asked.map(tuple),
    st.just("") | notebook,
    environment,
    st.just("") | st.sampled_from([str(one) for one in Verdict]),
    st.just("") | name,
    moment,
    moment,
)


def plain(said):
    return "".join("?" if "\ud800" <= sign <= "\udfff" else sign for sign in said).replace("\0", "\ufffd")


@st.composite
def runs(draw):
    """Up to eight made-up runs, as the archive's reader gives them."""
    found = []
    for number in range(draw(st.integers(0, 8))):
        lines = tuple(draw(st.lists(line, max_size=4)))
        about = (draw(notebook), draw(environment), "run", plain(draw(text)), draw(moment))
        told = Summary(f"run-{number}", "sealed", *about, state="finished", verdict=draw(verdict))
        found.append(Searched(told, tuple(Line(**{**vars(one), "text": plain(one.text)}) for one in lines)))
    return found


@pytest.fixture(scope="module")
def both(index_base, tmp_path_factory):
    """Both indexes of an archive without runs; what a test puts in goes into both."""
    index_base.empty()
    archive = Archive(tmp_path_factory.mktemp("both") / "archive")
    archive.append("note", "an archive")
    # Both ways of looking for a phrase, among the few runs that a test puts in.
    here = search_index.SearchIndex(archive.folder, misses=2)
    with closing(here), team_index.opened(archive.folder, index_base.url) as team:
        yield SimpleNamespace(here=here, team=team, base=index_base)


def put(both, made, apart=DAY):
    """Let both hold exactly these runs, so far apart in time."""
    with both.here._writing():
        both.here._base.execute("DELETE FROM lines")
        both.here._base.execute("DELETE FROM runs")
        both.here._base.execute("INSERT INTO words (words) VALUES ('delete-all')")
        for number, one in enumerate(made, 1):
            both.here._add(number, one)
    store = both.team.store
    part = store.forget(store.part(both.team._identity, "here"))
    first = 20_000 * DAY + part.archive
    rows = [both.team.row(first + number * apart, one) for number, one in enumerate(made)]
    assert store.move(part, part, rows)


def by_fts5(here, word):
    """Return the runs that FTS5 finds by itself: it knows phrases, and nothing of bigrams."""
    phrase = f"text : {search_words.quoted(word.rstrip('*'))}{'*' * word.endswith('*')}"
    rows = here._base.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC", (phrase,)).fetchall()
    runs = [here._base.execute("SELECT run, started FROM runs WHERE number = ?", row).fetchone() for row in rows]
    return [run for run, started in runs if started < EVER]


@settings(max_examples=scale.count(25, 3_000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=runs(), asked=st.lists(wanted, min_size=1, max_size=6), most=st.integers(1, 9))
def test_any_question_has_the_same_answer_by_both(both, made, asked, most):
    put(both, made)
    for one in asked:
        assert both.team.search(one, most) == both.here.search(one, most)
        for word in one.words:
            found = [run.run for run in both.here.search(Wanted(words=(word,)))]
            assert found == by_fts5(both.here, word)
    for environment in ("lab", "staging"):
        assert both.team.history("disk", environment, most) == both.here.history("disk", environment, most)
        assert both.team.verdicts(environment, "2026") == both.here.verdicts(environment, "2026")
        assert both.team.checks(environment) == both.here.checks(environment)
        assert both.team.checks(environment, "runbooks/x") == both.here.checks(environment, "runbooks/x")


def test_a_phrase_is_found_behind_many_runs_that_have_its_bigrams_alone(both):
    texts = ["a b c", "a b", "x a b c", *["b c a b"] * 5, "a b c"]
    put(both, [
        Searched(Summary(f"run-{at}", "sealed", started_at="2026"), (Line("note", "n", text),))
        for at, text in enumerate(texts)
    ])  # fmt: skip
    for index in (both.here, both.team):
        assert [run.run for run in index.search(Wanted(words=("a-b-c",)))] == ["run-8", "run-2", "run-0"]
        assert [run.run for run in index.search(Wanted(words=("a-b-c", "x")))] == ["run-2"]


def test_every_sign_parts_or_makes_words_alike_by_both(both):
    """One sign of each 2,003 that follow one another, and in a nightly run all."""
    signs = [chr(code) for code in range(1, 0x30000, scale.count(2_003, 1)) if not 0xD800 <= code <= 0xDFFF]
    made = [
        Searched(Summary(f"run-{at}", "sealed", started_at="2026"), (Line("note", "n", f"q{sign}z {sign}{at}"),))
        for at, sign in enumerate(signs)
    ]
    put(both, made, DAY // 10)  # all of them a day apart would end later than any number says
    for at, sign in enumerate(signs):
        for word in (f"q{sign}z", f"{sign}{at}", f"{sign}*"):
            one = Wanted(words=(word,))
            assert both.team.search(one, 3) == both.here.search(one, 3), hex(ord(sign))


def test_after_whatever_happens_in_an_archive_both_find_the_same(archive, base):
    dice = random.Random(7)
    there: list[str] = []
    for number in range(scale.count(25, 400)):
        what = dice.choices(["run", "removed", "redacted", "beat"], [10, 2, 1, 2])[0]
        if what == "run" or not there:
            there.append(ran(archive, number, judged(DISK, "OK", float(number), f"{dice.choice(PARTS)} is used.")))
        elif what == "removed":
            run = there.pop(dice.randrange(len(there)))
            archive.log.append("redact", run, text=holds.removed(300, "diagnostics", "ada@ops-1"))
            shutil.rmtree(archive.folder / "runs" / run)
        elif what == "redacted":
            archive.log.append("redact", dice.choice(there))
        else:
            archive.append("heartbeat", "all is well")
        if dice.random() < 0.5:
            continue
        with search_index.opened(archive.folder) as here, team_index.opened(archive.folder, base.url) as team:
            assert team.added == here.added
            for wanted in (Wanted(), Wanted(words=("disk",)), Wanted(words=("used",), verdict="OK")):
                assert team.search(wanted, 100) == here.search(wanted, 100)
            assert team.history(DISK, "lab") == here.history(DISK, "lab")
            assert [one.run for one in here.search(Wanted(), 1000)] == there[::-1]
