"""What a database may hold that only shows when it is restored, or when the restored one is dropped again."""

import pytest

from tests.backup_place import place as make_place

SUBSCRIBED = """
CREATE TABLE things (id int);
CREATE SUBSCRIPTION follows CONNECTION 'host=127.0.0.1 port=1 dbname=x' PUBLICATION p WITH (connect = false)
"""


@pytest.fixture
def subscribed(lab):
    with make_place(lab, SUBSCRIBED) as made:
        yield made
        made.sql("ALTER SUBSCRIPTION follows SET (slot_name = NONE)")
        made.sql("DROP SUBSCRIPTION follows")


def test_a_subscription_is_not_restored_and_the_scratch_database_can_be_dropped(subscribed):
    taken = subscribed.take()
    proven = subscribed.prove(taken["backup"])
    assert proven["scratch"] not in subscribed.databases()
    assert subscribed.sql("SELECT count(*) AS n FROM pg_subscription WHERE subname = 'follows'") == [{"n": 1}]


def test_a_constraint_that_a_child_inherits_from_an_unchecked_one_is_no_difference(lab):
    schema = (
        "CREATE TABLE things (id int); ALTER TABLE things ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;"
        "CREATE TABLE child () INHERITS (things)"
    )
    with make_place(lab, schema) as made:
        assert made.prove(made.take()["backup"])["proof"] in {f"{made.name}/{name}" for name in made.objects()}
