"""The table of routines names checks that there are, and no other."""

import pytest

from opslib.checks import triage
from opslib.checks.triage_evidence import known
from opslib.guide import routines


def test_every_check_that_a_line_names_is_there_once():
    names = [check.name for checks in known(triage.Asked()).values() for check in checks]
    assert sorted(names) == sorted(set(names))
    wanted = {name for line in routines.lines().values() for name in line.checks}
    assert wanted == set(names)


@pytest.mark.parametrize("name", routines.ROUTINES)
def test_a_routines_evidence_is_what_its_lines_name(name):
    made = {check.name for checks in triage.evidence(name).values() for check in checks}
    assert made == {check for line in routines.lines_of(name) for check in line.checks}


def test_the_notebook_that_shows_more_is_there():
    from opslib.headless.notebooks import everything

    there = {notebook.name for notebook in everything()}
    assert {line.shows for line in routines.lines().values()} <= there
    assert {f"routines/{name}" for name in routines.ROUTINES} <= there
