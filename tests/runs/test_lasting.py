"""What a run was approved under ends while the run goes on, whatever is done to the machine's clock meanwhile."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from opslib.errors import Refused
from opslib.model import now
from opslib.runs.lasting import Lasting
from opslib.runs.work import Work
from tests.descriptions import description
from tests.signing import WORK
from tests.waiting import until

SET_BACK = """
import os, sys, time
from datetime import timedelta
from pathlib import Path
from opslib.errors import Refused
from opslib.model import now
from opslib.runs.lasting import Lasting
from tests.runs.test_lasting import work
lasting = Lasting(work(now() + timedelta(seconds=0.5)))
lasting.check()
before = now()
Path(sys.argv[1]).write_text("-3600")
os.environ["SHIFT_FILE"] = sys.argv[1]
assert now() < before
time.sleep(0.6)
try:
    lasting.check()
except Refused:
    print("refused")
"""


def work(end=None):
    one = Work(f"{WORK}-apply", "runbooks/paint", description(), Path("nowhere"), "run")
    return replace(one, until=end) if end else one


def test_a_run_is_approved_under_nothing_that_ends_unless_that_is_said():
    one = work()
    assert (one.approved, one.break_glass, one.until, one.asking) == (None, False, None, None)
    assert one.id == WORK
    Lasting(one).check()


def test_what_lasts_longer_than_now_lets_the_run_go_on():
    Lasting(work(now() + timedelta(minutes=1))).check()


def test_what_has_expired_lets_nothing_more_begin_and_says_since_when():
    end = now()
    with pytest.raises(Refused) as refused:
        Lasting(work(end)).check()
    assert refused.value.message == f"What {WORK} was approved under expired at {end:%Y-%m-%dT%H:%M:%SZ}."


def test_an_approval_expires_while_a_run_goes_on():
    lasting = Lasting(work(now() + timedelta(seconds=0.2)))

    def over():
        try:
            lasting.check()
        except Refused:
            return True
        return False

    until(over)


def test_a_clock_that_is_set_back_while_a_run_goes_on_adds_nothing_to_its_approval(wrong_time):
    file, variables = wrong_time
    Lasting(work(now() + timedelta(minutes=1))).check()
    done = subprocess.run(
        [sys.executable, "-c", SET_BACK, file],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"LD_PRELOAD": variables["LD_PRELOAD"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "refused\n"
