"""A few words of a language model, streamed: whether a provider really answers, and how soon its first word comes.

A declared call of diagnostics that is paid for (the other is :mod:`.llm_limits`): the executor makes it when a notebook
was told to ask. Source:
OpenAI's and Together.ai's API descriptions (chat/completions, ``stream``: ``data: {…}`` lines, ``data: [DONE]``).
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from opslib.errors import Refused, Unreachable
from opslib.redaction import Secret
from opslib.settings import ReadSettings
from opslib.systems.api_errors import fault
from opslib.systems.llm_keys import Provider, ReadOnlyKeys, vendor
from opslib.systems.web import Asker

SECONDS = 25.0
"""As long as the product's own client waits."""
MOST = 10
"""Questions of one run."""
TOKENS = 16
"""One token would come at once and show nothing of the stream."""
PROMPT = "This is a test of the connection, number {nonce}. Answer with the numbers from one to ten in words."


_asked: Counter[str] = Counter()


def spend(run: str) -> None:
    """Count a question of a run that is paid for; raises Refused after :data:`MOST`."""
    _asked[run] += 1
    if _asked[run] > MOST:
        raise Refused(f"This run has asked providers for words {MOST} times.", "Begin another run.")


@dataclass(frozen=True)
class Said:
    """How an answer came: seconds to the first word and to the end, and the tokens that the provider counts."""

    model: str
    first: float
    seconds: float
    prompt: int | None
    completion: int | None


@dataclass(frozen=True)
class Words:
    """The providers, each asked with the key that is handed in."""

    settings: ReadSettings = field(repr=False)
    run: str

    def first(self, provider: Provider, key: Secret) -> Said:
        """Ask the cheapest model that the key may use for at most :data:`TOKENS` tokens; a prompt never asked before.

        Raises Unreachable where the provider does not answer, does not take the key, or says nothing, and Refused
        after :data:`MOST` questions of one run: what is paid for has an end, whatever a notebook says.
        """
        spend(self.run)
        offered = ReadOnlyKeys(self.settings).models(provider, key)
        model = next((one for one in provider.models if one in offered), None)
        if model is None:
            said = f"The key may use none of {', '.join(provider.models)}."
            raise Unreachable(said, "Look at its project.", "missing")
        body = {
            "model": model,
            "messages": [{"role": "user", "content": PROMPT.format(nonce=uuid.uuid4().hex)}],
            "max_tokens": TOKENS,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return self._streamed(provider, key, model, json.dumps(body).encode())

    def _streamed(self, provider: Provider, key: Secret, model: str, body: bytes) -> Said:
        asker, where = Asker(), f"{provider.base(self.settings).rstrip('/')}/chat/completions"
        headers: dict[str, str | Secret] = {
            "authorization": Secret(f"Bearer {key.reveal()}"),
            "content-type": "application/json",
            "accept": "text/event-stream",
        }
        stream = _Stream()
        try:
            answer = asker.stream(where, body, stream.take, deadline=SECONDS, headers=headers)
            ended = time.monotonic()
        finally:
            asker.close()
        if error := fault(vendor(provider), f"POST {where}", answer):
            raise error
        if stream.first is None or not stream.done:
            said = "broke its stream off" if stream.first is not None else "said no word"
            raise Unreachable(f"{provider.title} {said} (POST {where}).", "Look at its status page.", "malformed")
        # Counted from when the question left, not from when this machine began to prepare it.
        first = max(0.0, stream.first - (ended - answer.seconds))
        return Said(model, first, answer.seconds, stream.prompt, stream.completion)

    def close(self) -> None:
        """Nothing stays open between two questions."""


class _Stream:
    def __init__(self) -> None:
        self._rest = b""
        self.first: float | None = None
        self.done = False
        self.prompt: int | None = None
        self.completion: int | None = None

    def take(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:].strip())

    def _event(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.done = True
            return
        try:
            said: Any = json.loads(data)
            words = [choice["delta"].get("content") for choice in said.get("choices") or ()]
            usage = said.get("usage") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if self.first is None and any(words):
            self.first = time.monotonic()
        self.prompt = usage.get("prompt_tokens", self.prompt)
        self.completion = usage.get("completion_tokens", self.completion)
