import pytest

from tests.backup_place import place as make_place
from tests.crash.bench import Base, Case, Driver, working


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


class Undisturbed(dict):
    """By scenario: what it makes of its target, and its number of points; each is run when it is first asked for."""

    def __init__(self, base, driver, room):
        super().__init__()
        self.base, self.driver, self.room = base, driver, room

    def __missing__(self, scenario):
        with working(Case(self.base, scenario, self.room(scenario))) as case:
            told = self.driver.run(case)
            assert told.ended == "finished", told.reason
            assert case.faults([told], case.state()) == []
            self[scenario] = (case.state(), told.points)
        return self[scenario]


@pytest.fixture(scope="session")
def undisturbed(base, driver, tmp_path_factory):
    """What each runbook makes of its target when nothing happens to it."""
    return Undisturbed(base, driver, tmp_path_factory.mktemp)
