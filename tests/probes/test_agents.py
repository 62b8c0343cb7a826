"""Sessions and actions of agents as they are read: any trace counts, and hidden rows are no quiet hour."""

import pytest

from opslib.errors import Unreachable
from opslib.probes import agents as probes
from tests.agents import begun


def stuck(lab, **said):
    rows = probes.sessions(60, 5).read(lab.target)
    return sum(row["stuck"] for row in rows)


@pytest.mark.parametrize(
    ("said", "many"),
    [
        ({"trace": False}, 7),
        ({"trace": True}, 0),
        ({"trace": False, "minutes": 3}, 0),
        ({"trace": False, "minutes": 61}, 0),
        ({"trace": False, "status": "paused"}, 0),
        ({"trace": False, "status": "failed"}, 0),
    ],
)
def test_only_what_is_active_past_its_patience_and_left_no_trace_is_stuck(lab, said, many):
    before = stuck(lab)
    with begun(lab, 7, **said):
        assert stuck(lab) - before == many
    assert stuck(lab) == before


def test_the_newest_actions_are_counted_and_no_more_than_asked_for(lab):
    with begun(lab, 1, actions=60):
        rows = probes.actions(25, 24).read(lab.target)
    assert sum(row["actions"] for row in rows) == 25
    assert sum(row["failed"] for row in rows) == 0


def test_a_role_from_which_row_security_hides_rows_is_unknown(lab):
    with lab.admin() as database:
        database.execute("ALTER ROLE ops_reader NOBYPASSRLS")
        try:
            for probe in (probes.sessions(), probes.actions()):
                with pytest.raises(Unreachable, match="Row security"):
                    probe.read(lab.target)
        finally:
            database.execute("ALTER ROLE ops_reader BYPASSRLS")


def test_a_table_that_is_not_there_is_said(lab):
    with lab.admin() as database:
        database.execute("ALTER TABLE public.agent_audit_log RENAME TO away")
        try:
            with pytest.raises(Unreachable, match=r"no table public\.agent_audit_log"):
                probes.actions().read(lab.target)
        finally:
            database.execute("ALTER TABLE public.away RENAME TO agent_audit_log")


def test_what_only_people_see_names_the_guides_switch_and_how_to_take_it_back(lab):
    rows = probes.by_person.read(lab.target)
    said = " ".join(f"{row['in_the_users_browser']} {row['what_it_tells']}" for row in rows)
    assert "localStorage.setItem('DEBUG', 'agent:*')" in said
    assert "localStorage.removeItem('DEBUG')" in said
