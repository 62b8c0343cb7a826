import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import StepFailed
from opslib.systems.program_pipes import through
from opslib.systems.zstd import CHUNK, packed, unpacked

DATA = b"".join(b"%d\n" % number for number in range(20_000))
PACKED = b"".join(packed([DATA]))


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_what_is_packed_is_unpacked_whatever_the_pieces_are(pieces, size):
    data = b"".join(packed(pieces))
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(unpacked(cut, "it")) == b"".join(pieces)


@given(st.integers(0, len(PACKED) - 1))
def test_a_stream_that_is_cut_anywhere_is_refused(at):
    with pytest.raises(StepFailed, match="it is cut off"):
        list(unpacked([PACKED[:at]], "it"))


def test_a_few_packed_bytes_never_become_more_than_a_chunk_at_a_time():
    found = [len(data) for data in unpacked(packed([bytes(3 * CHUNK + 5)]), "it")]
    assert (max(found), sum(found)) == (CHUNK, 3 * CHUNK + 5)


@pytest.mark.parametrize("pieces", [[PACKED + b"x"], [PACKED, b"x"], [b"PGDMP" + PACKED], [PACKED, PACKED]])
def test_what_is_no_single_stream_is_refused(pieces):
    with pytest.raises(StepFailed, match=r"it (is damaged|is cut off|goes on)"):
        list(unpacked(pieces, "it"))


@pytest.fixture
def programs_of_ours(tmp_path, monkeypatch):
    """Let pg_restore be a script; returns a function that writes it."""
    monkeypatch.setenv("OPS_PG_BIN", str(tmp_path))

    def write(body):
        version = 'if [ "$1" = --version ]; then echo "pg_restore (PostgreSQL) 18.6"; exit; fi\n'
        (tmp_path / "pg_restore").write_text(f"#!/bin/sh\n{version}{body}\n")
        (tmp_path / "pg_restore").chmod(0o755)

    return write


def read(source):
    with through("pg_restore", ["--file=-"], source, server_version="18.6", seconds=60) as chunks:
        return b"".join(chunks)


def test_a_program_reads_and_answers_at_once(programs_of_ours):
    programs_of_ours("exec cat")
    assert read([DATA] * 20) == DATA * 20


def test_what_broke_the_input_off_is_told_and_not_what_the_program_makes_of_it(programs_of_ours):
    programs_of_ours("cat; echo 'unexpected end of file' >&2; exit 1")
    with pytest.raises(StepFailed, match="the piece is cut off"):
        read(unpacked([PACKED[:-5]], "the piece"))


def test_a_program_that_reads_no_further_says_why(programs_of_ours):
    programs_of_ours("head -c 10; echo 'no such thing' >&2; exit 3")
    with pytest.raises(StepFailed, match="exit code 3: no such thing"):
        read([DATA] * 50)


def test_leaving_early_ends_the_program_and_its_input(programs_of_ours):
    programs_of_ours("exec cat")
    endless = iter(lambda: DATA, b"")
    with through("pg_restore", ["--file=-"], endless, server_version="18.6", seconds=60) as chunks:
        assert next(iter(chunks))[:4] == DATA[:4]


def test_the_program_of_that_name_reads_what_we_pack(tmp_path):
    import shutil

    if shutil.which("zstd") is None:
        pytest.skip("there is no zstd here")
    done = subprocess.run(["zstd", "-dc"], input=PACKED, capture_output=True, check=True)
    assert done.stdout == DATA
