"""Traffic of our own through a failure: each try is written down, the count is the truth, and nothing stays behind."""

import json
import os
import threading
from contextlib import ExitStack, contextmanager

import pytest
import redis

from opslib.errors import Unreachable
from opslib.lab import traffic
from opslib.lab.traffic_kinds import PREFIX, Answers, Keys, Pages, Rows
from tests.waiting import until


@contextmanager
def going(kind, path):
    """Let a kind's traffic go on until the block ends; yields a function that returns the lines so far."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as leash:
        thread = threading.Thread(target=traffic.into, args=(path, kind, leash))
        thread.start()
        try:
            until(path.is_file)
            yield lambda: lines(path)
        finally:
            os.close(writer)
            thread.join(60)
            assert not thread.is_alive()


def lines(path):
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def good(said):
    return [line["n"] for line in said() if not line.get("why", "x")]


def count(path):
    (last,) = [line for line in lines(path) if "there" in line]
    return last


def test_rows_that_are_taken_away_are_counted_as_lost_and_the_table_goes_at_the_end(lab, tmp_path):
    path = tmp_path / "tries.jsonl"
    with going(Rows(lambda: lab.settings), path) as said:
        until(lambda: len(good(said)) >= 5)
        with lab.admin() as session:
            session.execute("DELETE FROM opslib_drill.written WHERE n IN (2, 4)")
    tries = [line for line in lines(path) if "n" in line]
    assert [line["n"] for line in tries] == list(range(1, len(tries) + 1))
    assert all(line["began"] <= line["ended"] for line in tries)
    last = count(path)
    assert (last["counted"], last["uncounted"]) == ("rows", "")
    assert set(range(1, len(tries) + 1)) - set(last["there"]) == {2, 4}
    with lab.admin() as session:
        assert session.execute("SELECT to_regnamespace('opslib_drill') AS there").fetchone() == {"there": None}


def test_a_database_whose_cases_cannot_be_read_acknowledges_nothing(lab, tmp_path):
    path = tmp_path / "tries.jsonl"
    with going(Rows(lambda: lab.settings), path) as said:
        until(lambda: good(said))
        with lab.admin() as session:
            session.execute("ALTER TABLE public.cases RENAME TO cases_moved")
        try:
            until(lambda: said()[-1].get("why"))
        finally:
            with lab.admin() as session:
                session.execute("ALTER TABLE public.cases_moved RENAME TO cases")
        broken = len(said())
        until(lambda: any(n > broken for n in good(said)))
    failed = [line for line in lines(path) if line.get("why")]
    assert "cases" in failed[0]["why"]
    assert not {line["n"] for line in failed} & set(count(path)["there"])


def test_keys_are_written_in_a_family_of_their_own_and_removed(lab, tmp_path):
    path = tmp_path / "tries.jsonl"
    with redis.Redis.from_url(lab.settings.cache_url.reveal()) as client:
        others = client.dbsize()
        with going(Keys(lambda: lab.settings), path) as said:
            until(lambda: len(good(said)) >= 3)
            client.delete(f"{PREFIX}1")
        assert client.dbsize() == others
    assert set(good(lambda: lines(path))) - set(count(path)["there"]) == {1}


def test_pages_and_answers_are_fetched_whole_and_leave_nothing(lab, tmp_path):
    for kind in (Pages, Answers):
        path = tmp_path / f"{kind.__name__}.jsonl"
        with going(kind(lambda: lab.settings), path) as said:
            until(lambda said=said: good(said))
        assert count(path) == {"counted": "", "there": [], "uncounted": ""}


def test_a_service_that_does_not_answer_is_a_failed_try_with_its_reason(lab):
    away = lab.settings.model_copy(update={"front_end_url": "http://127.0.0.1:9/"})
    with pytest.raises(Unreachable, match="refuses connections"):
        Pages(lambda: away).go(1)


def test_a_file_that_is_there_already_is_not_written_over(lab, tmp_path):
    path = tmp_path / "tries.jsonl"
    path.write_text("mine")
    with pytest.raises(FileExistsError), open(os.devnull) as leash:  # noqa: PTH123
        traffic.into(path, Pages(lambda: lab.settings), leash)
    assert path.read_text() == "mine"


def test_a_second_of_its_kind_waits_until_the_first_has_taken_away_what_it_wrote(lab, tmp_path):
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    with ExitStack() as earlier:
        said = earlier.enter_context(going(Rows(lambda: lab.settings), first))
        until(lambda: good(said))
        with going(Rows(lambda: lab.settings), second) as waiting:
            before = len(good(said))
            until(lambda: len(good(said)) > before + 3)
            assert waiting() == []
            earlier.close()
            until(lambda: good(waiting))
    assert set(good(lambda: lines(second))) == set(count(second)["there"])
