"""The line between a runner and the process in which its notebook's cells are executed: frames over a socket.

A frame is four bytes of length, the most significant first, and so many bytes of JSON.
"""

from __future__ import annotations

import socket
import struct

LONGEST = 64 * 1024 * 1024
"""Bytes of one frame at most: a notebook can't fill its runner."""

_HEAD = struct.Struct("!I")


def framed(data: bytes) -> bytes:
    """Return the frame with these bytes."""
    return _HEAD.pack(len(data)) + data


def receive(line: socket.socket, longest: int = LONGEST) -> bytes | None:
    """Return the next frame's bytes; None where the line ends before, or the frame would be too long."""
    head = _read(line, _HEAD.size)
    if head is None:
        return None
    (size,) = _HEAD.unpack(head)
    return _read(line, size) if size <= longest else None


def _read(line: socket.socket, size: int) -> bytes | None:
    found = bytearray()
    while len(found) < size:
        piece = line.recv(min(size - len(found), 1 << 20))
        if not piece:
            return None
        found += piece
    return bytes(found)
