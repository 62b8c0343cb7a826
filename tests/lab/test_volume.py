"""A volume of a size of its own: the size is chosen, what is used is real."""

from opslib.lab import volume
from opslib.lab.application_node_metrics import node_metrics


def test_a_folder_lies_on_this_machines_disk_until_it_is_given_a_size(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    assert volume.size(data) is None
    volume.give(data, 1_000_000)
    assert volume.size(data) == 1_000_000
    volume.take_away(data)
    volume.take_away(data)
    assert volume.size(data) is None


def test_what_is_used_are_the_bytes_of_its_files(tmp_path):
    data = tmp_path / "data"
    (data / "pg_wal").mkdir(parents=True)
    before = volume.used(data)
    (data / "pg_wal" / "0001").write_bytes(b"x" * 100_000)
    assert 100_000 <= volume.used(data) - before < 120_000
    volume.give(data, 1_000_000)
    text = node_metrics(data).decode()
    assert 'node_filesystem_size_bytes{device="volume"' in text
    (free,) = [line.split()[-1] for line in text.splitlines() if line.startswith("node_filesystem_avail_bytes")]
    assert float(free) == 1_000_000 - volume.used(data)


def test_one_that_is_smaller_than_its_files_is_full(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table").write_bytes(b"x" * 100_000)
    volume.give(tmp_path / "data", 50_000)
    text = node_metrics(tmp_path / "data").decode()
    (free,) = [line.split()[-1] for line in text.splitlines() if line.startswith("node_filesystem_avail_bytes")]
    assert float(free) == 0
