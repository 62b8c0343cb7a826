from types import SimpleNamespace

import pytest

from opslib.errors import Unreachable
from opslib.model import Check, Judgement, Probe, Threshold, Verdict
from opslib.runs.reading import evaluate, take

TARGET = SimpleNamespace(environment="lab")


def check(read, judge=lambda reading: Judgement(Verdict.OK, "fine")):
    probe = Probe("cache.memory", "Memory", read, source="INFO memory", units={"used": "bytes"})
    return Check("cache.memory-use", "Memory use", probe, judge, "Open runbooks/maintain-cache.", items=("MNT-CCH-01",))


def test_a_reading_keeps_rows_units_source_and_time():
    reading = take(check(lambda target: [{"used": 1}]).probe, TARGET)
    assert reading.row == {"used": 1}
    assert (reading.source, reading.units, reading.environment) == ("INFO memory", {"used": "bytes"}, "lab")
    assert reading.taken_at.tzinfo is not None


def test_a_system_that_cannot_be_looked_at_is_unknown_and_says_why():
    def fail(target):
        raise Unreachable("The cache refuses connections.", "Is it running?")

    result = evaluate(check(fail), TARGET)
    assert result.verdict is Verdict.UNKNOWN
    assert result.summary == "Could not look: The cache refuses connections. Is it running?"
    assert result.remedy


def test_a_defect_in_a_probe_is_not_swallowed():
    def broken(target):
        raise KeyError("used")

    with pytest.raises(KeyError):
        evaluate(check(broken), TARGET)


def test_the_rule_decides_and_the_remedy_is_shown_only_when_needed():
    limit = Threshold(80, 90, "%", "guide")

    def judge(reading):
        return Judgement(limit.judge(reading.row["used"]), f"{reading.row['used']} % used", reading.row["used"])

    good, bad = (evaluate(check(lambda t, u=used: [{"used": u}], judge), TARGET) for used in (10, 95))
    assert (good.verdict, good.remedy) == (Verdict.OK, "")
    assert (bad.verdict, bad.value, bad.remedy) == (Verdict.CRITICAL, 95, "Open runbooks/maintain-cache.")
