"""The cache's pod and server as one: what is out is critical, what a start anew would lose is said while it is well."""

import pytest

from opslib.checks.cache import workload
from opslib.model import Verdict
from opslib.runs.reading import evaluate
from tests.caches import admin, changed
from tests.kubernetes import NAMESPACE, ClusterDoors


@pytest.fixture
def doors(lab):
    doors = ClusterDoors(lab.settings)
    with doors.restored():
        yield doors


def test_it_is_ready_and_says_what_a_start_anew_would_lose(lab):
    found = evaluate(workload, lab.target)
    assert found.verdict is Verdict.OK, found.summary
    assert "statefulset redis is ready and answers; a start anew would lose last-writes" in found.summary


def test_a_cache_that_keeps_nothing_is_a_warning_before_it_is_needed(lab):
    with admin(lab) as client, changed(client, appendonly="no", save=""):
        found = evaluate(workload, lab.target)
    assert (found.verdict, "would lose everything" in found.summary) == (Verdict.WARNING, True)
    assert "volume and --appendonly yes" in found.remedy


def test_scaled_to_nothing_is_critical(lab, doors):
    doors.edit("statefulsets", "redis", replicas=0)
    doors.until(lambda objects: f"{NAMESPACE}/redis-0" not in objects["pods"])
    found = evaluate(workload, lab.target)
    assert (found.verdict, found.summary) == (Verdict.CRITICAL, "statefulset redis is scaled to 0.")


@pytest.mark.parametrize("fault", ["403", "malformed"])
def test_where_the_cluster_says_nothing_nobody_says_it_is_well(lab, doors, fault):
    with doors.fault("kubernetes", fault):
        assert evaluate(workload, lab.target).verdict is Verdict.UNKNOWN
