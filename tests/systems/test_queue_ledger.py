"""The queue's ledger and its engine, on a real PostgreSQL: one row per run, taken by one, whoever asks how often."""

import threading
from concurrent.futures import Future
from dataclasses import replace

import pytest

from opslib.errors import Refused, Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems import queue_transport
from opslib.systems.queue_ledger import Ledger
from opslib.systems.queue_rows import BROKEN_OFF, ENDED, Row
from tests import queue_server
from tests.waiting import until

NAME = "diagnostics/cache"


@pytest.fixture
def ledger(server):
    with server.session() as session:
        queue_server.wipe(session)
    with Ledger(DatabaseUrl(server.url)) as one:
        one.install("an archive")
        yield one


def row(number, **more):
    return Row(f"key/{number}", NAME, "lab", f"run-{number}", asked_by="ann@here", parameters=("a=1",), **more)


def take(ledger, key="key/1", worker="w1", *, changes=False, at_once=9, silent=30.0):
    return ledger.take(key, worker, changes=changes, at_once=at_once, silent=silent)


def fetched(server):
    """The key that the engine gives to a worker who asks now."""
    with server.session() as session:
        job = session.execute("SELECT * FROM procrastinate_fetch_job_v2(NULL, NULL)").fetchone()
        # A worker's job is gone when it is done.
        session.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [job["id"]])
    return job["queueing_lock"]


def jobs(server):
    with server.session() as session:
        return session.execute("SELECT queueing_lock, status::text, scheduled_at FROM procrastinate_jobs").fetchall()


def silence(server, seconds=60):
    """Let every row have given its last sign of life so long ago."""
    with server.session() as session:
        session.execute(
            "UPDATE opslib_queue.asked SET moved_at = moved_at - make_interval(secs => %s)", [float(seconds)]
        )


def test_a_key_is_entered_once_and_carried_once_however_often_it_is_asked_for(ledger, server):
    assert [ledger.add(row(1)), ledger.add(replace(row(1), run="another")), ledger.add(row(2))] == [True, False, True]
    assert ledger.look("key/1").run == "run-1"
    assert sorted(job["queueing_lock"] for job in jobs(server)) == ["key/1", "key/2"]
    assert ledger.look("key/3") is None


def test_a_run_is_taken_by_one_of_many_who_try_at_the_same_moment(ledger, server):
    ledger.add(row(1))
    taken, gate = [], threading.Barrier(6)

    def try_it(number):
        with Ledger(DatabaseUrl(server.url)) as own:
            own.look("key/1")
            gate.wait(20)
            taken.append(take(own, worker=f"w{number}"))

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(why for _, why in taken) == ["", *["over"] * 5]
    (mine,) = [one for one, _ in taken if one]
    assert (mine.state, mine.attempt) == ("taken", 1)
    assert [one["worker"] for one in ledger.attempts("key/1")] == [mine.worker]


def test_so_many_go_on_at_a_time_on_one_target_and_what_does_not_is_offered_again(ledger, server):
    for number in range(1, 4):
        ledger.add(row(number))
    assert [take(ledger, f"key/{number}", at_once=2)[1] for number in (1, 2, 3)] == ["", "", "full"]
    waiting = ledger.look("key/3")
    assert (waiting.state, waiting.why) == ("waiting", "full")
    assert ledger.finish(ledger.look("key/1"), ENDED, verdict="OK", exit_code=0)
    assert take(ledger, "key/3", at_once=2)[1] == ""


def test_two_that_change_one_target_do_not_go_on_together_and_those_that_read_do(ledger):
    for number in range(1, 4):
        ledger.add(row(number))
    words = [take(ledger, f"key/{number}", changes=number < 3)[1] for number in (1, 2, 3)]
    assert words == ["", "changing", ""]


def test_a_silent_workers_run_is_taken_over_by_one_and_the_slow_worker_records_nothing_then(ledger, server):
    ledger.add(row(1))
    mine, _ = take(ledger)
    assert take(ledger, worker="w2") == (None, "over")
    silence(server)
    seen, why = take(ledger, worker="w2")
    assert (seen.run, why) == ("run-1", "silent")
    assert ledger.again(seen, "w2", run="run-1b", became="interrupted").attempt == 2
    assert ledger.again(seen, "w3", run="run-1c", became="interrupted") is None
    assert not ledger.finish(mine, ENDED, verdict="OK", exit_code=0)
    ledger.hand_back(mine, run="run-1d", became="interrupted")
    assert ledger.look("key/1").run == "run-1b"
    assert ledger.finish(ledger.look("key/1"), ENDED, verdict="OK", exit_code=0)
    tries = [(one["attempt"], one["run"], one["worker"], one["became"]) for one in ledger.attempts("key/1")]
    assert tries == [(1, "run-1", "w1", "interrupted"), (2, "run-1b", "w2", "ended: OK")]


def test_a_sign_of_life_keeps_a_run_and_only_its_own_worker_gives_it(ledger, server):
    ledger.add(row(1))
    take(ledger)
    silence(server)
    ledger.alive("key/1", "w2")
    assert ledger.look("key/1").silent > 50
    ledger.alive("key/1", "w1")
    assert ledger.look("key/1").silent < 20
    assert take(ledger, worker="w2") == (None, "over")


def test_what_the_engine_lost_or_a_dead_worker_had_is_sent_again_and_what_is_over_is_not(ledger, server):
    for number in range(1, 5):
        ledger.add(row(number))
    take(ledger, "key/2")
    take(ledger, "key/3")
    ledger.finish(ledger.look("key/3"), ENDED, verdict="OK", exit_code=0)
    with server.session() as session:
        session.execute("DELETE FROM procrastinate_jobs WHERE queueing_lock <> 'key/4'")
    assert ledger.send_forgotten(30) == []
    silence(server)
    assert sorted(ledger.send_forgotten(30)) == ["key/1", "key/2"]
    assert ledger.send_forgotten(30) == []
    assert sorted(job["queueing_lock"] for job in jobs(server)) == ["key/1", "key/2", "key/4"]


def test_what_a_dead_worker_had_is_given_to_the_next_worker_before_all_that_waits(ledger, server):
    for number in range(1, 4):
        ledger.add(row(number))
    assert fetched(server) == "key/1"
    take(ledger, "key/1")
    silence(server)
    assert ledger.send_forgotten(30) == ["key/1"]
    assert [fetched(server) for _ in range(4)] == ["key/1", "key/2", "key/3", None]


def test_what_waits_or_was_seen_to_can_be_withdrawn_and_what_runs_cannot(ledger):
    for number in range(1, 4):
        ledger.add(row(number))
    take(ledger, "key/2")
    take(ledger, "key/3")
    ledger.finish(ledger.look("key/3"), BROKEN_OFF, why="Go on with: ops resume run-3")
    assert [ledger.withdraw(f"key/{number}") for number in (1, 2, 3)] == [True, False, True]
    assert take(ledger, "key/1") == (None, "over")
    assert ledger.going(["lab"]) == 1
    assert ledger.open("key/") == ["key/2"]


def test_a_queue_that_is_not_installed_and_one_that_is_away_are_told_apart(server, ledger):
    with server.session() as session:
        queue_server.wipe(session)
    with pytest.raises(Refused, match="not installed"):
        ledger.archive()
    with pytest.raises(Refused, match="not installed"):
        queue_transport.serve(DatabaseUrl(server.url), ["lab"], lambda key: Future(), threading.Event())
    away = DatabaseUrl(server.url.replace(str(server.port), "1"))
    with pytest.raises(Unreachable, match="refuses connections"):
        Ledger(away).archive()


def test_a_session_that_broke_is_told_once_and_opened_anew(ledger, server):
    ledger.add(row(1))
    with server.session() as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'opslib:queue'"
        )
    with pytest.raises(Unreachable):
        ledger.look("key/1")
    assert ledger.look("key/1").key == "key/1"


def test_the_engine_gives_each_key_to_a_worker_once_and_keeps_nothing_of_what_is_done(ledger, server):
    given, over = [], threading.Event()

    def handle(key):
        given.append(key)
        free = Future()
        free.set_result(None)
        return free

    url = DatabaseUrl(server.url)
    serving = threading.Thread(target=lambda: queue_transport.serve(url, ["lab"], handle, over))
    serving.start()
    try:
        for number in range(1, 4):
            ledger.add(row(number))
        until(lambda: len(given) == 3)
        until(lambda: jobs(server) == [])
    finally:
        over.set()
        serving.join(30)
    assert sorted(given) == ["key/1", "key/2", "key/3"]
    assert not serving.is_alive()
