"""zstd on the way: what is packed here every ``zstd`` program unpacks, and the other way round.

Both let go of the interpreter while they work, so that pieces in threads of their own go on side by side.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from opslib.errors import StepFailed

CHUNK = 1024 * 1024
"""So many bytes are unpacked at a time, whatever a few packed ones stand for."""

LEVEL = 1
"""Level 3 saves a tenth more on rows and JSON and takes half as long again."""

WINDOW = 18
"""Packing looks back 2**18 bytes, half of what the level would: it stays within a processor's own cache."""


def packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces as one compressed stream."""
    if sys.version_info >= (3, 14):
        from compression.zstd import CompressionParameter, ZstdCompressor
    else:
        from backports.zstd import CompressionParameter, ZstdCompressor
    packing = ZstdCompressor(
        options={CompressionParameter.compression_level: LEVEL, CompressionParameter.window_log: WINDOW}
    )
    for piece in pieces:
        if data := packing.compress(piece):
            yield data
    yield packing.flush()


def unpacked(pieces: Iterable[bytes], what: str) -> Iterator[bytes]:
    """Yield what was packed; raises StepFailed with ``what`` where the stream is cut off, damaged or goes on."""
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdDecompressor, ZstdError
    else:
        from backports.zstd import ZstdDecompressor, ZstdError
    unpacking = ZstdDecompressor()
    next_step = "Do not restore it; choose another backup."
    for piece in pieces:
        if unpacking.eof:
            raise StepFailed(f"{what} goes on behind its end.", next_step)
        try:
            data = unpacking.decompress(piece, CHUNK)
            while data:
                yield data
                data = b"" if unpacking.eof or unpacking.needs_input else unpacking.decompress(b"", CHUNK)
        except ZstdError as error:
            raise StepFailed(f"{what} is damaged: {error}.", next_step) from error
    if not unpacking.eof or unpacking.unused_data:
        raise StepFailed(f"{what} is cut off, or goes on behind its end.", next_step)
