import json
import os
import socket
import stat
import threading

import pytest

from opslib.errors import Refused, StepFailed, UsageError
from opslib.runs.channel import LONGEST, Client, Server
from tests.waiting import until


class Echo:
    def answer(self, request, progress):
        if request["verb"] == "refuse":
            raise Refused("No.", "Ask somebody else.")
        if request["verb"] == "break":
            raise ZeroDivisionError("by nothing")
        progress({"text": "half", "done": 1, "total": 2})
        return {"said": request}


@pytest.fixture
def line(tmp_path):
    server = Server(tmp_path / "run", Echo())
    client = Client(str(tmp_path / "run"))
    yield client
    client.close()
    server.close()


def test_an_answer_comes_back_after_its_progress(line):
    seen = []
    assert line.ask("say", progress=seen.append, word="ä")["said"] == {"verb": "say", "word": "ä"}
    assert seen == [{"text": "half", "done": 1, "total": 2}]


def test_a_refusal_arrives_as_the_same_kind_with_its_next_step(line):
    with pytest.raises(Refused) as raised:
        line.ask("refuse")
    assert (raised.value.message, raised.value.next_step) == ("No.", "Ask somebody else.")


def test_a_defect_in_the_executor_reaches_the_notebook_as_words(line):
    with pytest.raises(StepFailed, match="ZeroDivisionError: by nothing"):
        line.ask("break")
    assert line.ask("say")["said"] == {"verb": "say"}


def test_the_socket_is_its_owners_alone(line, tmp_path):
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o600


def test_nonsense_on_the_line_does_not_stop_the_server(line, tmp_path):
    with socket.socket(socket.AF_UNIX) as rude:
        rude.connect(str(tmp_path / "run"))
        rude.sendall(b"\xff\xfe not json\n")
        assert b"error" in rude.recv(4096)
    assert line.ask("say")["said"] == {"verb": "say"}


def test_a_gone_executor_is_an_error_and_not_a_hang(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "gone"))
        listener.listen()
        client = Client(str(tmp_path / "gone"))
        threading.Thread(target=lambda: listener.accept()[0].close()).start()
        with pytest.raises((StepFailed, OSError)):
            client.ask("say")
        client.close()


class Painter:
    """Tells much progress and then says that it came to its end."""

    def __init__(self):
        self.done = threading.Event()

    def answer(self, request, progress):
        for _ in range(100):
            progress({"text": "x" * 100_000})
        self.done.set()


def test_an_effect_comes_to_its_end_although_its_notebook_has_died(tmp_path):
    painter = Painter()
    server = Server(tmp_path / "run", painter)
    with socket.socket(socket.AF_UNIX) as dying:
        dying.connect(str(tmp_path / "run"))
        dying.sendall(b'{"verb": "paint"}\n')
        assert dying.recv(1)
    assert painter.done.wait(20)
    server.close()


def test_an_effect_comes_to_its_end_although_its_notebook_reads_nothing(tmp_path):
    painter = Painter()
    server = Server(tmp_path / "run", painter, patience=1)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(tmp_path / "run"))
        deaf.sendall(b'{"verb": "paint"}\n')
        assert painter.done.wait(20)
    server.close()


def test_a_message_that_is_too_long_is_refused_in_words_and_the_line_stays_whole(line):
    with pytest.raises(UsageError, match="at most"):
        line.ask("say", text="x" * LONGEST)
    assert line.ask("say")["said"] == {"verb": "say"}


def test_another_user_is_not_heard(tmp_path):
    server = Server(tmp_path / "run", Echo(), peer=os.getuid() + 1)
    client = Client(str(tmp_path / "run"))
    with pytest.raises((StepFailed, OSError)):
        client.ask("say")
    client.close()
    server.close()


class Slow:
    """Notes what it is asked, and answers when it is let."""

    def __init__(self):
        self.asked, self.let = [], threading.Event()

    def answer(self, request, progress):
        self.asked.append(request["word"])
        assert self.let.wait(20)


def say(word):
    return json.dumps({"verb": "say", "word": word}).encode() + b"\n"


def test_requests_have_their_turn_and_one_whose_asker_is_gone_is_not_begun(tmp_path):
    slow = Slow()
    server = Server(tmp_path / "run", slow)
    lines = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    for number, line in enumerate(lines):
        line.connect(str(tmp_path / "run"))
        line.sendall(say(number))
        until(lambda: slow.asked == [0])
    lines[0].sendall(say("piped"))
    lines[0].close()
    lines[1].close()
    slow.let.set()
    until(lambda: slow.asked == [0, 2])
    assert lines[2].recv(100) == b'{"answer": null}\n'
    lines[2].close()
    server.close()
    assert slow.asked == [0, 2]


@pytest.mark.parametrize(
    "raw",
    [b"5", b'"x"', b"[]", b'{"verb": "\\ud800"}', b'{"verb": NaN}', b"[" * 9999, b'{"a":' * 70 + b"1" + b"}" * 70],
)
def test_what_is_no_request_is_refused_in_words(line, tmp_path, raw):
    with socket.socket(socket.AF_UNIX) as rude:
        rude.connect(str(tmp_path / "run"))
        rude.sendall(raw + b"\n")
        said = json.loads(rude.makefile("rb").readline())
    assert said["error"]["message"].startswith("A request was not understood")


def test_more_lines_than_a_notebook_needs_are_closed_and_the_first_goes_on(line, tmp_path):
    assert line.ask("say")["said"] == {"verb": "say"}
    more = [socket.socket(socket.AF_UNIX) for _ in range(100)]
    for one in more:
        one.connect(str(tmp_path / "run"))
    until(lambda: sum(thread.name.startswith("Thread") for thread in threading.enumerate()) < 30)
    assert line.ask("say")["said"] == {"verb": "say"}
    for one in more:
        one.close()
