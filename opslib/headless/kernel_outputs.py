"""What is kept of a cell's outputs: so many bytes and no more, neighbouring streams joined, without secrets."""

from __future__ import annotations

import json
from typing import Any

from opslib.redaction import Redactor

MOST = 2_000_000
"""Bytes of output that are kept of one cell."""

TORN = 4_096
"""Characters that a cut stream loses at its end: the cut may have gone through a secret, which is not seen then."""

KEPT = {"stream", "display_data", "execute_result", "error", "update_display_data", "comm_open", "comm_msg"}


class Meter:
    """Counts the bytes of one cell's outputs as they come, and says which of them no longer fit."""

    def __init__(self) -> None:
        self.cut = 0
        self._used = 0
        self._shown: dict[str, int] = {}

    def takes(self, message: dict[str, Any]) -> bool:
        """Return whether this message of the kernel may be kept; one that is no output always may."""
        kind, content = message["header"]["msg_type"], message.get("content", {})
        if kind == "clear_output":
            self._used = 0
        if kind not in KEPT:
            return True
        size = _size(content)
        shown = str(content.get("transient", {}).get("display_id") or "")
        before = self._shown.get(shown, 0) if kind == "update_display_data" else 0
        # How an error ends a cell is always kept, if it is not an output in disguise.
        if self._used - before + size > MOST and not (kind == "error" and size <= MOST // 4):
            if kind == "stream" and (room := MOST - self._used) > 2 * TORN:
                # One message may hold all that a cell printed: what fits of it is kept.
                text = content["text"]
                content["text"] = text.encode(errors="replace")[:room].decode(errors="ignore")
                self.cut += size - _size(content)
                self._used = MOST
                return True
            self.cut += size
            return False
        self._used += size - before
        if shown:
            self._shown[shown] = size
        return True


def _size(content: dict[str, Any]) -> int:
    # Each output costs something beside its text, so that many empty ones are not free.
    if isinstance(text := content.get("text"), str):
        return 64 + len(text.encode(errors="replace"))
    return 256 + len(json.dumps(content, default=str))


def kept(outputs: list[Any], meter: Meter, redactor: Redactor) -> list[Any]:
    """Return the outputs as they are recorded; where some were cut, the last one says how much."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output["output_type"] == last["output_type"] == "stream" and output["name"] == last["name"]:
            last["text"] += output["text"]
        else:
            joined.append(output)
    streams = [output for output in joined if output["output_type"] == "stream"]
    for name in {output["name"] for output in streams}:
        # A secret may be split over several messages, also around a picture; only the whole stream shows it.
        own = [output for output in streams if output["name"] == name]
        for output, text in zip(own, redactor.texts([output["text"] for output in own]), strict=True):
            output["text"] = text
        if meter.cut:
            own[-1]["text"] = own[-1]["text"][:-TORN]
    if meter.cut:
        said = f"{meter.cut} bytes of this cell's output were cut: at most {MOST} are kept.\n"
        joined.append({"output_type": "stream", "name": "stderr", "text": said})
    return joined


def without_secrets(message: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """Return the kernel's message redacted; a binary buffer (a widget's state) in which a secret stands is emptied."""
    buffers = [b"" if redactor.leaks(bytes(buffer)) else buffer for buffer in message.get("buffers") or []]
    content = message["content"]
    if message["header"]["msg_type"] == "stream":
        return {**message, "content": {**content, "text": redactor.begun(content["text"])}}
    return {**message, "content": redactor.tree(content), "buffers": buffers}
