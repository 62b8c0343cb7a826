"""Checks hold a probe's reading against a threshold and know a remedy. One module per area; rules are pure."""

from opslib.areas import lazily

__getattr__ = lazily(__name__)
