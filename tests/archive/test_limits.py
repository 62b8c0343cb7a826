"""How much of a file is read at most: a bound against damage and malice, in bytes, the same for every reader."""

from opslib import sshsig
from opslib.archive import copy, heartbeat, interrupted, log, record, seal, seal_secrets, timestamp, verify_run

KIB, MIB = 2**10, 2**20


def test_no_more_than_so_many_bytes_are_read():
    assert sshsig.LARGEST == 64 * KIB
    assert log.LARGEST == 16 * KIB
    assert timestamp.LARGEST == 256 * KIB
    assert seal.LARGEST == 16 * MIB
    assert record.LARGEST == seal_secrets.LARGEST == 64 * MIB
    assert verify_run._LONGEST == interrupted._LARGEST == 256 * MIB
    assert copy.LARGEST == 1024 * MIB


def test_a_scan_reads_files_whole_up_to_the_size_that_is_read_as_json_and_the_others_piece_by_piece():
    assert seal.scan.__kwdefaults__ == {"largest": seal_secrets.LARGEST, "window": 8 * MIB}
    assert seal._OVERLAP == 64 * KIB


def test_others_have_so_long_to_answer():
    assert timestamp.SECONDS == 10
    assert heartbeat.SLACK.total_seconds() == 300
