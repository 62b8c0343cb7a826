"""A PostgreSQL of its own for the team's index, with a database in UTF-8, and emptied between tests."""

from contextlib import closing, contextmanager

from opslib.redaction import DatabaseUrl
from opslib.systems.index_store import IndexStore
from opslib.systems.postgres import connect
from tests import queue_server

SCHEMA = "opslib_index"


class Base:
    """The database of the index: ``url`` as its owner."""

    def __init__(self, server):
        self.server = server
        with server.session() as session:
            session.execute("CREATE DATABASE team ENCODING 'UTF8' TEMPLATE template0")
        self.url = DatabaseUrl(server.url).with_path("team")

    def session(self, url=None):
        return connect(url or self.url, "opslib:test")

    def rows(self, query, *given):
        with self.session() as session:
            return session.execute(query, given).fetchall()

    def do(self, *statements):
        with self.session() as session:
            for statement in statements:
                session.execute(statement)

    def empty(self):
        """Take out what earlier tests left, and install the index anew."""
        self.do("SET client_min_messages = warning", f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        with closing(IndexStore(self.url)) as store:
            store.install()

    def everything(self):
        """All that stands in it, as one text."""
        tables = ("about", "archives", "runs", "lines", "days")
        return "\n".join(str(row) for table in tables for row in self.rows(f"SELECT * FROM {SCHEMA}.{table}"))


@contextmanager
def base(folder, options=()):
    """Such a database, on a server that runs."""
    with queue_server.server(folder, options) as server:
        yield Base(server)
