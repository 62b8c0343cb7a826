"""Supabase's Management API: a project, the health of its services, the functions' secrets, the functions.

Source: the API's official description (api.supabase.com/api/v1-json), version of 2026-06; of what it does not say,
supabase/cli 3 (a body asked for as a form comes as the source files). Of a secret the API returns the name, the
SHA-256 of the value in hexadecimal digits, and when it was set; never the value.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from opslib.errors import SettingsError, Unreachable
from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems import multipart
from opslib.systems.api import Api, AskingApi, Query, Shape, WritingApi
from opslib.systems.api_errors import Vendor, told

PUBLIC = "https://api.supabase.com"
READING = Vendor("Supabase", "OPS_READ_SUPABASE_TOKEN")
WRITING = Vendor("Supabase", "SUPABASE_ACCESS_TOKEN")
SERVICES = ("auth", "db", "pooler", "realtime", "rest", "storage")
"""Services whose health is asked for."""
HEALTH_MILLISECONDS = 5000
LONGEST_VALUE = 24_576
"""Characters that a secret may have."""
RESERVED = "SUPABASE_"
"""How the names of secrets begin that Supabase sets itself, and takes from nobody."""
FORM = "multipart/form-data"
CREATED = 201

S = TypeVar("S", bound=Shape)


class Project(Shape):
    """A project: ``status`` is ACTIVE_HEALTHY, or what else goes on."""

    ref: str
    name: str
    region: str
    status: str


class Health(Shape):
    """One service of a project: ACTIVE_HEALTHY, COMING_UP or UNHEALTHY, and what it says of itself."""

    name: str
    status: str
    error: str | None = None


class Held(Shape):
    """A secret that the project holds; its digest is compared, and never shown."""

    name: str
    digest: str = Field(alias="value", repr=False)
    updated: str | None = Field(None, alias="updated_at")

    def holds(self, value: Secret) -> bool:
        """Tell whether it is ``value``."""
        mine = hashlib.sha256(value.reveal().encode()).hexdigest()
        return hmac.compare_digest(mine.encode(), self.digest.lower().encode())


class Function(Shape):
    """A deployed function. ``status`` is ACTIVE, REMOVED or THROTTLED; ``version`` counts its deployments."""

    slug: str
    name: str
    status: str
    version: int
    updated: int | None = Field(None, alias="updated_at")
    verify_jwt: bool | None = None
    entrypoint: str | None = Field(None, alias="entrypoint_path")
    import_map_path: str | None = None


class Snapshot(Shape):
    """A backup that Supabase takes by itself: COMPLETED, or what else became of it, and when it was begun."""

    status: str
    at: str = Field(alias="inserted_at")


class _Window(Shape):
    earliest: int | None = Field(None, alias="earliest_physical_backup_date_unix")
    latest: int | None = Field(None, alias="latest_physical_backup_date_unix")


class Automatic(Shape):
    """Supabase's own backups: whether any point in time can be gone back to (``window``, in Unix seconds)."""

    point_in_time: bool = Field(alias="pitr_enabled")
    snapshots: list[Snapshot] = Field(alias="backups")
    window: _Window = Field(_Window(), alias="physical_backup_data")


class Ranges(Shape):
    """From where the database may be reached, as CIDR."""

    four: list[str] = Field([], alias="dbAllowedCidrs")
    six: list[str] = Field([], alias="dbAllowedCidrsV6")


class Restrictions(Shape):
    """The network restrictions: whether the plan allows any, what was asked for, whether it is applied or stored."""

    entitlement: str
    config: Ranges
    status: str


class Bans(Shape):
    """Addresses that Supabase bans for a while, for wrong passwords of the database."""

    addresses: list[str] = Field(alias="banned_ipv4_addresses")


class AuthConfig(Shape):
    """How the sign-in is set: where people may be sent back to, and how long tokens and sessions last.

    ``jwt_exp`` and the reuse interval are in seconds, the sessions' ends in hours (supabase/cli reads them so).
    """

    site_url: str | None = None
    uri_allow_list: str | None = None
    jwt_exp: int | None = None
    sessions_timebox: float | None = None
    sessions_inactivity_timeout: float | None = None
    sessions_single_per_user: bool | None = None
    refresh_token_rotation_enabled: bool | None = None
    security_refresh_token_reuse_interval: int | None = None
    external_email_enabled: bool | None = None


class Event(Shape):
    """How often the sign-in gave one answer."""

    path: str
    status: int
    said: str
    events: int


class _Logs(Shape):
    result: list[dict[str, Any]] = Field(default_factory=list)
    error: Any = None


class ReadOnlySupabase:
    """The project of a target description; only GET is sent."""

    def __init__(self, settings: VendorNames, token: Secret | None) -> None:
        self._api = self._opened(settings, token)
        if settings.supabase_project is None:
            raise SettingsError("SUPABASE_PROJECT_REF is not in the target description.", "It has 20 letters.")
        self.ref = settings.supabase_project
        self._home = ("v1", "projects", self.ref)

    def _opened(self, settings: VendorNames, token: Secret | None) -> Api:
        return Api(READING, settings.supabase_url or PUBLIC, token)

    def project(self) -> Project:
        """Return the project; raises Unreachable where there is none, or its answer is another's."""
        found = self._api.get(Project, *self._home)
        if found.ref != self.ref:
            raise Unreachable(
                f"Supabase answers with the project {found.ref}, not with {self.ref}.",
                "Look at what stands before that address.",
                "malformed",
            )
        return found

    def health(self) -> list[Health]:
        """Return the health of :data:`SERVICES`, as they are now."""
        query: Query = {"services": SERVICES, "timeout_ms": HEALTH_MILLISECONDS}
        return self._api.get(list[Health], *self._home, "health", query=query)

    def backups(self) -> Automatic:
        """Return the project's automatic backups, and whether there is point-in-time recovery."""
        return self._api.get(Automatic, *self._home, "database", "backups")

    def secrets(self) -> dict[str, Held]:
        """Return the functions' secrets by name."""
        return {held.name: held for held in self._api.get(list[Held], *self._home, "secrets")}

    def functions(self) -> dict[str, Function]:
        """Return the functions by slug."""
        return {one.slug: one for one in self._api.get(list[Function], *self._home, "functions")}

    def function(self, slug: str) -> Function:
        """Return one function; raises Unreachable (missing) where there is none."""
        return self._api.get(Function, *self._home, "functions", slug)

    def files(self, slug: str) -> dict[str, bytes]:
        """Return the source files of a deployed function, by the paths under which they were deployed."""
        answer = self._api.raw(*self._home, "functions", slug, "body", accept=FORM)
        parts = multipart.decode(answer.headers.get("content-type", ""), answer.data)
        return {part.file: part.data for part in parts if part.file}

    def auth_config(self) -> AuthConfig:
        """Return how the sign-in is set."""
        return self._api.get(AuthConfig, *self._home, "config", "auth")

    def logs(self, shape: type[S], sql: str, start: datetime, end: datetime) -> list[S]:
        """Return what a packaged question finds in the project's logs between two moments, 24 hours at most.

        Raises Unreachable (rejected) where the logs do not take it, (malformed) where a row is not of ``shape``.
        """
        moments = {"iso_timestamp_start": start.isoformat(), "iso_timestamp_end": end.isoformat()}
        path = (*self._home, "analytics", "endpoints", "logs.all")
        found = self._api.get(_Logs, *path, query={"sql": sql, **moments})
        if found.error:
            raise Unreachable("Supabase's logs did not take the question.", "Look at its Logs Explorer.", "rejected")
        try:
            return [shape.model_validate(row) for row in found.result]
        except ValidationError:
            raise told(READING, "malformed", "GET analytics/endpoints/logs.all", "a row of another form") from None

    def restrictions(self) -> Restrictions:
        """Return from where the database may be reached."""
        return self._api.get(Restrictions, *self._home, "network-restrictions")

    def close(self) -> None:
        """Close every connection."""
        self._api.close()


class AskingSupabase(ReadOnlySupabase):
    """Also asks for the banned addresses, which the API wants asked by POST; the executor's."""

    _api: AskingApi

    def _opened(self, settings: VendorNames, token: Secret | None) -> AskingApi:
        return AskingApi(READING, settings.supabase_url or PUBLIC, token)

    def bans(self) -> Bans:
        """Return the addresses that are banned now."""
        return self._api.ask(Bans, *self._home, "network-bans", "retrieve")


class Supabase(ReadOnlySupabase):
    """Also sets and deletes secrets, and deploys and deletes functions."""

    _api: WritingApi

    def _opened(self, settings: VendorNames, token: Secret | None) -> WritingApi:
        return WritingApi(WRITING, settings.supabase_url or PUBLIC, token)

    def set_secret(self, name: str, value: Secret) -> None:
        """Set one secret, new or not; repeatable. No message shows the value, whatever Supabase says."""
        body = [{"name": name, "value": value.reveal()}]
        self._api.send("POST", *self._home, "secrets", body=body, hide=value)

    def delete_secret(self, name: str) -> None:
        """Delete one secret."""
        self._api.send("DELETE", *self._home, "secrets", body=[name])

    def deploy(self, slug: str, files: Mapping[str, bytes], metadata: Mapping[str, Any]) -> Function:
        """Deploy a function from its source files, by path; each call makes a version. Returns what it is then.

        ``metadata`` has ``entrypoint_path``, and may have ``import_map_path``, ``verify_jwt``, ``name``.
        """
        kinds = "application/octet-stream"
        parts = [multipart.Part("metadata", json.dumps(dict(metadata)).encode())]
        parts += [multipart.Part("file", data, path, kinds) for path, data in sorted(files.items())]
        kind, body = multipart.encode(parts)
        path = (*self._home, "functions", "deploy")
        answer = self._api.send("POST", *path, query={"slug": slug}, body=body, kind=kind)
        return self._api.read(Function, "POST functions/deploy", answer)

    def delete_function(self, slug: str) -> None:
        """Delete one function with all its versions."""
        self._api.send("DELETE", *self._home, "functions", slug)

    def recover_to(self, second: int) -> None:
        """Begin to recover the database in place to a second (Unix time); not repeatable, without an undo.

        It goes on after the answer. Raises Unreachable (malformed) where that is not the documented 201.
        """
        path = (*self._home, "database", "backups", "restore-pitr")
        answer = self._api.send("POST", *path, body={"recovery_time_target_unix": second})
        if answer.status != CREATED:
            raise told(WRITING, "malformed", "POST restore-pitr", f"{answer.status} instead of {CREATED}")
