from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from opslib.errors import Refused, SettingsError, Unreachable
from opslib.systems.anchor_store import LARGEST, AnchorStore, Exists
from opslib.systems.object_store import StoreError


@pytest.fixture
def store(lab):
    one = AnchorStore(lab.settings)
    yield one
    one.close()


def test_a_published_object_is_locked_in_compliance_mode_for_the_days_described(store, lab):
    version = store.put_new("t-lock/a", b"kept")
    head = store.head("t-lock/a", version)
    assert head.lock == "COMPLIANCE"
    days = timedelta(days=lab.settings.anchor_days)
    assert abs(head.locked_until - datetime.now(UTC) - days) < timedelta(minutes=1)
    with pytest.raises(Refused, match="forbids"):
        store.call("delete_object", Key="t-lock/a", VersionId=version, BypassGovernanceRetention=True)
    assert store.read("t-lock/a", version=version) == b"kept"


def test_an_object_of_the_same_name_is_refused_and_the_first_one_stays(store):
    store.put_new("t-once/a", b"first")
    with pytest.raises(Exists):
        store.put_new("t-once/a", b"second")
    [row] = store.versions("t-once/")
    assert store.content(row) == b"first"


def test_every_version_is_listed_also_of_what_was_put_again_or_deleted(store):
    store.put_new("t-again/a", b"first")
    store.call("put_object", Key="t-again/a", Body=b"second")
    store.call("delete_object", Key="t-again/a")
    rows = sorted(store.versions("t-again/"), key=lambda row: row.modified)
    assert sorted(store.content(row) for row in rows) == [b"first", b"second"]
    assert store.list("t-again/") == []


def test_what_is_larger_than_a_head_is_not_read(store):
    store.call("put_object", Key="t-large/a", Body=b"x" * (LARGEST + 1))
    [row] = store.versions("t-large/")
    with pytest.raises(Refused, match="larger"):
        store.content(row)


def test_a_bucket_that_cannot_lock_is_refused(lab):
    loose = lab.settings.model_copy(update={"anchor_bucket": lab.settings.lease_bucket})
    store = AnchorStore(loose)
    with pytest.raises(StoreError):
        store.put_new("t-loose/a", b"kept")
    assert store.versions("t-loose/") == []
    store.close()


def test_without_a_bucket_or_an_answer_nothing_is_published(lab):
    with pytest.raises(SettingsError, match="OPS_ANCHOR_BUCKET"):
        AnchorStore(lab.settings.model_copy(update={"anchor_bucket": None}))
    closed = lab.settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(Unreachable, match="no connection"):
        AnchorStore(closed).put_new("a", b"kept")


def test_the_store_is_reached_with_its_own_credentials(store, lab):
    assert store._client._request_signer._credentials.access_key == lab.settings.anchor_aws_access_key_id.reveal()
    assert lab.settings.anchor_aws_access_key_id.reveal() != lab.settings.aws_access_key_id.reveal()
