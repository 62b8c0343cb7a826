"""The fault matrix: 24 faults, each at seven places of a run; the table says how the struck run ends in each cell.

Whatever the cell, no effect is there twice, the record says what is so, the run ends, and going on comes to the
same end or is refused with the reason.
"""

import signal

import pytest

from tests.crash import faults
from tests.crash.faults import Between, Inside, Kill, Signal, http, s3_error
from tests.crash.marking import PLACES
from tests.crash.matrix import Cell, Runner, doubles, go_on, passable, systems, untruths, word_of
from tests.scale import NIGHTLY

ROOM = 48 * 1024 * 1024

FAULTS = {
    "kill runner": lambda: Kill("runner"),
    "kill kernel": lambda: Kill("kernel"),
    "kill both": lambda: Kill("kernel", "runner"),
    "out of memory": lambda: Inside("starve"),
    "SIGTERM": lambda: Signal(signal.SIGTERM),
    "SIGINT": lambda: Signal(signal.SIGINT),
    "ENOSPC": lambda: Inside("ENOSPC sticky", ROOM),
    "EIO": lambda: Inside("EIO"),
    "EMFILE": lambda: Inside("EMFILE sticky"),
    "clock +": lambda: faults.Clock(3),
    "clock -": lambda: faults.Clock(-3),
    "PG down": faults.DatabaseDown,
    "PG failover": faults.Failover,
    "PG lost COMMIT": faults.LostCommit,
    "PG blackhole": lambda: Between("table", "blackhole"),
    "Valkey kill": faults.CacheKill,
    "Valkey reset": lambda: Between("cache", "reset"),
    "S3 slow-down": lambda: Between(
        "store",
        s3_error("503 Slow Down", "SlowDown"),
        s3_error("500 Internal Server Error", "InternalError"),
    ),
    "S3 blackhole": lambda: Between("store", "blackhole"),
    "HTTP": lambda: Between(
        "web",
        http("429 Too Many Requests"),
        http("500 Internal Server Error"),
        "drip",
        "truncate",
        "reset",
    ),
    "DNS": faults.NoNames,
    "credentials": faults.Expired,
    "lease lost": faults.LeaseLost,
    "approval": faults.ApprovalExpired,
}

TABLE = """
               | before  after   during  after   after   sealing anchoring
               | intent  intent  act     act     done
kill runner    | i-      i?      i?      i?      i+      cl      ok
kill kernel    | f+      f+      f+      f+      f+      ok      ok
kill both      | i-      i?      i?      i?      i+      cl      ok
out of memory  | f-      f?      f-      f?      f+      cl      un
SIGTERM        | i-      i-      i+      i+      i+      ok      ok
SIGINT         | i-      i-      i+      i+      i+      ok      ok
ENOSPC         | i-      i?      i?      i?      i+      cl      ok
EIO            | i-      i?      i?      i?      i+      cl      ok
EMFILE         | i?      i?      i+      i+      i+      cl      un
clock +        | ok      ok      ok      ok      ok      ok      ok
clock -        | ok      ok      ok      ok      ok      ok      ok
PG down        | f?      f?      f?      f+      f+      ok      ok
PG failover    | ok      ok      f-      ok      ok      ok      ok
PG lost COMMIT | ok      f-      f-      ok      f+      ok      ok
PG blackhole   | f?      f?      f?      f+      f+      ok      ok
Valkey kill    | f?      f?      f?      f+      f+      ok      ok
Valkey reset   | f?      f?      f?      f+      f+      ok      ok
S3 slow-down   | f?      f?      f?      f+      f+      ok      un
S3 blackhole   | f?      f?      f?      f+      f+      ok      un
HTTP           | f?      f?      f?      f+      f+      ok      ok
DNS            | f?      f?      f?      f+      f+      ok      un
credentials    | f?      f?      f+      f+      f+      ok      un
lease lost     | r-      r-      r+      r+      r+      ok      ok
approval       | r-      r-      r+      r+      r+      ok      ok
"""
"""How the struck run ends, and where the step with the place stands then. The run is: ok, finished as if nothing was;
``un``, the same, and told that its head is not published; ``cl``, finished, and sealed by the next start;
f, failed; r, refused; i, interrupted. The step is: ``-`` not done, ``+`` done, ``?`` in doubt.
"""

ENDS = {
    name.strip(): dict(zip(PLACES, words.split(), strict=True))
    for name, words in (line.split("|") for line in TABLE.strip().splitlines()[2:])
}
CELLS = [(name, at) for name in FAULTS for at in PLACES]
SOME = [(name, PLACES[number * 3 % 7]) for number, name in enumerate(FAULTS)]
"""Every fault once, every place three times or more."""
DAY = SOME[::3]


@pytest.fixture(scope="module")
def broken(lab, tmp_path_factory):
    """The systems that may be broken."""
    with systems(lab, passable(tmp_path_factory.mktemp("matrix"))) as made:
        yield made


@pytest.fixture(scope="module")
def runner(broken):
    """The process that forks the struck runs."""
    made = Runner(broken)
    yield made
    made.close()


def test_the_table_has_24_faults_and_by_day_half_of_them_are_tried_and_every_place_is():
    assert list(ENDS) == list(FAULTS)
    assert len(CELLS) == 24 * 7
    assert {name for name, _ in SOME} == set(FAULTS)
    assert len(DAY) == 8
    assert {at for _, at in DAY} == set(PLACES)


@pytest.mark.parametrize(("name", "at"), CELLS if NIGHTLY else DAY)
def test_a_fault_at_a_place_of_a_run_does_nothing_twice_and_its_record_is_true(broken, runner, tmp_path, name, at):
    fault = FAULTS[name]()
    cell = Cell(broken, runner, tmp_path, fault, at)
    try:
        told = runner.run(fault.begin(cell), cell.strike)
        fault.heal(cell)
        word = word_of(cell, told)
        wrong = [] if word == ENDS[name][at] else [f"the run ended {word}: {told}"]
        wrong += [] if fault.proof(cell, told) else [f"the fault did not strike: {told}"]
        wrong += [*doubles(cell), *untruths(cell), *go_on(cell)]
    finally:
        fault.close(cell)
    assert wrong == []
