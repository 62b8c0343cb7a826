from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.backup_place import place as make_place
from tests.backup_place import renewed

SCHEMA = "CREATE TABLE things AS SELECT n AS id FROM generate_series(1, 50) n"


@pytest.fixture(scope="module")
def first(lab):
    with make_place(lab, SCHEMA) as made:
        yield made


@pytest.fixture
def small(first):
    with renewed(first, SCHEMA) as made:
        yield made


def test_what_a_killed_proof_left_goes_with_the_next_proof_and_is_named(small):
    taken = small.take()
    mark = f"opslib proof of {taken['backup']} by run dead"
    for statement in (
        "CREATE ROLE left_by_the_dead NOLOGIN",
        f"COMMENT ON ROLE left_by_the_dead IS '{mark}'",
        "CREATE DATABASE ops_proof_0000000000000001",
        f"COMMENT ON DATABASE ops_proof_0000000000000001 IS '{mark}'",
        "ALTER DATABASE ops_proof_0000000000000001 OWNER TO left_by_the_dead",
        "CREATE DATABASE ops_proof_0000000000000002",
    ):
        small.sql(statement)
    try:
        said = small.prove(taken["backup"])["left_by_earlier_runs"]
        assert small.sql("SELECT 1 FROM pg_roles WHERE rolname = 'left_by_the_dead'") == []
        assert {name for name in small.databases() if name.startswith("ops_proof_")} == {"ops_proof_0000000000000002"}
        assert [line.split(":")[0] for line in said] == [
            "database ops_proof_0000000000000001",
            "database ops_proof_0000000000000002",
            "role left_by_the_dead",
        ]
    finally:
        for number in (1, 2):
            small.sql(f"DROP DATABASE IF EXISTS ops_proof_000000000000000{number}")
        small.sql("DROP ROLE IF EXISTS left_by_the_dead")


def test_what_a_proof_that_still_goes_on_has_made_is_left_alone(small):
    taken = small.take()
    small.sql("CREATE DATABASE ops_proof_0000000000000003")
    small.sql("COMMENT ON DATABASE ops_proof_0000000000000003 IS 'opslib proof of other by run alive'")
    address = small.settings.scratch_database_url.reveal()
    try:
        with psycopg.connect(address, application_name="opslib:alive"):
            small.prove(taken["backup"])
            assert "ops_proof_0000000000000003" in small.databases()
    finally:
        small.sql("DROP DATABASE IF EXISTS ops_proof_0000000000000003")


def test_roles_that_a_killed_apply_of_the_same_proof_made_go_with_the_second_apply(small):
    small.sql("CREATE ROLE passing NOLOGIN")
    small.sql("GRANT SELECT ON things TO passing")
    taken = small.take()
    small.sql(f"COMMENT ON ROLE passing IS 'opslib proof of {taken['backup']} by run r1'")
    small.sql("REVOKE ALL ON things FROM passing")
    assert small.prove(taken["backup"])["roles_made_for_the_proof"] == ["passing"]
    assert small.sql("SELECT 1 FROM pg_roles WHERE rolname = 'passing'") == []


def test_two_proofs_at_once_take_turns_and_leave_no_role(small):
    small.sql("CREATE ROLE passing NOLOGIN")
    small.sql("GRANT SELECT ON things TO passing")
    first, second = small.take("p1"), small.take("p2")
    small.sql("REVOKE ALL ON things FROM passing")
    small.sql("DROP ROLE passing")
    with ThreadPoolExecutor(2) as pool:
        proofs = [pool.submit(small.prove, taken["backup"], run) for taken, run in ((first, "p1"), (second, "p2"))]
        assert [proof.result()["roles_made_for_the_proof"] for proof in proofs] == [["passing"], ["passing"]]
    assert small.sql("SELECT 1 FROM pg_roles WHERE rolname = 'passing'") == []


def test_a_leftover_that_cannot_be_dropped_is_named_and_the_proof_goes_on(small):
    taken = small.take()
    small.sql("CREATE DATABASE ops_proof_0000000000000004 IS_TEMPLATE true")
    small.sql("COMMENT ON DATABASE ops_proof_0000000000000004 IS 'opslib proof of other by run dead'")
    try:
        (said,) = small.prove(taken["backup"])["left_by_earlier_runs"]
        assert said.startswith("database ops_proof_0000000000000004: stays")
    finally:
        small.sql("ALTER DATABASE ops_proof_0000000000000004 IS_TEMPLATE false")
        small.sql("DROP DATABASE ops_proof_0000000000000004")
