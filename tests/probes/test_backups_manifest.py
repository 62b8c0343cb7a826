import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.probes.backups_compare import compare
from opslib.probes.backups_manifest import Contents, LargeObjects, Manifest, Proof, Sequence, Table

PROPERTIES = {"encoding": "UTF8", "provider": "libc", "collate": "C", "ctype": "C", "owner": "postgres"}
BIG = 2**63 - 1
counts = st.integers(0, BIG)
digests = st.integers(-(2**63), BIG).map(str)
tables = st.dictionaries(
    st.text(min_size=1, max_size=9),
    st.builds(Table, kind=st.just("table"), rows=counts, sum=digests, xor=digests),
    max_size=4,
)
sequences = st.dictionaries(
    st.text(min_size=1, max_size=9),
    st.builds(Sequence, last=st.none() | st.integers(-BIG, BIG), increment=st.sampled_from([1, -1, BIG])),
    max_size=4,
)


def contents(tables=(), sequences=(), **more):
    said = {"properties": PROPERTIES, "extensions": {}, "roles": (), "objects": {}, "large_objects": {"count": 0}}
    return Contents.model_validate(said | {"tables": dict(tables), "sequences": dict(sequences)} | more)


def manifest(held):
    return Manifest.model_validate(
        {
            "name": "b",
            "run": "r",
            "origin": {
                "database": "d",
                "database_bytes": BIG,
                "server": "s",
                "server_version": "18.6",
                "system_identifier": str(BIG),
                "wal_lsn": None,
                "taken_at": "2026-11-23T12:00:00.123456Z",
            },
            "dump": {"key": "k", "version": "v", "size": 2**53, "sha256": "0" * 64, "seconds": 0.1},
            "tools": {},
            "contents": held,
        }
    )


@given(tables, sequences)
def test_contents_equal_themselves_also_after_being_stored(tables, sequences):
    held = contents(tables, sequences)
    stored = manifest(held).encode()
    read = Manifest.model_validate_json(stored)
    assert compare(held, read.contents) == ()
    assert read.encode() == stored
    assert read == manifest(held)


@given(tables, st.sampled_from(["rows", "sum", "xor"]))
def test_any_change_of_any_figure_of_a_table_is_named(tables, what):
    for name, table in tables.items():
        value = getattr(table, what)
        other = table.model_copy(update={what: value + 1 if what == "rows" else f"{value}1"})
        (row,) = compare(contents(tables), contents({**tables, name: other}))
        assert (row["kind"], row["name"]) == ("rows" if what == "rows" else "content", name)


@given(tables)
def test_a_missing_and_an_additional_table_are_both_named(tables):
    for name in tables:
        fewer = {other: table for other, table in tables.items() if other != name}
        assert [row["found"] for row in compare(contents(tables), contents(fewer))] == ["absent"]
        assert [row["expected"] for row in compare(contents(fewer), contents(tables))] == ["absent"]


def test_large_objects_whose_pages_could_not_be_read_are_compared_by_their_number_only():
    some, unread = LargeObjects(count=2, sum="5", xor="6"), LargeObjects(count=2)
    assert compare(contents(large_objects=some), contents(large_objects=unread)) == ()
    (row,) = compare(contents(large_objects=some), contents(large_objects=LargeObjects(count=1)))
    assert (row["expected"], row["found"]) == (2, 1)


def test_the_recovery_time_grows_with_the_database():
    proof = Proof.model_validate(
        {
            **dict.fromkeys(("name", "run", "manifest_sha256", "dump_sha256", "server_version"), "x"),
            "proven_at": "2026-11-23T12:00:00Z",
            "read_seconds": 1.0,
            "restore_seconds": 4.0,
            "compare_seconds": 1.0,
            "database_bytes": 100,
            "restored_bytes": 80,
        }
    )
    assert (proof.recovery_seconds, proof.restore_rate) == (6.0, 20.0)
    assert (proof.predicted_seconds(100), proof.predicted_seconds(200)) == (6.0, 12.0)


@pytest.mark.parametrize(
    ("format_", "names"), [(1, ["a.big"]), (2, []), (2, ["a.big", "a.big"]), (2, ["a.small"]), (4, ["a.big"])]
)
def test_a_manifest_whose_pieces_do_not_fit_its_format_or_its_tables_is_none(format_, names):
    whole = manifest(contents({"a.big": Table(kind="table", rows=1, sum="1", xor="1")})).model_dump()
    one = {**whole["dump"], "key": "b.1.dump.zst"}
    assert Manifest.model_validate({**whole, "format": 2, "pieces": [{**one, "table": "a.big"}]}).size == 2**54
    with pytest.raises(ValueError, match=r"format|each piece"):
        Manifest.model_validate({**whole, "format": format_, "pieces": [{**one, "table": name} for name in names]})


@pytest.mark.parametrize(
    ("format_", "digests", "columns", "good"),
    [
        (3, 2, ("id",), True),
        (3, 2, None, True),
        (3, 1, ("id",), False),
        (3, 2, (), False),
        (2, 1, ("id",), False),
        (1, 2, None, False),
        (2, 2, (), False),
    ],
)
def test_what_is_of_the_newest_format_has_its_digests_and_pieces_of_rows_alone(format_, digests, columns, good):
    whole = manifest(contents({"a.big": Table(kind="table", rows=1, sum="1", xor="1")})).model_dump()
    whole["contents"]["digests"] = digests
    one = {**whole["dump"], "key": "b.1.sql.zst", "table": "a.big", "columns": columns}
    said = {**whole, "format": format_, "pieces": [] if columns is None else [one]}
    if good:
        assert Manifest.model_validate(said).format == format_
        return
    with pytest.raises(ValueError, match="format"):
        Manifest.model_validate(said)


def test_contents_with_digests_of_two_forms_are_never_equal():
    one = contents({"a.big": Table(kind="table", rows=1, sum="1", xor="1")})
    other = one.model_copy(update={"digests": 2})
    assert compare(one, one) == ()
    assert [row["kind"] for row in compare(one, other)] == ["form of digests"]
