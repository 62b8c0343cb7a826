"""Sessions of users ended: exactly those that the evidence of the same work holds, operators' left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from opslib.actions.backups_folder import Digest
from opslib.actions.base import Action, Progress, Settled
from opslib.actions.database_upkeep import LOCK_SECONDS, on_primary, same_server
from opslib.actions.security_custody import Custody, rows_of, whole
from opslib.actions.security_evidence import SESSIONS, began
from opslib.canonical import to_json
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.probes.questions import question
from opslib.systems.postgres_auth import end_sessions, may_end_sessions
from opslib.systems.postgres_exchange import end_earlier, limit_waiting
from opslib.systems.target import PlanTarget, ReadTarget, VerifyTarget, WriteTarget

NOBODY = "none"
_ONE = (
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|[a-z0-9][a-z0-9._-]{0,63}@[a-z0-9][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62}){1,4})"
)
Users = Annotated[str, Field(max_length=1000, pattern=rf"^({NOBODY}|{_ONE}(,{_ONE}){{0,24}})$")]
"""User ids or e-mail addresses, by commas; ``none`` for nobody."""
BATCH, SLOW_BATCH = 1000, 100
"""Sessions in one transaction; the second where a table that hangs on them has no index and many rows."""
MANY_ROWS = 10_000
SHOWN = 20


@dataclass(frozen=True)
class _Chosen:
    """Sessions of the evidence by id: those to end, and those of users who are kept."""

    custody: Custody
    ended: Sequence[str]
    kept: Sequence[str]


class RevokeSessions(Action):
    """Ends sessions of ``scope``: nobody's, those of ``users``, those begun in the last ``hours``, or all.

    Users in ``keep`` stay signed in. Only sessions that stand in the evidence ``manifest`` of the same work are
    ended, at most ``at_most``; what began later is listed.
    """

    name: ClassVar[str] = "revoke-sessions"
    title: ClassVar[str] = "End sessions of users"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "authentication"
    most: ClassVar[int] = 50_000
    seconds: ClassVar[float] = 1800.0
    items: ClassVar[tuple[str, ...]] = ("RUN-SEC-02",)
    guide: ClassVar[str] = 'psql $DATABASE_URL -c "DELETE FROM auth.sessions;"'
    reason: ClassVar[str] = (
        "The guide's command signs everybody out, the operators who handle the incident with them, destroys the list "
        "of who was signed in before it is kept, and does not say that access tokens stay valid until they expire "
        "(GH-29). Here only sessions that stand in the evidence go, in batches, and that moment is said."
    )

    scope: Literal["none", "users", "since", "all"]
    users: Users = NOBODY
    keep: Users = NOBODY
    hours: float = Field(default=24.0, ge=1, le=2160)
    at_most: int = Field(default=10_000, ge=1, le=1_000_000)
    manifest: Digest

    def plan(self, target: PlanTarget) -> Plan:
        """Count who would be signed out and who not; raises Refused where users are not known, or all would go."""
        on_primary(target)
        self._sensible()
        users, kept = self._named(target, self.users), self._named(target, self.keep)
        if both := sorted(set(users) & set(kept)):
            raise Refused(f"{', '.join(both)} is named to be signed out and to be kept.", "Decide which.")
        since = began(target.run) - timedelta(hours=self.hours)
        given = {"scope": self.scope, "users": list(users), "kept": list(kept), "since": since}
        (counts,) = target.database.ask(question("incident/scope"), given)
        children = target.database.ask(question("incident/session_children"))
        _go_with_them(children)
        (origin,) = target.database.ask(question("backups/origin"))
        which = {"none": "no session", "users": "every session of the named users", "all": "every session"}
        chosen = which.get(self.scope, f"every session begun since {since:%Y-%m-%d %H:%M} UTC")
        return self.planned(
            before={"sessions": chosen, "kept": sorted(kept.values()) or NOBODY},
            after={"sessions": "none of these that the evidence holds", "kept": "as they are"},
            touches=0 if self.scope == "none" else self.at_most,
            touched="sessions at most",
            verification="None of these sessions and none of their refresh tokens is there; those that are kept are; "
            "what began since is listed.",
            undo="None: whoever was signed out signs in again. The evidence says who that was.",
            unknown=("which sessions: known when the evidence is preserved",),
            fingerprint={
                "system": origin["system_identifier"],
                "database": origin["database"],
                "users": sorted(users),
                "kept": sorted(kept),
                "since": to_json(since),
                "access_token_seconds": target.settings.access_token_seconds,
            },
            observed={**counts, "found without an index": _unindexed(children) or "none"},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """End them in batches; raises Refused before that where the evidence is not whole, or they are too many."""
        chosen = self._chosen(target, plan)
        if len(chosen.ended) > self.at_most:
            raise Refused(
                f"{len(chosen.ended)} sessions would be ended, and at_most is {self.at_most}.",
                "If that is meant, plan with a greater at_most.",
            )
        same_server(target)
        batch = SLOW_BATCH if _unindexed(target.database.ask(question("incident/session_children"))) else BATCH
        ended = 0
        with target.admin(target.database_url) as session:
            if chosen.ended and not may_end_sessions(session):
                raise Refused(
                    "The role of DATABASE_URL may not delete from auth.sessions, or row level security hides rows.",
                    "Name a role with DELETE on auth.sessions and BYPASSRLS.",
                )
            limit_waiting(session, lock_seconds=LOCK_SECONDS, statement_seconds=60.0)
            for start in range(0, len(chosen.ended), batch):
                ended += end_sessions(session, chosen.ended[start : start + batch])
                progress(f"{ended} sessions ended", min(start + batch, len(chosen.ended)), len(chosen.ended))
        return self._values(target, plan, chosen, ended)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Count what is left of them, as the reading role; list who came since; say until when access lasts."""
        chosen = self._chosen(target, plan)
        left = _left(target, chosen)
        came = target.database.ask(
            question("incident/came_since"), {"since": chosen.custody.server_clock, "most": SHOWN}
        )
        rows: Rows = (
            {"what": "sessions to be ended", "then": len(chosen.ended), "now": left["sessions"]},
            {"what": "their refresh tokens", "then": None, "now": left["refresh_tokens"]},
            {"what": "sessions that are kept", "then": values["kept_sessions"], "now": left["kept_sessions"]},
            {"what": "refresh tokens of no session", "then": None, "now": left["without_session"]},
            *({"what": f"began since: {_who(row)}", "then": 0, "now": 1} for row in came),
        )
        if left["sessions"] or left["refresh_tokens"]:
            said = f"{left['sessions']} sessions and {left['refresh_tokens']} refresh tokens are still there."
            return Verification(Verdict.CRITICAL, said, rows)
        if values["kept_sessions"] and not left["kept_sessions"]:
            return Verification(Verdict.CRITICAL, "The sessions that were to be kept are gone.", rows)
        if self.scope == "none":
            return Verification(Verdict.OK, "No session was to be ended.", rows)
        said = f"{len(chosen.ended)} sessions and their refresh tokens are gone; kept: {left['kept_sessions']}"
        said += f"; {came[0]['of_all']} began since the evidence, see below" if came else "; none began since"
        if left["without_session"]:
            said = f"{left['without_session']} refresh tokens that belong to no session are still valid"
            return Verification(Verdict.WARNING, f"{said}: end them in the sign-in server.", rows)
        return Verification(Verdict.OK, f"{said}. {_lasting(values)}", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """End what a killed run left on the server, then look which of the sessions are still there."""
        chosen = self._chosen(target, plan)
        with target.admin(target.database_url) as session:
            end_earlier(session)
        left = _left(target, chosen)["sessions"]
        if not left:
            return Settled(
                Outcome.DONE, "None of the sessions is there.", self._values(target, plan, chosen, len(chosen.ended))
            )
        return Settled(Outcome.PARTLY, f"{left} of {len(chosen.ended)} sessions are there; they may be ended as well.")

    def _sensible(self) -> None:
        if self.scope == "users" and self.users == NOBODY:
            raise Refused("The scope is users, and users names nobody.", "Name them, by id or e-mail address.")
        if self.scope in ("since", "all") and self.keep == NOBODY:
            raise Refused(
                f"The scope is {self.scope}, and keep names nobody: the operators would be signed out as well.",
                "Name at least one operator in keep, by id or e-mail address.",
            )

    def _named(self, target: ReadTarget, said: str) -> dict[str, str]:
        """Return the users that ``said`` names, e-mail address by id; raises Refused for one that is not there."""
        names = [] if said == NOBODY else said.split(",")
        found = {row["id"]: row["email"] or row["id"] for row in _users(target, names)}
        known = {*found, *(email.lower() for email in found.values())}
        if missing := [name for name in names if name not in known]:
            raise Refused(f"There is no user {', '.join(missing)}.", "Look at auth.users for the id or the address.")
        return found

    def _chosen(self, target: VerifyTarget, plan: Plan) -> _Chosen:
        """Return what of the evidence is in scope; raises Refused where the evidence is not whole, or another's."""
        folder, custody = whole(target.files, self.manifest)
        planned, item = plan.fingerprint, custody.item(SESSIONS)
        if (custody.system, custody.database) != (planned["system"], planned["database"]):
            raise Refused("The evidence is of another database than the plan.", "Preserve and plan again.")
        if item is None or item.bound:
            raise Refused("The evidence does not hold every session.", "Preserve it again with a greater most_rows.")
        kept, users, since = set(planned["kept"]), set(planned["users"]), datetime.fromisoformat(planned["since"])
        rows = list(rows_of(folder, item))
        ended = [row["id"] for row in rows if row["user_id"] not in kept and self._within(row, users, since)]
        staying = [row["id"] for row in rows if row["user_id"] in kept]
        return _Chosen(custody, ended, staying)

    def _within(self, row: Mapping[str, Any], users: set[str], since: datetime) -> bool:
        if self.scope == "users":
            return row["user_id"] in users
        if self.scope == "since":
            return datetime.fromisoformat(row["created_at"]) >= since
        return self.scope == "all"

    def _values(self, target: WriteTarget, plan: Plan, chosen: _Chosen, ended: int) -> dict[str, Any]:
        (origin,) = target.database.ask(question("backups/origin"))
        lasting = timedelta(seconds=int(plan.fingerprint["access_token_seconds"]))
        return {
            "ended": ended,
            "planned": len(chosen.ended),
            "kept_sessions": len(chosen.kept),
            "ended_at": origin["taken_at"],
            "access_tokens_until": origin["taken_at"] + lasting,
        }


def _users(target: ReadTarget, names: list[str]) -> list[dict[str, Any]]:
    return target.database.ask(question("incident/users"), {"names": names}) if names else []


def _left(target: ReadTarget, chosen: _Chosen) -> Mapping[str, Any]:
    given = {"ids": list(chosen.ended), "kept": list(chosen.kept)}
    (row,) = target.database.ask(question("incident/left"), given)
    return row


def _go_with_them(children: list[dict[str, Any]]) -> None:
    stays = [row["relation"] for row in children if not (row["cascades"] or row["is_unset"])]
    if stays or "auth.refresh_tokens" not in {row["relation"] for row in children if row["cascades"]}:
        raise Refused(
            f"Refresh tokens do not go with their session here ({', '.join(stays) or 'no such rule'}).",
            "End the sessions in the sign-in server (its administrative interface), not in the database.",
        )


def _unindexed(children: list[dict[str, Any]]) -> list[str]:
    return [
        f"{row['relation']} ({row['column_name']}), {row['rows_estimate']} rows"
        for row in children
        if not row["indexed"] and row["rows_estimate"] > MANY_ROWS
    ]


def _who(row: Mapping[str, Any]) -> str:
    return f"{row['email'] or row['user_id']} from {row['ip']} at {row['created_at']:%H:%M:%S} UTC"


def _lasting(values: Mapping[str, Any]) -> str:
    until = datetime.fromisoformat(str(to_json(values["access_tokens_until"])))
    return (
        f"Access tokens issued before stay valid until {until:%Y-%m-%d %H:%M} UTC wherever the token alone is checked; "
        "another signing key and the old one revoked end them earlier (runbooks/rotate-signing-keys, then "
        "runbooks/revoke-signing-key with sign_out=true)."
    )
