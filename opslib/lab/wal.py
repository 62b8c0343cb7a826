"""Keep the write-ahead log in the lab's object store, and fetch it again: ``archive_command`` and ``restore_command``.

A program of its own, ``python -P -m opslib.lab.wal keep FILE PATH NAME`` and ``… fetch FILE NAME PATH``; ``FILE`` says
where the store is, with its keys, and is readable by the server's account only. It needs no boto3, whose import would
cost more than all the rest, a hundred times in one recovery.

Exit codes, as PostgreSQL reads them (manual, "Continuous Archiving and Point-in-Time Recovery"): 0 done; 1 not done,
and when fetching "there is no such file"; 150 "nobody knows whether there is". PostgreSQL takes any code up to 125 for
the end of the log, and a recovery would end early, without a word, because the store was away for a second.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PREFIX = "continuous/"
WAL, BASE = "wal/", "base/"
ENDED, DIGEST = "x-amz-meta-ended", "x-amz-meta-sha256"
FILE = "wal.json"
TIMEOUT_SECONDS = 30
"""How long a piece of the log that is not full waits, at most, before it is kept (``archive_timeout``)."""

SECONDS = 20.0
DONE, NOT_DONE, NOBODY_KNOWS = 0, 1, 150

SETTINGS = """\
# Kept in the object store, for point-in-time recovery.
archive_mode = on
archive_timeout = {seconds}s
archive_command = '{command}'
"""


def settings(folder: Path, *, kept: bool) -> str:
    """Return the lines of a server's configuration that keep its log; while not ``kept``, it is thrown away."""
    return SETTINGS.format(seconds=TIMEOUT_SECONDS, command=command(folder, "keep", "%p", "%f") if kept else "true")


def command(folder: Path, verb: str, *places: str) -> str:
    """Return the command for a server's configuration file.

    PostgreSQL hands it to ``sh`` and has no other way. So it is made of fixed parts, each quoted for the shell, then
    for PostgreSQL (``%`` and ``'`` doubled). What PostgreSQL puts in for ``%p`` and ``%f`` are names that it made
    itself: hexadecimal digits, ``pg_wal`` and fixed endings.
    """
    said = shlex.join([sys.executable, "-P", "-m", "opslib.lab.wal", verb, str(folder / FILE)])
    return f"{said.replace('%', '%%')} {' '.join(places)}".replace("'", "''")


class Store:
    """The part of the lab's bucket where the log is."""

    def __init__(self, file: Path) -> None:
        """Read where it is; raises OSError or ValueError when nobody said so yet, or any more."""
        self._said: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))

    def ask(
        self, method: str, name: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, Any, bytes]:
        """Send one signed request for one file of the log; returns status, headers and body. Raises OSError."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        url = f"{self._said['url']}/{self._said['bucket']}/{PREFIX}{WAL}{name}.gz"
        request = AWSRequest(method=method, url=url, data=body, headers=headers or {})
        S3SigV4Auth(Credentials(self._said["id"], self._said["key"]), "s3", self._said["region"]).add_auth(request)
        parts = urlsplit(url)
        line = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=SECONDS)
        try:
            line.request(method, parts.path, body or None, dict(request.headers.items()))
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"the store's answer broke off: {error!r}") from error
        finally:
            line.close()


def keep(store: Store, path: Path, name: str) -> str | None:
    """Put one file of the log into the store, unless it is there; returns what is wrong, or None.

    The same content once more is fine (a server that died may not know that it had kept it). Another content under
    the same name is refused: that is another server's log, and overwriting it would cost the way back.
    """
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    # When the piece was full, not when it came here: what was committed between is not in it.
    ended = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    headers = {"If-None-Match": "*", DIGEST: digest, ENDED: ended}
    status, _, said = store.ask("PUT", name, gzip.compress(data, 1, mtime=0), headers)
    if status == http.client.OK:
        return None
    if status != http.client.PRECONDITION_FAILED:
        return f"the store says {status}: {said[:200]!r}"
    status, there, _ = store.ask("HEAD", name)
    if status == http.client.OK and there.get(DIGEST) == digest:
        return None
    return "the store has another content under this name: does another server keep its log there?"


def fetch(store: Store, name: str, path: Path) -> int:
    """Write one file of the log to ``path``, whole or not at all; returns the exit code for PostgreSQL."""
    status, there, body = store.ask("GET", name)
    if status == http.client.NOT_FOUND:
        return NOT_DONE
    if status != http.client.OK:
        return _say(NOBODY_KNOWS, f"{name}: the store says {status}")
    data = gzip.decompress(body)
    if hashlib.sha256(data).hexdigest() != there.get(DIGEST):
        return _say(NOBODY_KNOWS, f"{name}: what the store has is not what was put there")
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
    return DONE


def main(arguments: list[str]) -> int:
    """Keep or fetch one file; returns the exit code."""
    verb, file, one, other = arguments
    try:
        store = Store(Path(file))
        if verb == "fetch":
            return fetch(store, one, Path(other))
        wrong = keep(store, Path(one), other)
    except (OSError, ValueError, KeyError) as error:
        return _say(NOBODY_KNOWS if verb == "fetch" else NOT_DONE, f"{one}: {error}")
    return _say(NOT_DONE, f"{other}: {wrong}") if wrong else DONE


def _say(code: int, text: str) -> int:
    print(f"opslib.lab.wal: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
