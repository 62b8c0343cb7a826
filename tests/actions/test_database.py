"""Upkeep of a real database: what is planned, done while the table is in use, broken off, settled and undone."""

from contextlib import contextmanager

import pytest
from pydantic import ValidationError

from opslib.actions.database import CreateIndex, DropInvalidIndexes, RefreshViews, VacuumTables
from opslib.errors import Refused, StepFailed
from opslib.model import Effect, Outcome, Repeat, Verdict
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget
from tests.databases import schema, standby
from tests.waiting import until

RUN = "20261128T130614Z-runbooks-maintain-database-a1b2c3"


def quiet(text, done=None, total=None):
    pass


@pytest.fixture
def workshop(lab):
    """A schema with tables of the test's own, and a session as superuser in it."""
    with schema(lab) as session:
        session.execute(
            "CREATE TABLE cars (id int PRIMARY KEY, owner int, colour text) WITH (autovacuum_enabled = off)"
        )
        session.execute("INSERT INTO cars SELECT n, n % 50, 'red' FROM generate_series(1, 2000) AS n")
        session.execute("GRANT USAGE ON SCHEMA workshop TO PUBLIC")
        session.execute("VACUUM (ANALYZE) cars")
        yield session


@pytest.fixture
def targets(lab):
    """The three kinds of target, as the executor hands them out."""
    made = ReadTarget(lab.settings.reading(), RUN), VerifyTarget(lab.settings, RUN), WriteTarget(lab.settings, RUN)
    yield made
    for target in made:
        target.close()


def carry_out(action, targets):
    """Plan, apply, verify; returns the plan, the values and what the verification says."""
    reading, looking, writing = targets
    plan = action.plan(reading)
    values = action.apply(writing, plan, quiet)
    return plan, values, action.verify(looking, plan, values)


def dead(session, table="cars"):
    session.execute("SELECT pg_stat_clear_snapshot()")
    (row,) = session.execute("SELECT n_dead_tup AS n FROM pg_stat_user_tables WHERE relname = %s", [table]).fetchall()
    return row["n"]


def spoil(session):
    session.execute("UPDATE workshop.cars SET colour = 'blue'")
    until(lambda: dead(session) >= 2000)


def indexes(session):
    rows = session.execute(
        "SELECT indexrelid::regclass::text AS name, indisvalid AS valid FROM pg_index"
        " WHERE indrelid = 'workshop.cars'::regclass ORDER BY 1"
    ).fetchall()
    return {row["name"].rpartition(".")[2]: row["valid"] for row in rows}


def test_what_is_due_is_vacuumed_and_analysed_and_what_is_not_is_left_alone(workshop, targets):
    workshop.execute("CREATE TABLE quiet_one AS SELECT 1 AS n")
    workshop.execute("VACUUM (ANALYZE) quiet_one")
    spoil(workshop)
    plan, values, said = carry_out(VacuumTables(), targets)
    assert plan.after["workshop.cars"] == "vacuumed and analysed"
    assert "workshop.quiet_one" not in plan.after
    assert plan.observed["tables"]["workshop.cars"]["dead_rows"] >= 2000
    assert (plan.effect, plan.repeat) == (Effect.CHANGE, Repeat.REPEATABLE)
    assert plan.touches == len(plan.after)
    assert values["dead_rows_before"]["workshop.cars"] >= 2000
    assert said.verdict is Verdict.OK, said.summary
    assert dead(workshop) == 0


def test_a_named_table_is_vacuumed_though_it_is_not_due(workshop, targets):
    plan, _, said = carry_out(VacuumTables(table="workshop.cars"), targets)
    assert plan.before == {"workshop.cars": "as it is"}
    assert said.verdict is Verdict.OK


def test_a_vacuum_that_frees_nothing_is_no_success_and_names_who_keeps_the_rows(lab, workshop, targets):
    with lab.admin() as holder:
        holder.execute("SET application_name = 'the-report'")
        holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM workshop.cars")
        spoil(workshop)
        plan, _, said = carry_out(VacuumTables(table="workshop.cars"), targets)
        assert said.verdict is Verdict.WARNING
        assert "workshop.cars" in said.summary
        assert "the-report" in said.summary
        assert any("the-report" in text for text in plan.observed["who keeps dead rows"])


def test_a_table_that_is_locked_is_given_up_and_nobody_waits_behind_it(lab, workshop, targets):
    spoil(workshop)
    plan = VacuumTables(table="workshop.cars").plan(targets[0])
    with lab.admin() as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE workshop.cars IN SHARE MODE")
        with pytest.raises(StepFailed, match="lock timeout"):
            VacuumTables(table="workshop.cars").apply(targets[2], plan, quiet)
    assert dead(workshop) >= 2000


def test_a_vacuum_of_a_table_that_was_made_anew_since_is_refused(workshop, targets):
    plan = VacuumTables(table="workshop.cars").plan(targets[0])
    workshop.execute("ALTER TABLE cars RENAME TO old_cars")
    workshop.execute("CREATE TABLE cars (id int)")
    with pytest.raises(Refused, match="not the table that was planned"):
        VacuumTables(table="workshop.cars").apply(targets[2], plan, quiet)


def test_a_vacuum_that_did_not_happen_is_seen(workshop, targets):
    plan = VacuumTables(table="workshop.cars").plan(targets[0])
    (row,) = workshop.execute("SELECT clock_timestamp() AS now").fetchall()
    values = {"since": row["now"].isoformat(), "tables": ["workshop.cars"], "dead_rows_before": {"workshop.cars": 0}}
    said = VacuumTables(table="workshop.cars").verify(targets[1], plan, values)
    assert (said.verdict, said.summary) == (Verdict.CRITICAL, "Not vacuumed and analysed: workshop.cars.")


def test_a_vacuum_of_nothing_says_so_and_its_undo_has_nothing_to_bring_back(workshop, targets):
    plan = VacuumTables(table="workshop.cars").plan(targets[0])
    nothing = {"since": None, "tables": [], "dead_rows_before": {}}
    assert "keeps up" in VacuumTables().verify(targets[1], plan, nothing).summary
    assert "only rows that nobody could see" in VacuumTables().undo(targets[2], plan, nothing, quiet).summary


@pytest.mark.parametrize("table", ["cars", "workshop.cars; DROP", "workshop.none", 'a."b"', "workshop.cars\n"])
def test_a_table_that_is_none_is_refused(workshop, targets, table):
    with pytest.raises((Refused, ValidationError)):
        VacuumTables(table=table).plan(targets[0])


def test_long_work_tells_how_far_it_is_and_can_be_broken_off(lab, workshop, targets):
    plan = CreateIndex(table="workshop.cars", columns="owner").plan(targets[0])
    said = []

    def tell(text, done=None, total=None):
        said.append(text)
        if "waiting" in text:
            raise StepFailed("broken off", "Look.")

    with lab.admin() as holder:
        holder.execute("BEGIN")
        holder.execute("UPDATE workshop.cars SET colour = 'green' WHERE id = 1")
        with pytest.raises(StepFailed, match="broken off"):
            CreateIndex(table="workshop.cars", columns="owner").apply(targets[2], plan, tell)
    assert any("workshop" not in text and "waiting" in text for text in said), said
    settled = CreateIndex(table="workshop.cars", columns="owner").settle(targets[2], plan, quiet)
    assert settled.outcome is Outcome.NOT_DONE
    assert indexes(workshop) == {"cars_pkey": True}


def test_an_index_is_made_while_the_table_is_used_and_taken_back(workshop, targets):
    action = CreateIndex(table="workshop.cars", columns="owner,colour")
    plan, values, said = carry_out(action, targets)
    assert plan.after == {"index": "idx_cars_owner_colour", "columns": ["owner", "colour"]}
    assert (plan.touches, plan.repeat) == (1, Repeat.ONCE)
    assert said.verdict is Verdict.OK
    assert indexes(workshop) == {"cars_pkey": True, "idx_cars_owner_colour": True}
    assert action.settle(targets[2], plan, quiet).values == values
    assert action.undo(targets[2], plan, values, quiet).verdict is Verdict.OK
    assert indexes(workshop) == {"cars_pkey": True}
    assert action.undo(targets[2], plan, values, quiet).verdict is Verdict.OK
    assert action.verify(targets[1], plan, values).verdict is Verdict.CRITICAL


@pytest.mark.parametrize(
    "made", ["CREATE INDEX mine ON cars (owner, colour, id)", "CREATE UNIQUE INDEX mine ON cars (owner, id)"]
)
def test_an_index_that_begins_with_the_columns_is_enough(workshop, targets, made):
    workshop.execute(made)
    plan, values, said = carry_out(CreateIndex(table="workshop.cars", columns="owner"), targets)
    assert plan.touches == 0
    assert values["made"] is False
    assert "was there already" in said.summary
    assert (
        CreateIndex(table="workshop.cars", columns="owner").undo(targets[2], plan, values, quiet).summary
        == "Nothing was made."
    )
    assert "mine" in indexes(workshop)


@pytest.mark.parametrize(
    "made",
    [
        "CREATE INDEX mine ON cars (colour, owner)",
        "CREATE INDEX mine ON cars (owner) WHERE id > 5",
        "CREATE INDEX mine ON cars USING hash (owner)",
        "CREATE INDEX mine ON cars ((owner + 1))",
    ],
)
def test_an_index_that_does_less_is_not_enough(workshop, targets, made):
    workshop.execute(made)
    assert CreateIndex(table="workshop.cars", columns="owner").plan(targets[0]).touches == 1


def test_columns_and_tables_that_are_not_there_are_refused_with_what_is(workshop, targets):
    for table, columns, why in (
        ("workshop.cars", "user_id", "no column user_id"),
        ("workshop.cars", "owner,owner", "named a column twice"),
        ("workshop.value_cases", "user_id", "no table workshop.value_cases"),
    ):
        with pytest.raises(Refused, match=why):
            CreateIndex(table=table, columns=columns).plan(targets[0])
    workshop.execute("CREATE TABLE parts (n int) PARTITION BY RANGE (n)")
    with pytest.raises(Refused, match="partitioned"):
        CreateIndex(table="workshop.parts", columns="n").plan(targets[0])


@contextmanager
def invalid(lab, workshop):
    """Leave an invalid index as a broken-off CONCURRENTLY does: two rows are equal where they must not be."""
    with pytest.raises(Exception, match="could not create unique index"):
        workshop.execute("CREATE UNIQUE INDEX CONCURRENTLY idx_cars_owner ON cars (owner)")
    assert indexes(workshop)["idx_cars_owner"] is False
    yield


def test_an_invalid_index_of_that_name_is_refused_then_dropped_and_then_the_index_is_made(lab, workshop, targets):
    with invalid(lab, workshop):
        with pytest.raises(Refused, match="invalid"):
            CreateIndex(table="workshop.cars", columns="owner").plan(targets[0])
        plan, _, said = carry_out(DropInvalidIndexes(), targets)
        assert plan.after == {"workshop.idx_cars_owner": "dropped"}
        assert "UNIQUE" in plan.fingerprint["indexes"][0][2]
        assert said.summary == "1 invalid indexes dropped."
        assert indexes(workshop) == {"cars_pkey": True}
        assert carry_out(CreateIndex(table="workshop.cars", columns="owner"), targets)[2].verdict is Verdict.OK


def test_an_index_that_became_another_one_since_the_plan_is_not_dropped(lab, workshop, targets):
    with invalid(lab, workshop):
        plan = DropInvalidIndexes().plan(targets[0])
        workshop.execute("DROP INDEX workshop.idx_cars_owner")
        workshop.execute("CREATE INDEX idx_cars_owner ON cars (owner)")
        values = DropInvalidIndexes().apply(targets[2], plan, quiet)
        assert indexes(workshop)["idx_cars_owner"] is True
        assert DropInvalidIndexes().verify(targets[1], plan, values).verdict is Verdict.OK


def test_what_a_broken_off_build_left_is_dropped_when_it_is_settled(lab, workshop, targets):
    plan = CreateIndex(table="workshop.cars", columns="owner").plan(targets[0])
    with invalid(lab, workshop):
        settled = CreateIndex(table="workshop.cars", columns="owner").settle(targets[2], plan, quiet)
    assert (settled.outcome, "left invalid" in settled.why) == (Outcome.NOT_DONE, True)
    assert indexes(workshop) == {"cars_pkey": True}


class Impatient(CreateIndex):
    """Calls a transaction old at once."""

    old_seconds = -1.0


def test_an_index_is_not_begun_while_an_old_transaction_is_open(lab, workshop, targets):
    plan = Impatient(table="workshop.cars", columns="owner").plan(targets[0])
    with lab.admin() as holder:
        holder.execute("SET application_name = 'the-report'")
        holder.execute("BEGIN")
        with pytest.raises(Refused, match="the-report"):
            Impatient(table="workshop.cars", columns="owner").apply(targets[2], plan, quiet)
    assert indexes(workshop) == {"cars_pkey": True}


def test_an_index_of_another_making_is_not_dropped_by_the_undo(workshop, targets):
    action = CreateIndex(table="workshop.cars", columns="owner")
    plan, values, _ = carry_out(action, targets)
    workshop.execute("DROP INDEX idx_cars_owner")
    workshop.execute("CREATE INDEX idx_cars_owner ON cars (owner)")
    with pytest.raises(Refused, match="not the index that was made"):
        action.undo(targets[2], plan, values, quiet)
    assert indexes(workshop)["idx_cars_owner"] is True


def test_views_are_refreshed_while_they_are_read_and_the_others_are_named(lab, workshop, targets):
    workshop.execute("CREATE MATERIALIZED VIEW counted AS SELECT owner, count(*) AS n FROM cars GROUP BY owner")
    workshop.execute("CREATE UNIQUE INDEX counted_owner ON counted (owner)")
    workshop.execute("CREATE MATERIALIZED VIEW bare AS SELECT count(*) AS n FROM cars")
    workshop.execute("CREATE MATERIALIZED VIEW unfilled AS SELECT owner FROM cars WITH NO DATA")
    workshop.execute("INSERT INTO cars VALUES (9001, 77, 'grey')")
    plan = RefreshViews().plan(targets[0])
    assert plan.after["workshop.counted"] == "as of this step"
    assert "unique index" in plan.after["workshop.bare"]
    assert "never filled" in plan.after["workshop.unfilled"]
    with lab.admin() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM workshop.counted")
        values = RefreshViews().apply(targets[2], plan, quiet)
    assert workshop.execute("SELECT n FROM counted WHERE owner = 77").fetchone() == {"n": 1}
    said = RefreshViews().verify(targets[1], plan, values)
    assert said.verdict is Verdict.OK
    assert "workshop.bare" in said.summary
    workshop.execute("REFRESH MATERIALIZED VIEW counted WITH NO DATA")
    assert RefreshViews().verify(targets[1], plan, values).verdict is Verdict.CRITICAL


def test_a_view_that_was_made_anew_since_the_plan_is_refused(workshop, targets):
    workshop.execute("CREATE MATERIALIZED VIEW counted AS SELECT id FROM cars")
    workshop.execute("CREATE UNIQUE INDEX ON counted (id)")
    plan = RefreshViews().plan(targets[0])
    workshop.execute("DROP MATERIALIZED VIEW counted")
    with pytest.raises(Refused, match="not the view that was planned"):
        RefreshViews().apply(targets[2], plan, quiet)


def test_on_a_standby_nothing_is_planned(lab, tmp_path):
    tmp_path.chmod(0o711)
    with standby(lab, tmp_path) as target:
        for action in (
            VacuumTables(),
            CreateIndex(table="public.cases", columns="user_id"),
            DropInvalidIndexes(),
            RefreshViews(),
        ):
            with pytest.raises(Refused, match="standby"):
                action.plan(target)


def test_an_address_that_leads_elsewhere_is_refused_before_anything_is_done(lab, workshop, targets):
    spoil(workshop)
    plan = VacuumTables(table="workshop.cars").plan(targets[0])
    elsewhere = lab.settings.model_copy(update={"database_url": lab.settings.database_url.with_path("postgres")})
    writing = WriteTarget(elsewhere, RUN)
    with pytest.raises(Refused, match="leads elsewhere"):
        VacuumTables(table="workshop.cars").apply(writing, plan, quiet)
    writing.close()
    assert dead(workshop) >= 2000
