import pytest

from tests.backup_place import place as make_place
from tests.crash.bench import Base, Case, Driver, working
from tests.crash.steps import RUNBOOKS


@pytest.fixture(scope="session")
def base(lab, tmp_path_factory):
    """What every case of this session starts from."""
    with make_place(lab, "CREATE TABLE things AS SELECT n AS id FROM generate_series(1, 20) AS n") as place:
        made = Base(lab, place, tmp_path_factory.mktemp("machine") / "locks")
        yield made
        made.close()


@pytest.fixture(scope="session")
def driver(lab):
    """The process that forks the runs."""
    made = Driver()
    yield made
    made.close()


@pytest.fixture(scope="session")
def undisturbed(base, driver, tmp_path_factory):
    """What each runbook makes of its target when nothing happens to it, and its number of points."""
    found = {}
    for scenario in RUNBOOKS:
        with working(Case(base, scenario, tmp_path_factory.mktemp(scenario))) as case:
            told = driver.run(case)
            assert told.ended == "finished", told.reason
            assert case.faults([told], case.state()) == []
            found[scenario] = (case.state(), told.points)
    return found
