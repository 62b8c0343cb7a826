"""What each kind of traffic does: what a user of the service would, and writes only in places of its own.

Settings are asked anew for each connection: a recovery may have moved what they lead to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from opslib.errors import OpsError, Unreachable
from opslib.lab.broken import providers
from opslib.redaction import DatabaseUrl
from opslib.settings import Settings
from opslib.systems.kubernetes_secrets import ReadOnlyClusterSecrets
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.web import Reader

if TYPE_CHECKING:
    import redis

Ask = Callable[[], Settings]
PATIENCE = 3.0
"""Seconds after which a user gives up; a chat may take longer."""

CREATE = (
    "CREATE SCHEMA opslib_drill",
    "CREATE TABLE opslib_drill.written (n bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
)
DROP = "DROP SCHEMA IF EXISTS opslib_drill CASCADE"
# Users read cases: where these are gone, the database is out, though it takes rows.
WRITE = """
WITH used AS (SELECT id FROM public.cases LIMIT 1)
INSERT INTO opslib_drill.written (n) SELECT %(n)s FROM (SELECT count(*) FROM used) AS counted
"""
THERE = "SELECT n FROM opslib_drill.written"
PREFIX = "opslib:drill:"
BYTES = 8 * 1024
"""Of a key's value: a cache that is full shows within seconds."""
MOST_KEYS = 2_000
MARK = "opslib-drill-"
PER_PERSON = 3
"""Chats that one person asks before the next one does: five requests a minute are allowed to each."""
MARKED = """
SELECT request_metadata->>'request_id' AS id FROM public.llm_usage WHERE request_metadata->>'request_id' LIKE %(mark)s
"""
_FILES = re.compile(r"""(?:src|href)=["'](\./assets/[^"']{1,200})["']""")
_LATER = re.compile(r"""import\(["'](\./[^"']{1,200})["']\)""")


class Rows:
    """One committed row after the other, each after a look at the cases."""

    counted, pause = "rows", 0.1

    def __init__(self, settings: Ask) -> None:
        self._settings = settings
        self._session: AdminDatabase | None = None

    def clean(self) -> None:
        """Drop the table of its own."""
        with self._asking() as session:
            session.execute(DROP, what="drop the drill's table")

    def prepare(self) -> None:
        """Make it."""
        with self._asking() as session:
            for statement in CREATE:
                session.execute(statement, what="make the drill's table")

    def go(self, n: int) -> None:
        """Commit a row."""
        with self._asking() as session:
            session.execute(WRITE, {"n": n}, what="write a row")

    def there(self) -> set[int]:
        """Return the numbers of the rows."""
        with self._asking() as session:
            return {row["n"] for row in session.execute(THERE, what="count the rows")}

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()
            self._session = None

    @contextmanager
    def _asking(self) -> Iterator[AdminDatabase]:
        if self._session is None:
            url = _led(self._settings())
            self._session = AdminDatabase(url, MARK, statement_seconds=PATIENCE, connect_seconds=PATIENCE)
        try:
            yield self._session
        except OpsError:
            self.close()
            raise


def _led(settings: Settings) -> DatabaseUrl:
    """Return the server to which the secret of the application's pods leads: users are where the application is."""
    other = settings.standby_database_url
    if other is None or settings.application_standby is None:
        return settings.database_url
    secrets = ReadOnlyClusterSecrets(settings, settings.kubernetes_token)
    for held in secrets.read_by_pods():
        if key := held.key_of("DATABASE_URL"):
            led = held.database(key)
            return other if led is not None and led.place == settings.application_standby else settings.database_url
    return settings.database_url


class Keys:
    """One key after the other, in a family of its own, without a time to live."""

    counted, pause = "keys", 0.1

    def __init__(self, settings: Ask) -> None:
        self._settings = settings
        self._client: redis.Redis | None = None

    def clean(self) -> None:
        """Remove the family."""
        with self._asking() as client:
            if names := list(client.scan_iter(match=f"{PREFIX}*", count=1000)):
                client.unlink(*names)

    def prepare(self) -> None:
        """Nothing is needed."""

    def go(self, n: int) -> None:
        """Set a key and read it back."""
        if n > MOST_KEYS:
            raise Unreachable("The drill's traffic has written all that it may.", "End it.")
        with self._asking() as client:
            client.set(f"{PREFIX}{n}", b"x" * BYTES)
            if client.strlen(f"{PREFIX}{n}") != BYTES:
                raise Unreachable("The key is not there.", "Look at the cache.")

    def there(self) -> set[int]:
        """Return the numbers of the keys."""
        with self._asking() as client:
            return {int(name.rpartition(b":")[2]) for name in client.scan_iter(match=f"{PREFIX}*", count=1000)}

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            with suppress(OSError):
                self._client.close()
            self._client = None

    @contextmanager
    def _asking(self) -> Iterator[redis.Redis]:
        import redis

        if self._client is None:
            url = self._settings().cache_url.reveal()
            self._client = redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)
        try:
            yield self._client
        except redis.RedisError as error:
            self.close()
            raise Unreachable(f"The cache: {error}", "Look at it.") from error


class Chats:
    """One chat after the other through the application; each leaves a row of usage that bears its number."""

    counted, pause = "recorded answers", 1.0

    def __init__(self, settings: Ask) -> None:
        self._settings = settings
        self._person: dict[str, str] = {}

    def clean(self) -> None:
        """Remove the rows of usage."""
        providers.forget(self._settings(), MARK)

    def prepare(self) -> None:
        """Nothing is needed."""

    def go(self, n: int) -> None:
        """Ask, and be answered."""
        if not self._person or n % PER_PERSON == 0:
            try:
                self._person = providers.login(self._settings(), "member")
            except (KeyError, ValueError) as error:
                raise Unreachable("Nobody can sign in.", "Look at the application's log.") from error
        providers.asked_once(self._settings(), self._person, f"{MARK}{n}")

    def there(self) -> set[int]:
        """Return the numbers of the chats that are recorded."""
        with AdminDatabase(self._settings().database_url, MARK, statement_seconds=PATIENCE) as session:
            rows = session.execute(MARKED, {"mark": f"{MARK}%"}, what="count the chats")
        return {int(row["id"].removeprefix(MARK)) for row in rows}

    def close(self) -> None:
        """Nothing stays open."""


class _Asking:
    """What only asks, and leaves nothing."""

    counted, pause = "", 0.25

    def __init__(self, settings: Ask) -> None:
        self._settings = settings
        self._web = Reader()

    def clean(self) -> None:
        """Nothing was left."""

    def prepare(self) -> None:
        """Nothing is needed."""

    def there(self) -> set[int]:
        """Nothing is."""
        return set()

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def got(self, address: str) -> str:
        """Return what an address answers; raises Unreachable unless it is a whole good answer."""
        answer = self._web.get(address, deadline=PATIENCE)
        if answer.status != 200:
            raise Unreachable(f"{address} answers {answer.status}.", "Look at it.")
        return answer.text


class Pages(_Asking):
    """The front end as a browser fetches it: the document, its files, and what these load later."""

    def go(self, n: int) -> None:
        """Fetch all of it."""
        home = f"{str(self._settings().front_end_url).rstrip('/')}/"
        for name in _FILES.findall(self.got(home)):
            address = urljoin(home, name)
            for later in _LATER.findall(self.got(address)):
                self.got(urljoin(address, later))


class Answers(_Asking):
    """The API by its own word of whether it is ready."""

    def go(self, n: int) -> None:
        """Ask it."""
        self.got(f"{str(self._settings().application_url).rstrip('/')}/health/ready")
