"""The HTTP reader against real sockets: what it returns, when it gives up, and how it names failures."""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opslib.errors import SettingsError, Unreachable, UsageError
from opslib.redaction import Secret
from opslib.systems.web import KINDS, Asker, Reader, everybodys_authorities
from tests.hosts import Authority


class Site(BaseHTTPRequestHandler):
    """A small site: /hello, /moved, /missing, /large, /drip, /half, /silent, /headers."""

    protocol_version = "HTTP/1.1"
    release = threading.Event()

    def log_message(self, *said):
        """Say nothing."""

    def do_GET(self):
        path = self.path.split("?")[0]
        getattr(self, f"page_{path.strip('/')}", self.page_missing)()

    do_HEAD = do_GET

    def do_POST(self):
        if self.path == "/ask":
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200, b"\xff\x00" + body + self.headers["Content-Type"].encode(), Content_Type="text/plain")
        else:
            self.do_GET()

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def page_hello(self):
        self.answer(200, "grüß dich".encode(), Content_Type="text/plain; charset=utf-8")

    def page_moved(self):
        self.answer(302, Location="/hello")

    def page_missing(self):
        self.answer(404, b"no such page")

    def page_large(self):
        self.answer(200, b"x" * 5000)

    def page_headers(self):
        self.answer(200, self.headers.get("Authorization", "none").encode())

    def page_half(self):
        self.answer(200, b"half", Content_Length=1000)
        self.close_connection = True

    def page_silent(self):
        self.release.wait(30)

    def page_drip(self):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.release.wait(0.05):
                self.wfile.write(b".")
                self.wfile.flush()


@pytest.fixture(scope="module")
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Site.release.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def reader():
    one = Reader(size_limit=4096)
    yield one
    one.close()


def failure(reader, url, **more):
    with pytest.raises(Unreachable) as caught:
        reader.get(url, **more)
    return caught.value


def test_an_answer_has_status_headers_text_and_seconds(reader, site):
    answer = reader.get(f"{site}/hello")
    assert (answer.status, answer.text) == (200, "grüß dich")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.seconds > 0


def test_an_error_status_is_an_answer(reader, site):
    answer = reader.get(f"{site}/nowhere")
    assert (answer.status, answer.text) == (404, "no such page")


def test_a_redirect_is_returned_and_not_followed(reader, site):
    answer = reader.get(f"{site}/moved")
    assert (answer.status, answer.headers["location"], answer.text) == (302, "/hello", "")


def test_head_has_headers_and_no_body(reader, site):
    answer = reader.head(f"{site}/large")
    assert (answer.status, answer.headers["content-length"], answer.text) == (200, "5000", "")


def test_there_is_no_way_to_ask_with_a_method_that_writes(reader):
    assert [name for name in dir(reader) if not name.startswith("_")] == ["close", "get", "head", "pour"]


def test_a_secret_header_is_sent_and_never_shown(reader, site):
    secret = Secret("Bearer abcdefgh-12345678")
    assert reader.get(f"{site}/headers", headers={"Authorization": secret}).text == "Bearer abcdefgh-12345678"
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    said = str(failure(reader, f"http://127.0.0.1:{port}/?key=abcdefgh", headers={"Authorization": secret}))
    assert "abcdefgh" not in said


def test_a_body_beyond_the_limit_is_refused_as_a_whole(reader, site):
    assert failure(reader, f"{site}/large").kind == "large"


def test_a_connection_cut_in_the_middle_is_no_answer(reader, site):
    assert failure(reader, f"{site}/half").kind == "closed"


def test_a_silent_server_and_one_that_drips_are_given_up_and_the_next_question_works(reader, site):
    assert failure(reader, f"{site}/silent", deadline=0.3).kind == "slow"
    assert failure(reader, f"{site}/drip", deadline=0.3).kind == "slow"
    assert reader.get(f"{site}/hello").status == 200


def test_a_given_up_exchange_leaves_no_thread(reader, site):
    before = {thread.ident for thread in threading.enumerate()}
    failure(reader, f"{site}/drip", deadline=0.3)
    ours = [t for t in threading.enumerate() if t.ident not in before and "_run" in t.name]
    for thread in ours:
        thread.join(10)
    assert not [thread for thread in ours if thread.is_alive()]


def test_failures_are_told_apart(reader, site):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    assert failure(reader, f"http://127.0.0.1:{nobody}/").kind == "refused"
    assert failure(reader, "http://nowhere.invalid/").kind == "dns"
    assert failure(reader, f"{site.replace('http', 'https')}/hello").kind == "tls"


def test_a_server_that_speaks_no_http_is_told_so(reader):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-nobody\r\n\r\n")

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        assert failure(reader, f"http://127.0.0.1:{listener.getsockname()[1]}/").kind == "protocol"
        thread.join(5)


@pytest.mark.parametrize(
    "url", ["", "ftp://host/", "host/path", "http://", "http://host:port/", "file:///etc/passwd", "http://user@host/"]
)
def test_what_is_no_plain_address_is_refused_before_anything_is_sent(reader, url):
    with pytest.raises(UsageError):
        reader.get(url)


def test_credentials_in_an_address_are_refused_without_being_repeated(reader):
    with pytest.raises(UsageError) as caught:
        reader.get("http://user:secret-password@localhost/")
    assert "secret-password" not in str(caught.value)


def test_every_kind_says_what_happened_and_what_to_do(site):
    assert all(said and next_step.endswith((".", "?")) for said, next_step in KINDS.values())


def test_a_closed_reader_opens_again(reader, site):
    reader.get(f"{site}/hello")
    reader.close()
    assert reader.get(f"{site}/hello").status == 200


def test_a_question_with_a_body_is_sent_whole_and_its_answer_is_kept_as_bytes(site):
    asker = Asker(size_limit=4096)
    answer = asker.post(f"{site}/ask", b"\x00\xfe?", "application/x-question")
    assert (answer.status, answer.data) == (200, b"\xff\x00\x00\xfe?application/x-question")
    asker.close()


def test_a_question_with_a_body_has_the_same_limits_as_one_without(site):
    asker = Asker(size_limit=4096)
    for path, kind in (("large", "large"), ("half", "closed"), ("drip", "slow"), ("silent", "slow")):
        with pytest.raises(Unreachable) as caught:
            asker.post(f"{site}/{path}", b"?", "text/plain", deadline=1.0)
        assert caught.value.kind == kind
    assert asker.post(f"{site}/moved", b"?", "text/plain").status == 302
    asker.close()


def pour(reader, url, take=None, deadline=5.0):
    pieces = []
    answer = reader.pour(url, take or pieces.append, deadline=deadline, headers={})
    return answer, b"".join(pieces)


def test_what_is_larger_than_an_answer_may_be_is_handed_over_piece_by_piece(reader, site):
    assert pour(reader, f"{site}/large")[1] == b"x" * 5000
    answer, poured = pour(reader, f"{site}/nowhere")
    assert (answer.status, answer.text, poured) == (404, "no such page", b"")


def test_what_breaks_off_is_no_whole_answer_though_pieces_were_handed_over(reader, site):
    pieces = []
    with pytest.raises(Unreachable) as caught:
        pour(reader, f"{site}/half", pieces.append)
    assert (caught.value.kind, b"".join(pieces)) == ("closed", b"half")


@pytest.mark.parametrize("page", ["drip", "silent"])
def test_what_drips_or_is_silent_is_given_up_at_the_deadline_and_hands_over_nothing_more(reader, site, page):
    pieces = []
    with pytest.raises(Unreachable) as caught:
        pour(reader, f"{site}/{page}", pieces.append, deadline=0.4)
    assert caught.value.kind == "slow"
    assert bool(pieces) is (page == "drip")
    there = len(pieces)
    assert pour(reader, f"{site}/hello")[1] == "grüß dich".encode()
    assert len(pieces) == there


def test_who_takes_the_pieces_can_break_it_off_in_the_own_thread(reader, site):
    taken = []

    def enough(piece):
        taken.append(threading.current_thread())
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        pour(reader, f"{site}/large", enough)
    assert taken == [threading.current_thread()]
    assert reader.get(f"{site}/hello").status == 200


def test_a_secret_in_a_header_goes_with_what_is_poured(reader, site):
    pieces = []
    headers = {"authorization": Secret("Bearer abcdefgh-12345678")}
    reader.pour(f"{site}/headers", pieces.append, deadline=5.0, headers=headers)
    assert b"".join(pieces) == b"Bearer abcdefgh-12345678"


def test_whom_everybody_trusts_is_read_once_and_those_who_are_named_are_read_again(tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    usual = everybodys_authorities()
    assert everybodys_authorities() is usual
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    named = everybodys_authorities()
    assert named is not usual
    assert [one["subject"] for one in named.get_ca_certs()] == [((("commonName", "root"),),)]


def test_authorities_that_cannot_be_read_are_named(site, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(SettingsError, match=r"nowhere\.pem holds no certificates"):
        Reader().get(f"{site}/page", deadline=5)
