"""A time stamp authority on loopback: OpenSSL answers, and a certificate of our own making vouches for it."""

from __future__ import annotations

import shutil
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIG = """
[tsa]
default_tsa = ours
[ours]
serial = serial
signer_cert = signer.pem
signer_key = signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
crypto_device = builtin
"""


class Authority:
    """Serves time stamps; ``how`` makes it misbehave: down, text, other (an old answer), silent."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            raise RuntimeError("These tests need the openssl program.")
        self.folder, self.ca, self.how, self.old = folder, folder / "ca.pem", "", b""
        self.asked = 0
        folder.mkdir(exist_ok=True)
        (folder / "tsa.cnf").write_text(CONFIG)
        (folder / "serial").write_text("01\n")
        _certificates(folder)
        self._released, self._turns = threading.Event(), threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        """Stop serving."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, question: bytes) -> bytes:
        """Return the answer to a question as OpenSSL makes it."""
        with self._turns:
            (self.folder / "question").write_bytes(question)
            argv = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "question", "-out", "answer"]
            subprocess.run(argv, cwd=self.folder, check=True, capture_output=True)
            return (self.folder / "answer").read_bytes()

    def agrees(self, token: Path, data: Path) -> bool:
        """Say whether OpenSSL's own verification holds the token for one about the data."""
        argv = ["openssl", "ts", "-verify", "-data", str(data), "-in", str(token), "-CAfile", str(self.ca)]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    def _handler(outer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked += 1
                if outer.how == "silent":
                    outer._released.wait()
                    return
                question = self.rfile.read(int(self.headers["content-length"]))
                data = outer.old if outer.how == "other" else outer.answer(question)
                outer.old = data
                self.send_response(503 if outer.how == "down" else 200)
                self.send_header("content-type", "text/html" if outer.how == "text" else "application/timestamp-reply")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        return Handler


def _certificates(folder: Path) -> None:
    root, signer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    above = _name("root")
    stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    authority = _begun(above, above, root).add_extension(x509.BasicConstraints(True, 0), critical=True)
    (folder / "ca.pem").write_bytes(_pem(authority.sign(root, hashes.SHA256())))
    leaf = _begun(_name("signer"), above, signer).add_extension(stamping, critical=True)
    (folder / "signer.pem").write_bytes(_pem(leaf.sign(root, hashes.SHA256())))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "signer.key").write_bytes(signer.private_bytes(serialization.Encoding.PEM, form, plain))


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    moment = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + timedelta(days=1))
    )


def _name(word: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, word)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
