"""Probes read one fact each, through handles that cannot write. One module per area; SQL in ``sql/``."""

from opslib.areas import lazily

__getattr__ = lazily(__name__)
