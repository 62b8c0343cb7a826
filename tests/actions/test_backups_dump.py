import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.actions.backups_dump import Inspection, checksum, form, inspect, restricted, source_database

HEAD = b"""--
-- PostgreSQL database dump
--

\\restrict jWk3

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6 (Debian 18.6-1)

SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE TABLE public.users (
    id bigint NOT NULL,
    "odd ""; name" text DEFAULT 'it''s; \\'::text
);

"""
ROWS = b"""COPY public.users (id, "odd ""; name") FROM stdin;
1\t-- PostgreSQL database dump complete
2\t\\N
3\t\\\\.
\\! touch /tmp/never
5\t\\connect x
\\.

"""
TAIL = b"""
--
-- PostgreSQL database dump complete
--

\\unrestrict jWk3

"""


def of(text: bytes, size: int = 7) -> Inspection:
    return inspect(text[at : at + size] for at in range(0, len(text), size))


def with_sql(text: bytes) -> Inspection:
    return of(HEAD + ROWS + text + TAIL)


def test_a_dump_is_read_to_its_end_and_its_rows_are_counted():
    found = of(HEAD + ROWS + TAIL)
    assert found.faults == ()
    assert found.complete
    assert not found.schema_only
    assert found.tables == {"public.users": 5}
    assert (found.server_version, found.dump_version) == ("18.6", "18.6")


def test_what_is_found_does_not_depend_on_where_the_chunks_are_cut():
    text = (
        HEAD
        + ROWS
        + b"SELECT E'\\'', $a$ ' \\! $a$, U&'x' /* \\i /* a */ */; INSERT INTO public.users VALUES (1, 'a');"
        + TAIL
    )
    whole = inspect([text])
    assert whole.faults == ()
    assert whole.tables == {"public.users": 6}
    assert all(of(text, size) == whole for size in (1, 2, 3, 64, 255, 256, 257))


def test_every_cut_off_dump_is_incomplete():
    text = (HEAD + ROWS + TAIL).rstrip()
    end = text.index(b"\n-- PostgreSQL database dump complete\n--\n") + len(b"\n-- PostgreSQL database dump complete")
    for length in range(end):
        found = inspect([text[:length]])
        assert not found.complete, length
        assert found.faults


def test_an_end_mark_among_the_rows_is_a_row():
    found = of(HEAD + ROWS[: ROWS.index(b"2\t")])
    assert not found.complete


def test_text_after_the_end_mark_is_a_fault():
    assert of(HEAD + ROWS + TAIL + b"DROP TABLE users;\n").faults == ("goes on after its end mark",)


def test_a_dump_without_data_sections_is_schema_only():
    found = of(HEAD + TAIL)
    assert found.schema_only
    assert found.rows == 0


def test_a_dump_whose_tables_are_empty_has_no_rows_but_is_not_schema_only():
    found = of(HEAD + b"COPY public.users (id) FROM stdin;\n\\.\n" + TAIL)
    assert (found.rows, found.schema_only, found.faults) == (0, False, ())


def test_nothing_at_all_does_not_begin_like_a_dump():
    assert "does not begin like a dump of pg_dump" in inspect([]).faults


def test_a_table_without_rows_beside_one_with_rows_counts_as_empty():
    found = with_sql(b'CREATE UNLOGGED TABLE auth."Od.d" (a int);\n')
    assert found.tables == {"auth.Od.d": 0, "public.users": 5}


def test_rows_of_a_table_that_is_not_created_are_a_fault():
    assert "has rows of tables that it does not create: public.b" in with_sql(b"COPY b FROM stdin;\n1\n\\.\n").faults


def test_rows_of_an_extensions_own_table_are_no_fault_and_no_table_of_the_dump():
    found = with_sql(b"CREATE EXTENSION IF NOT EXISTS pg_cron;\nCOPY cron.job (jobid) FROM stdin;\n1\n\\.\n")
    assert (found.faults, found.tables) == ((), {"public.users": 5})


@pytest.mark.parametrize(
    "text",
    [
        b"SELECT pg_catalog.set_config('search_path', '', false);\n",
        b"SELECT pg_catalog.setval('public.users_id_seq', 65, true);\n",
        b"BEGIN;\nSELECT pg_catalog.lo_open('16400', 131072);\nSELECT pg_catalog.lowrite(0, '\\x00');\n"
        b"SELECT pg_catalog.lo_close(0);\nCOMMIT;\n",
        b"SELECT pg_catalog.lo_open(pg_catalog.lo_create('16400'), 131072);\n",
        b"SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '16400';\n",
        b"SELECT * FROM pg_catalog.pg_restore_relation_stats(\n\t'version', '180000'::integer,\n"
        b"\t'relpages', '1'::integer\n);\n",
        b"RESET SESSION AUTHORIZATION;\nSECURITY LABEL FOR x ON TABLE public.users IS 'y';\n",
        b"REFRESH MATERIALIZED VIEW public.totals;\n",
        b"DROP TABLE IF EXISTS public.users;\n",
    ],
)
def test_what_pg_dump_writes_is_no_fault(text):
    assert with_sql(text).faults == ()


def test_inserts_are_counted_by_their_rows():
    found = with_sql(
        b"INSERT INTO public.users VALUES (1, '(),();');\n"
        b'INSERT INTO public.users (id, "values") OVERRIDING SYSTEM VALUE VALUES\n\t(1, f(2)),\n\t(2, NULL)'
        b" ON CONFLICT (id) DO NOTHING;\n"
        b"INSERT INTO public.users DEFAULT VALUES;\n"
    )
    assert found.tables == {"public.users": 9}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\\! rm -rf /\n", "psql command \\!"),
        (b"\\i /etc/passwd\n", "psql command \\i"),
        (b"\\copy users from 'x'\n", "psql command \\copy"),
        (b"\\o |sh\n", "psql command \\o"),
        (b"\\.\n", "psql command \\."),
        (b"SELECT 1 \\gexec\n", "middle of a line"),
        (b"SELECT 1; \\! id\n", "middle of a line"),
        (b"/* x */ \\! id\n", "middle of a line"),
        (b"\\restrict a; \\! id\n", "psql command \\restrict"),
        (b"SELECT (1;\nCOPY public.users FROM stdin;\n\\! id\n\\.\n", "psql command \\!"),
        (b"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC;\nCOPY public.users FROM stdin;\n\\! id\n", "psql command \\!"),
        (b"COPY public.users FROM stdin; \\! id\n", "text between a COPY"),
        (b"COPY public.users FROM stdin WITH (FORMAT csv);\n", "COPY that does not read"),
        (b"COPY public.users FROM PROGRAM 'id';\n", "COPY that does not read"),
        (b"COPY public.users TO '/tmp/x';\n", "COPY that does not read"),
        (b"SET standard_conforming_strings = off;\n", "standard_conforming_strings off"),
        (b"SELECT E'a'\n'b\\'';\n", "escaped string"),
        (b"SELECT 1$a$ ' $a$ ';\n", "dollar sign"),
        (b"ALTER SYSTEM SET x = 1;\n", "more than one database"),
        (b"DROP DATABASE valuecanvas;\n", "more than one database"),
        (b"ALTER USER postgres SUPERUSER;\n", "more than one database"),
        (b"SELECT '\0';\n", "zero byte"),
        (b"INSERT INTO public.users SELECT 1;\n", "cannot be counted"),
        (b"DO $$ BEGIN PERFORM 1; END $$;\n", "does not write (DO"),
        (b"/* x */ do 'BEGIN NULL; END';\n", "does not write (do"),
        (b"CALL public.evil();\n", "does not write (CALL"),
        (b"LOAD 'evil';\n", "does not write (LOAD"),
        (b"SELECT public.dblink_exec('dbname=live', 'x');\n", "does not write (SELECT"),
        (b"SELECT pg_catalog.setval('s', public.evil(), true);\n", "does not write (SELECT"),
        (b"SELECT pg_catalog.pg_terminate_backend(1);\n", "does not write (SELECT"),
        (b"SELECT 1 FROM public.evil_view;\n", "does not write (SELECT"),
        (b'SELECT 1 "a(", evil() AS b;\n', "does not write (SELECT"),
        (b"SELECT 1 INTO t;\n", "does not write (SELECT"),
        (b"WITH x AS (SELECT 1) SELECT 1;\n", "does not write (WITH"),
        (b"DELETE FROM public.users;\n", "does not write (DELETE"),
        (b"UPDATE pg_catalog.pg_class SET relname = 'x';\n", "does not write (UPDATE"),
        (b"TABLE public.users;\n", "does not write (TABLE"),
        (b"(SELECT public.evil());\n", "does not write ((SELECT"),
    ],
)
def test_what_would_do_more_than_restore_is_a_fault(text, said):
    assert any(said in fault for fault in with_sql(text).faults)


@pytest.mark.parametrize(
    "text",
    [
        b"-- \\! in a comment\n",
        b"SELECT 'a\\', '\\! in a string';\n",
        b"CREATE FUNCTION f() RETURNS text AS $_$\n\\! in a body; '\n$_$ LANGUAGE sql;\n",
        b"CREATE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT CASE WHEN $1 > 0 THEN 1 END; SELECT 2; END;\n",
        b'CREATE TABLE public."\\! name" (a int);\n',
        b"SELECT /* \\! in /* nested */ comment */ 1;\n",
        b"CREATE USER MAPPING FOR app SERVER s;\n",
    ],
)
def test_a_backslash_that_is_only_text_is_no_fault(text):
    found = with_sql(text)
    assert found.faults == ()
    assert found.complete


def test_the_database_of_a_dump_with_create_is_known_and_switching_to_it_is_refused():
    found = with_sql(b"CREATE DATABASE shop WITH TEMPLATE = template0;\n\\connect shop\n")
    assert found.database == "shop"
    assert "holds the psql command \\connect" in found.faults


@pytest.mark.parametrize("size", [1, 5, 64, 10_000])
def test_a_dump_is_run_under_a_restriction_of_our_own(size):
    text = HEAD + ROWS.replace(b"1\t", b"\\restrict jWk3\t") + TAIL
    places = of(text, size).restrictions
    assert [text[at : at + length] for at, length in places] == [b"\\restrict jWk3", b"\\unrestrict jWk3"]
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    run = b"".join(restricted(pieces, places, "own"))
    assert run.startswith(b"\\restrict own\n")
    assert run.endswith(b"\n\\unrestrict own\n")
    assert run.count(b"restrict jWk3") == 1, "only the row is left"
    assert len(run) == len(text) + len("\\restrict own\n" + "\n\\unrestrict own\n")


def test_a_cluster_dump_is_refused():
    assert (
        "is a dump of a whole cluster, not of one database"
        in of(b"--\n-- PostgreSQL database cluster dump\n--\n").faults
    )


def test_the_roles_and_extensions_that_a_dump_needs_are_named():
    found = with_sql(
        b"ALTER TABLE public.users OWNER TO valuecanvas;\n"
        b'ALTER SCHEMA auth OWNER TO "Admin ""1""";\n'
        b"GRANT SELECT,UPDATE(id) ON TABLE public.users TO anon, authenticated WITH GRANT OPTION;\n"
        b"REVOKE ALL ON SCHEMA public FROM PUBLIC;\n"
        b"CREATE POLICY p ON public.users FOR SELECT TO service_role USING ((id = 1));\n"
        b"ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO dashboard;\n"
        b"CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;\n"
    )
    assert found.faults == ()
    assert found.roles == (
        'Admin "1"',
        "anon",
        "authenticated",
        "dashboard",
        "postgres",
        "service_role",
        "valuecanvas",
    )
    assert found.extensions == ("citext",)


@given(st.lists(st.binary(max_size=200), max_size=8))
@settings(max_examples=200, deadline=None)
def test_no_bytes_whatever_make_the_inspection_fail(chunks):
    assert inspect(chunks).faults


PIECES = [
    b"'",
    b'"',
    b"$$",
    b"$a$",
    b"\\",
    b"\n",
    b"--",
    b"/*",
    b"*/",
    b";",
    b"(",
    b")",
    b"E'",
    b"COPY t FROM stdin;\n",
    b"\\.\n",
    b"x",
    b" ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.integers(1, 9))
@settings(max_examples=300, deadline=None)
def test_any_mixture_of_marks_reads_alike_in_pieces_and_whole(pieces, size):
    text = HEAD + b"".join(pieces) + TAIL
    assert of(text, size) == inspect([text])


def test_a_changed_byte_is_either_seen_or_leaves_a_whole_dump():
    text = HEAD + ROWS + TAIL
    random.seed(1)
    for _ in range(300):
        at = random.randrange(len(text))
        found = inspect([text[:at] + bytes([random.randrange(256)]) + text[at + 1 :]])
        assert found.complete or found.faults


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"PGDMP\x01", "custom"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"--\n-- PostgreSQL", "plain"),
        (b"toc.dat\0\0", "a tar format file"),
        (b"\x28\xb5\x2f\xfd", "a zstd file"),
        (b" \n", "an empty file"),
        (b"a\0b", "binary data"),
    ],
)
def test_a_format_is_told_by_its_first_bytes(head, said):
    assert form(head) == said


A, B = "a" * 64, "B" * 64


@pytest.mark.parametrize(
    "text", [A, f"{A}\n", A.upper(), f"{A}  x.sql.gz\n", f"{A} *x.sql.gz", f"{B}  y\n{A}  /backups/x.sql.gz\r\n"]
)
def test_checksum_files_are_read_with_and_without_a_file_name(text):
    assert checksum(text.encode(), "backups/x.sql.gz") == A


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("abc", "not a SHA-256"),
        (f"{A}  y.sql", "says nothing of x.sql.gz"),
        (f"{A}\n{B}", "several checksums"),
        (f"{A}  x.sql.gz extra\0", "says nothing"),
        ("\xff", "not a SHA-256"),
    ],
)
def test_a_checksum_file_that_does_not_speak_of_the_dump_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        checksum(text.encode("latin-1"), "backups/x.sql.gz")


def test_the_database_of_a_custom_dump_is_in_its_listing():
    listing = ";\n; Archive created at 2026-11-23\n;     dbname: value canvas\n;     TOC Entries: 9\n"
    assert source_database(listing) == "value canvas"
    assert source_database("") is None
