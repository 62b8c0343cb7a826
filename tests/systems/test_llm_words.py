"""A streamed answer as it is read: the first word, the end, the tokens; and what is none."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opslib.errors import Refused, Unreachable
from opslib.redaction import Secret
from opslib.systems import llm_words
from opslib.systems.llm_keys import PROVIDERS

KEY = Secret("of-nobody-9f3Kq7Zr2Lm8")
ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}],"usage":null}\n\n'
WORD = b'data: {"choices":[{"delta":{"content":"one"}}],"obfuscation":"x"}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":25,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"


@contextmanager
def provider(*pieces, status=200, pause=0.0):
    """Serve the models, and these pieces as the answer to a chat, with a pause before each."""
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(200, [b'{"data":[{"id":"gpt-3.5-turbo"}]}'])

        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.answer(status, pieces)

        def answer(self, status, pieces):
            self.send_response(status)
            self.end_headers()
            for piece in pieces:
                time.sleep(pause if self.command == "POST" else 0)
                self.wfile.write(piece)
                self.wfile.flush()

        def log_message(self, *words):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    finally:
        server.shutdown()
        server.server_close()


def asked(lab, url, run):
    words = llm_words.Words(lab.settings.reading().model_copy(update={"openai_url": url}), run)
    return words.first(PROVIDERS["openai"], KEY)


def test_the_first_word_comes_before_the_end_and_the_prompt_is_new_each_time(lab):
    with provider(b": a comment\n\n", ROLE, WORD, WORD, WORD, USAGE, DONE, pause=0.05) as (url, bodies):
        said, _ = (asked(lab, url, "words-new") for _ in range(2))
    assert 0 < said.first < said.seconds
    assert (said.model, said.prompt, said.completion) == ("gpt-3.5-turbo", 25, 2)
    assert len(set(bodies)) == 2


def test_pieces_that_are_cut_anywhere_are_read_whole(lab):
    text = ROLE + WORD + USAGE + DONE
    with provider(*(text[i : i + 7] for i in range(0, len(text), 7))) as (url, _):
        said = asked(lab, url, "words-cut")
    assert (said.prompt, said.completion) == (25, 2)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((ROLE, DONE), "said no word"),
        ((), "said no word"),
        ((b'{"choices":[{"message":{"content":"not streamed"}}]}',), "said no word"),
        ((b"data: no JSON\n\n", b'data: ["a list"]\n\n', b'data: {"choices":[{}]}\n\n', DONE), "said no word"),
        ((ROLE, WORD), "broke its stream off"),
    ],
)
def test_a_stream_without_a_word_or_an_end_is_no_answer(lab, pieces, words):
    with provider(*pieces) as (url, _), pytest.raises(Unreachable, match=words) as told:
        asked(lab, url, f"words-{words}")
    assert told.value.kind == "malformed"


@pytest.mark.parametrize(("status", "kind"), [(401, "unauthorized"), (429, "limited"), (503, "broken")])
def test_a_refusal_is_told_by_its_code_and_repeats_no_part_of_the_key(lab, status, kind):
    body = b'{"error":{"message":"Incorrect API key: of-nobody-9f3K***","code":"insufficient_quota"}}'
    with provider(body, status=status) as (url, _), pytest.raises(Unreachable) as told:
        asked(lab, url, f"words-{status}")
    assert told.value.kind == kind
    assert "insufficient_quota" in told.value.message
    assert "of-nobody" not in str(told.value)


def test_a_run_asks_so_often_and_no_more(lab):
    with provider(ROLE, WORD, DONE) as (url, bodies):
        for _ in range(llm_words.MOST):
            asked(lab, url, "words-many")
        with pytest.raises(Refused, match="10 times"):
            asked(lab, url, "words-many")
        asked(lab, url, "words-another-run")
    assert len(bodies) == llm_words.MOST + 1
