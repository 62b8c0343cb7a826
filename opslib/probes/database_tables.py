"""Tables and indexes: what is unused, invalid, redundant or missing, their use, bloat, vacuum, wraparound, sizes.

Where a relation is exclusively locked, or somebody waits to lock it so, it is not opened: its size is
then the catalog's page count, and the row says ``estimate``. So these questions end in milliseconds
while an ALTER TABLE waits, which is when they are needed.
"""

from __future__ import annotations

from opslib.model import Probe
from opslib.probes.database_asking import asks

MEGABYTE = 1024 * 1024
_BYTES = dict.fromkeys(("bytes", "table_bytes", "index_bytes", "toast_bytes", "bytes_estimate"), "bytes")


def unused_indexes(megabytes: float = 10) -> Probe:
    """Return the probe of valid indexes above ``megabytes`` that were never scanned and serve no rule."""
    return asks(
        "indexes_unused",
        parameters={"bytes": int(megabytes * MEGABYTE)},
        units=_BYTES | {"statistics_days": "days"},
    )


invalid_indexes = asks("indexes_invalid")
"""Indexes that are kept up to date, perhaps, but never used; those being built just now are left out."""

redundant_indexes = asks("indexes_redundant", units=_BYTES)
"""Indexes whose whole use another one of the same table has too: duplicates, and prefixes of a B-tree."""

foreign_keys_without_index = asks("foreign_keys_without_index", units=_BYTES)
"""Foreign keys whose referencing side has no index, with the rows a delete of the parent would search."""

_EMPTY = {"bytes": "bytes", "empty_bytes_estimate": "bytes", "empty_percent_estimate": "%"}

table_bloat = asks("bloat_tables", units=_EMPTY)
"""Empty space in tables, estimated from pg_stats' widths; None where a column has no statistics."""

index_bloat = asks("bloat_indexes", units=_EMPTY)
"""Empty space in B-trees, estimated the same way; blind to stored-once duplicates, so it errs downwards."""

vacuum = asks("vacuum", primary=True, units={"seconds_since_vacuum": "seconds"})
"""Dead rows of each table, or dead pieces of its TOAST (``worst_part``), against the number that starts autovacuum."""

freeze = asks("freeze", units={"transactions": "transactions", "multixacts": "multixacts"})
"""Age of the oldest unfrozen transaction and multixact number of databases and tables, worst first."""

materialised_views = asks("materialised_views", units=_BYTES)
"""Materialised views, whether they were ever filled, and whether they may be refreshed while they are read."""

largest_tables = asks("largest_tables", units=_BYTES)
"""The 20 largest tables with their parts; ``size_is`` says which sizes are estimates."""

index_use = asks("index_use", units=_BYTES | {"share_percent": "%"})
"""The 50 largest indexes with their scans; ``share_percent`` of all look-ups of their table, by whatever way."""

table_use = asks("table_use", units={"in_place_percent": "%", "found_percent": "%", "index_found_percent": "%"})
"""How each table is read and written since the statistics began: those read whole, row by row, come first."""

collations = asks("collations", units={"bytes_estimate": "bytes"})
"""Each collation that indexes sort by, under which version they were built, and which one the server has now."""
