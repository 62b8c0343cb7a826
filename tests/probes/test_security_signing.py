"""The signing keys as the executor sees them: by GET alone, and who may check tokens with the shared secret."""

import pytest

from opslib.errors import OpsError, Refused
from opslib.probes import asked
from opslib.probes import security as probes
from tests.signing_keys import CURRENT, OLDER, signers


@pytest.fixture
def there(lab):
    with signers(lab.settings) as made:
        yield made


def who(there):
    rows = probes.verifiers.read(there.reading)
    return [row["who"] for row in rows if row["who"]], rows[0]["shared"]


def test_each_key_is_told_with_its_status_and_whether_anybody_can_check_with_it(there):
    rows = probes.signing.read(there.reading)
    assert [(row["key"], row["status"], row["published"], row["older"]) for row in rows] == [
        (OLDER, "previously_used", None, True),
        (CURRENT, "in_use", True, False),
    ]
    assert {call["method"] for call in there.doors.calls("supabase")} == {"GET"}
    assert all(asked.BY_NAME[one.name] is one and one.by_executor for one in (probes.signing, probes.verifiers))


def test_a_project_that_was_never_told_of_keys_has_none(there):
    there.project.change(signing_keys={})
    assert probes.signing.read(there.reading) == []
    with there.doors.fault("supabase", "404", path="/signing-keys"):
        assert probes.signing.read(there.reading) == []


def test_stores_with_the_shared_secret_and_functions_that_check_tokens_are_named(there):
    cluster = "the cluster's secret api-server-environment: JWT_SECRET"
    assert who(there) == (["the vault: JWT_SECRET", cluster], False)
    there.project.function("hello", verify_jwt=True)
    there.put(CURRENT, status="previously_used")
    there.put(OLDER, status="in_use")
    found, shared = who(there)
    assert (found[-1], shared) == ("the function hello, whose callers' tokens Supabase checks", True)


@pytest.mark.parametrize("fault", ["401", "403", "429", "500", "malformed", "empty"])
def test_what_cannot_be_looked_at_is_an_error_and_no_row(there, fault):
    with there.doors.fault("supabase", fault, path="/signing-keys", seconds=30), pytest.raises(OpsError) as told:
        probes.signing.read(there.reading)
    assert told.value.next_step


def test_two_keys_in_use_are_nobodys_to_rotate(there):
    there.put(OLDER, status="in_use")
    with pytest.raises(Refused, match="2 keys in use"):
        probes.verifiers.read(there.reading)
