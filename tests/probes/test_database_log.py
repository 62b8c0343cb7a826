"""What of the write-ahead log in the bucket can be applied without a gap."""

import json

import pytest

from opslib.errors import Unreachable
from opslib.lab.cloud import client
from opslib.probes import database as probes
from opslib.probes.database_log import Chain, chain, position
from tests.databases import with_settings

PIECE = 16 * 1024 * 1024


def names(*numbers, timeline=1):
    return [f"{timeline:08X}{number // 256:08X}{number % 256:08X}" for number in numbers]


CHAINS = {
    "whole": (names(3, 4, 5), (names(5)[0], 6 * PIECE, None, 3)),
    "older pieces do not count": (names(1, 3, 4), (names(4)[0], 5 * PIECE, None, 2)),
    "a gap ends it": (names(3, 4, 6, 7), (names(4)[0], 5 * PIECE, names(5)[0], 2)),
    "the first is missing": (names(4, 5), (None, None, names(3)[0], 0)),
    "nothing yet": ([], (None, None, names(3)[0], 0)),
    "past the 256th": (names(*range(3, 258)), (names(257)[0], 258 * PIECE, None, 255)),
    "other files": (
        [*names(3), "00000001000000000000000C.00000028.backup", "x"],
        (names(3)[0], 4 * PIECE, None, 1),
    ),
    "a later timeline with its history": (
        [*names(3, 4), *names(4, 5, timeline=2), "00000002.history"],
        (names(5, timeline=2)[0], 6 * PIECE, None, 3),
    ),
    "a later timeline without": ([*names(3, 4), *names(5, timeline=2)], (names(4)[0], 5 * PIECE, None, 2)),
}


@pytest.mark.parametrize(("kept", "wanted"), CHAINS.values(), ids=CHAINS)
def test_a_chain_goes_from_the_base_backup_to_the_first_gap(kept, wanted):
    assert chain(kept, 1, 3 * PIECE + 40) == Chain(*wanted)


def test_an_older_timeline_does_not_lead_on_from_a_base_backup_of_a_newer_one():
    assert chain(names(3, 4), 2, 3 * PIECE).pieces == 0


@pytest.mark.parametrize(("lsn", "wanted"), [("0/0", 0), ("0/D000028", 0xD000028), ("1A/10", 0x1A * 2**32 + 16)])
def test_a_position_is_bytes_from_the_logs_beginning(lsn, wanted):
    assert position(lsn) == wanted


MANIFEST = {
    "System-Identifier": 7713500088482071598,
    "WAL-Ranges": [{"Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000120"}],
}


def test_the_newest_base_backup_and_the_end_of_its_log_are_read_from_the_bucket(lab):
    store = client(lab.settings, "s3")
    target = with_settings(lab, continuous_prefix="log-test/")
    assert with_settings(lab, continuous_prefix=None).settings.continuous_prefix is None

    def put(key, body=b"x", **metadata):
        store.put_object(Bucket=lab.settings.backup_bucket, Key=f"log-test/{key}", Body=body, Metadata=metadata)

    try:
        (row,) = probes.kept_log.read(target)
        assert (row["base_backups"], row["last"]) == (0, None)
        put("base/monday/base.tar")
        put("base/monday/backup_manifest", json.dumps(MANIFEST).encode())
        put("base/tuesday/base.tar")  # still under way: no manifest
        for name in names(3, 4):
            put(f"wal/{name}.gz", ended="2026-11-28T10:00:00+00:00")
        (row,) = probes.kept_log.read(target)
        assert (row["base"], row["base_backups"], row["last"], row["missing"]) == ("monday", 1, names(4)[0], None)
        assert row["ended"].isoformat() == "2026-11-28T10:00:00+00:00"
        assert row["system_identifier"] == "7713500088482071598"
        put("base/wednesday/backup_manifest", b"{}")
        with pytest.raises(Unreachable, match="no manifest of a base backup"):
            probes.kept_log.read(target)
    finally:
        target.close()
        for version in store.list_object_versions(Bucket=lab.settings.backup_bucket, Prefix="log-test/")["Versions"]:
            store.delete_object(Bucket=lab.settings.backup_bucket, Key=version["Key"], VersionId=version["VersionId"])


def test_a_target_that_keeps_no_log_has_no_row(lab):
    assert probes.kept_log.read(lab.target) == []
