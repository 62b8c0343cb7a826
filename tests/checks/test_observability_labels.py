"""Labels that grow with what is asked: values and series are counted, and what nobody exports is unknown."""

import pytest

from opslib.checks import observability as checks
from opslib.model import Reading, Verdict, now
from opslib.pictures.figures import count
from opslib.probes.observability_labels import MOST
from opslib.runs.reading import evaluate, judge
from opslib.systems.target import ReadTarget
from tests.watchers import watchers


def row(what, name, number):
    return {"what": what, "name": name, "number": number, "such_as": ""}


@pytest.mark.parametrize(
    ("rows", "verdict", "said"),
    [
        ([row("label", "route", 100), row("metric", "m", 800)], Verdict.OK, "1 labels have at most 100 values each"),
        ([row("label", "route", 101), row("metric", "m", 800)], Verdict.WARNING, "label route has 101 values"),
        (
            [row("label", "route", 101), row("label", "user", 1001)],
            Verdict.CRITICAL,
            f"label user has {count(1_001)} values",
        ),
        ([row("label", "user", MOST)], Verdict.CRITICAL, f"at least {count(5_001)} values"),
        # Each label is small, and what they make together is not.
        ([row("label", "a", 90), row("metric", "m", 10_001)], Verdict.WARNING, f"metric m has {count(10_001)} series"),
        ([row("metric", "m", 100_001)], Verdict.CRITICAL, f"{count(100_001)} series in all"),
        ([row("metric", "m", 1)], Verdict.OK, "0 labels have at most 0 values"),
    ],
)
def test_values_and_series_are_held_against_the_limits(rows, verdict, said):
    result = judge(checks.labels, Reading("labels", "Labels", "lab", now(), 0.1, tuple(rows)))
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


@pytest.fixture
def look(lab):
    opened = []

    def look(**said):
        opened.append(ReadTarget(lab.settings.reading().model_copy(update=said), "test"))
        return evaluate(checks.labels, opened[-1])

    yield look
    for target in opened:
        target.close()


def test_a_label_that_holds_addresses_is_found_with_examples_and_gone_when_mended(lab, look):
    with watchers(lab.settings) as there:
        there.prometheus(label_values=150)
        result = look()
    assert (result.verdict, result.value) == (Verdict.WARNING, 150), result.summary
    assert result.rows[0]["such_as"].startswith("/api/cases/00000000, ")
    assert look().verdict is Verdict.OK
    assert not {"le", "instance", "job", "__name__"} & {row["name"] for row in look().reading.rows}


def test_without_prometheus_its_answer_or_such_a_job_nobody_can_tell(lab, look):
    assert look(prometheus_url=None).verdict is Verdict.UNKNOWN
    gone = look(prometheus_job="nobodys")
    assert (gone.verdict, "The job nobodys has no series" in gone.summary) == (Verdict.UNKNOWN, True)
    with watchers(lab.settings) as there, there.doors.fault("prometheus", "503"):
        assert look().verdict is Verdict.UNKNOWN
