"""Steps whose effects can be counted: each makes one mark in one system, and can tell afterwards whether it is there.

A mark in PostgreSQL or Valkey is written in the transaction that is the effect; one in the object store is an
object that exists once; one behind HTTP is asked for under a key that the other side knows again.
"""

import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from opslib.actions.base import Action, Settled
from opslib.errors import Unreachable
from opslib.model import Effect, Outcome, Repeat, Verdict, Verification
from opslib.systems.object_store import Bucket
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_exchange import end_earlier
from opslib.systems.web import Asker

TABLE = "CREATE TABLE marks (work text, word text)"


def patience():
    """Seconds that one call to a system may take."""
    return float(os.environ.get("MARK_SECONDS", "30"))


def halfway(word):
    """Stand in the middle of an effect: what was begun is not complete."""
    return word


class Mark(Action):
    """One mark; ``make`` makes it, ``count`` looks how often it is there."""

    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    word: str

    def plan(self, target):
        return self.planned(
            before={self.word: "no mark"},
            after={self.word: "a mark"},
            touches=1,
            touched="marks",
            verification="the mark is there once",
            undo="None.",
        )

    def apply(self, target, plan, progress):
        self.make(target)
        return {"word": self.word}

    def settle(self, target, plan, progress):
        self.end(target)
        there = self.count(target)
        if there == 1:
            return Settled(Outcome.DONE, "The mark is there.", {"word": self.word})
        if there == 0:
            return Settled(Outcome.NOT_DONE, "The mark is not there.")
        return Settled(Outcome.UNKNOWN, f"The mark is there {there} times.")

    def verify(self, target, plan, values):
        there = self.count(target)
        return Verification(Verdict.OK if there == 1 else Verdict.CRITICAL, f"the mark is there {there} times")

    def end(self, target):
        """End what a broken-off ``make`` left behind."""


class MarkTable(Mark):
    """A row."""

    name: ClassVar[str] = "mark-table"
    title: ClassVar[str] = "Mark a table"
    area: ClassVar[str] = "database"

    def make(self, target):
        with self._session(target) as session, session.transaction():
            said = {"work": target.run, "word": self.word}
            session.execute("INSERT INTO marks VALUES (%(work)s, %(word)s)", said, what="mark")
            halfway(self.word)

    def end(self, target):
        with self._session(target) as session:
            end_earlier(session)

    def count(self, target):
        said = {"work": target.run, "word": self.word}
        with self._session(target) as session:
            asked = "SELECT count(*) AS n FROM marks WHERE work = %(work)s AND word = %(word)s"
            return session.execute(asked, said, what="look for the mark")[0]["n"]

    def _session(self, target):
        most = patience()
        url = target.settings.database_url
        return AdminDatabase(url, f"opslib:{target.run}", statement_seconds=most, connect_seconds=most)


class MarkCache(Mark):
    """A counter and its marker, in one transaction."""

    name: ClassVar[str] = "mark-cache"
    title: ClassVar[str] = "Mark the cache"
    area: ClassVar[str] = "cache"

    def make(self, target):
        with self._asking(target) as ask:
            ask("MULTI")
            ask("INCR", f"mark:{target.run}:{self.word}")
            ask("SET", f"ops:{target.run}:{self.word}", "done")
            halfway(self.word)
            ask("EXEC")

    def count(self, target):
        with self._asking(target) as ask:
            marker, there = ask("GET", f"ops:{target.run}:{self.word}"), ask("GET", f"mark:{target.run}:{self.word}")
        assert (marker is None) == (there is None), "half of a transaction"
        return int(there or 0)

    @contextmanager
    def _asking(self, target):
        most = patience()
        limits = {"socket_timeout": most, "socket_connect_timeout": most, "retry": Retry(NoBackoff(), 0)}
        with redis.Redis.from_url(target.settings.cache_url.reveal(), **limits) as client:
            connection = client.connection_pool.get_connection()

            def ask(*command):
                connection.send_command(*command)
                return connection.read_response()

            yield ask


class MarkStore(Mark):
    """An object, uploaded in parts."""

    name: ClassVar[str] = "mark-store"
    title: ClassVar[str] = "Mark the store"
    area: ClassVar[str] = "backups"

    def make(self, target):
        with self._store(target) as store, store.upload(self._key(target), {"run": target.run}) as writing:
            writing.write(self.word.encode())
            halfway(self.word)
            writing.complete()

    def end(self, target):
        with self._store(target) as store:
            for left in store.unfinished(self._key(target)):
                store.abort(left)

    def count(self, target):
        with self._store(target) as store:
            return len(store.versions(self._key(target)))

    def _key(self, target):
        return f"marks/{target.run}/{self.word}"

    @contextmanager
    def _store(self, target):
        store = Bucket(target.settings, target.settings.backup_bucket, seconds=patience())
        try:
            yield store
        finally:
            store.close()


class MarkWeb(Mark):
    """Something that a service does when it is asked twice: for a draft, and to publish it under a key."""

    name: ClassVar[str] = "mark-web"
    title: ClassVar[str] = "Mark a service"
    area: ClassVar[str] = "llm"

    def make(self, target):
        self._ask(target, "drafts", send=True)
        halfway(self.word)
        self._ask(target, "effects", send=True)

    def count(self, target):
        return json.loads(self._ask(target, "effects").text)["count"]

    def _ask(self, target, what, send=False):
        url = f"{target.settings.application_url}/{what}/{target.run}/{self.word}"
        # A handle for each question: a kept connection would need no name and no log-in again.
        web, most = Asker(), patience()
        try:
            if send:
                answer = web.post(url, self.word.encode(), "text/plain", deadline=most)
            else:
                answer = web.get(url, deadline=most)
        finally:
            web.close()
        if answer.status != 200:
            raise Unreachable(f"The service answered {answer.status}.", "Look at it.")
        return answer


MARKS = {action.name: action for action in (MarkTable, MarkCache, MarkStore, MarkWeb)}


class Service:
    """The other side of HTTP marks; ``published`` counts what was asked for under each key."""

    def __init__(self):
        self.published = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                what, key = self.path[1:].split("/", 1)
                if what == "effects":
                    service.published[key] = service.published.get(key, 0) + 1
                self.answer(key)

            def do_GET(self):
                self.answer(self.path[1:].split("/", 1)[1])

            def answer(self, key):
                data = json.dumps({"count": service.published.get(key, 0), "of": "x" * 200}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
