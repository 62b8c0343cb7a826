"""A listing of the lab's store names the versions as they are, and copies none of their content."""

import copy
import gc

import pytest
from moto.s3.models import FakeKey, S3Backend

from opslib.lab import aws_listing


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(FakeKey, "__deepcopy__", aws_listing.listed, raising=False)
    made = S3Backend("us-east-1", "123456789012")
    made.create_bucket("backups", "us-east-1")
    made.put_bucket_versioning("backups", "Enabled")
    yield made
    made.reset()


def test_the_latest_version_is_told_and_what_is_there_stays_as_it_is(store):
    for content in (b"first", b"second"):
        store.put_object("backups", "a", content)
    before = [dict(vars(key)) for key in store.get_bucket("backups").keys.getlist("a")]
    versions, *_ = store.list_object_versions("backups")
    said = [(key.name, key.is_latest, key.value) for key in versions]
    assert said == [("a", True, b"second"), ("a", False, b"first")]
    del versions
    gc.collect()
    assert [dict(vars(key)) for key in store.get_bucket("backups").keys.getlist("a")] == before
    assert store.get_object("backups", "a").value == b"second"


def test_a_copy_for_a_listing_shares_the_content(store):
    key = store.put_object("backups", "a", b"content")
    made = copy.deepcopy(key)
    assert made is not key
    assert made._value_buffer is key._value_buffer
