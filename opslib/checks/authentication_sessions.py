"""How long sessions last, whether they can be refreshed, who signs in again and again, and what was refused."""

from __future__ import annotations

from collections.abc import Iterator

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count, duration
from opslib.probes import authentication as probes

TOKEN, LIFE, IDLE = threshold("access-token-life"), threshold("session-life"), threshold("session-idle")
PER_USER, DEAD = threshold("sign-ins-per-user"), threshold("dead-sessions")
FAILED, REFUSED = threshold("sign-in-failures"), threshold("session-refusals")
SHORT = 300
"""Seconds below which an access token is renewed so often that a wrong clock signs people out."""
FEW = 20
"""Answers of the sign-in below which a share says nothing."""

Finding = tuple[Verdict, str]


def _summed(found: list[Finding], fine: str, value: float | None, reading: Reading) -> Judgement:
    order = list(Verdict)
    amiss = sorted((one for one in found if one[0] is not Verdict.OK), key=lambda one: -order.index(one[0]))
    said = "; ".join(text for _, text in amiss) or fine
    return Judgement(Verdict.worst([Verdict.OK, *(one for one, _ in found)]), f"{said}.", value, reading.rows)


def _judge_lifetimes(reading: Reading) -> Judgement:
    row = reading.row
    if row["access_token"] is None:
        return Judgement(Verdict.UNKNOWN, "Supabase does not say how long a token lasts.", None, reading.rows)
    fine = f"Tokens last {duration(row['access_token'])}, and sessions end when the API's do"
    return _summed(list(_lifetimes(row)), fine, row["access_token"], reading)


def _lifetimes(row: Row) -> Iterator[Finding]:
    token = row["access_token"]
    yield TOKEN.judge(token), f"Access tokens last {duration(token)}: as long they outlive a session that was ended"
    if token < SHORT:
        yield Verdict.WARNING, f"Access tokens last {duration(token)} only: a wrong clock signs people out"
    if token != row["described"]:
        yield Verdict.WARNING, f"OPS_ACCESS_TOKEN_SECONDS says {row['described']}, the project {token}"
    if not _ends(row["session_ends"], LIFE.warning) or not _ends(row["idle_ends"], IDLE.warning):
        yield (
            Verdict.WARNING,
            (
                "A loop by design: the API ends a session after 1 h, or 30 min without use (440), while Supabase lets "
                f"the client refresh {_until(row)}; who comes back then is signed in there and refused here"
            ),
        )
    if row["rotates"] is False:
        yield Verdict.WARNING, "Refresh tokens do not rotate: a stolen one serves for ever"
    if row["reuse_seconds"] == 0:
        yield Verdict.WARNING, "The reuse interval is 0: two tabs that refresh at once sign each other out"


def _ends(seconds: float | None, limit: float | None) -> bool:
    return seconds is not None and limit is not None and seconds <= limit


def _until(row: Row) -> str:
    if row["session_ends"] is None and row["idle_ends"] is None:
        return "without an end"
    said = [f"for {duration(row['session_ends'])}"] if row["session_ends"] else []
    said += [f"until {duration(row['idle_ends'])} without use"] if row["idle_ends"] else []
    return " and ".join(said)


lifetimes = Check(
    name="authentication-lifetimes",
    title="Tokens and sessions end together",
    probe=probes.lifetimes,
    judge=_judge_lifetimes,
    remedy=(
        "Let both ends agree: either Supabase's session ends with the API's (Authentication, Sessions: time-box 1 "
        "hour; it counts in hours, so 30 minutes cannot be set there), or the client signs out at 440 "
        "(SESSION_ABSOLUTE_TIMEOUT, SESSION_IDLE_TIMEOUT) instead of refreshing. That is the product's to decide."
    ),
    threshold=TOKEN,
    items=("TRB-AUT-03", "TRB-ERR-02"),
)
"""WARNING where the client can refresh what the API has ended: the guide's "verify JWT expiration" is half of it."""


def refresh(hours: float) -> Check:
    """Return the check that sessions can be refreshed, and no refresh token is used twice; of the last ``hours``."""
    return Check(
        name="authentication-refresh",
        title="Sessions can be refreshed",
        probe=probes.refresh(hours),
        judge=_judge_refresh,
        remedy=(
            "Who cannot refresh is sent to the login once, and is well afterwards. Many at once: somebody ended "
            "sessions (runbooks/respond-to-security-incident does), or tokens were revoked as used twice. That comes "
            "from two tabs or a retry (a reuse interval of 10 s forgives it), or from theft: ask the user."
        ),
        threshold=DEAD,
        items=("TRB-ERR-02",),
    )


def _judge_refresh(reading: Reading) -> Judgement:
    row = reading.row
    going = row["sessions"] - row["ended"]
    if going <= 0:
        return Judgement(Verdict.UNKNOWN, "There is no session that has not ended.", None, reading.rows)
    dead = row["without_token"] + row["all_revoked"]
    share = 100 * dead / row["sessions"]
    found = [(DEAD.judge(share), f"{count(dead)} of {count(row['sessions'])} sessions cannot be refreshed")]
    if row["used_twice"]:
        found.append((Verdict.WARNING, f"{count(row['used_twice'])} refresh tokens were used twice"))
    if row["orphans"]:
        found.append((Verdict.WARNING, f"{count(row['orphans'])} refresh tokens have no session any more"))
    fine = f"{count(row['sessions'] - dead)} of {count(row['sessions'])} sessions can be refreshed"
    return _summed(found, fine, share, reading)


def sign_ins(hours: float) -> Check:
    """Return the check that nobody signs in again and again within the last ``hours``: what a loop looks like here."""
    return Check(
        name="authentication-sign-ins",
        title="Nobody signs in again and again",
        probe=probes.sign_ins(hours),
        judge=_judge_sign_ins,
        remedy=(
            "Each sign-in worked, and did not last: for one user look into that browser (the list below), for many at "
            "cookies, lifetimes and clocks. One user from many agents or networks: see diagnostics/security."
        ),
        threshold=PER_USER,
        items=("TRB-AUT-S1",),
    )


def _judge_sign_ins(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "Nobody signed in within the window, so nobody can be in a loop.", None, ())
    worst, total = reading.rows[0], reading.rows[0]["of_all"]
    many = [row for row in reading.rows if PER_USER.judge(row["sessions"]) is not Verdict.OK]
    if not many:
        said = f"{count(total)} sign-ins; nobody more than {worst['sessions']} times."
        return Judgement(Verdict.OK, said, worst["sessions"], ())
    said = (
        f"{len(many)} users signed in again and again, one of them {worst['sessions']} times of {count(total)} in all."
    )
    return Judgement(PER_USER.judge(worst["sessions"]), said, worst["sessions"], tuple(many))


def credentials(hours: float) -> Check:
    """Return the check of sign-ins that were refused for what was typed (AUTH_001), of the last ``hours``."""
    return Check(
        name="authentication-credentials",
        title="Sign-ins are accepted (AUTH_001)",
        probe=probes.events(hours),
        judge=lambda reading: _judge_events(reading, "AUTH_001"),
        remedy=(
            "One user: check e-mail and password, whether the address is confirmed, and whether the user is banned. "
            "Many: look whether e-mail sign-in is on, whether the keys are those of this project "
            "(diagnostics/supabase); many users from few networks is somebody who guesses: "
            "limits and CAPTCHA are set in the project's pages, and runbooks/respond-to-security-incident keeps the "
            "evidence."
        ),
        threshold=FAILED,
        items=("TRB-ERR-01",),
    )


def expired(hours: float) -> Check:
    """Return the check of sessions that the sign-in did not take any more (AUTH_002), of the last ``hours``."""
    return Check(
        name="authentication-expired",
        title="Sessions are taken until they end (AUTH_002)",
        probe=probes.events(hours),
        judge=lambda reading: _judge_events(reading, "AUTH_002"),
        remedy=(
            "One user: sign in again. Many: look at lifetimes, refresh tokens and clocks above, and whether sessions "
            "were ended or the signing key rotated on purpose."
        ),
        threshold=REFUSED,
        items=("TRB-ERR-02",),
    )


def _judge_events(reading: Reading, code: str) -> Judgement:
    total = sum(row["events"] for row in reading.rows if row["path"] != "/logout")
    if total < FEW:
        said = f"{total} answers of the sign-in within the window: too few to say anything."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    by = {
        one: sum(row["events"] for row in reading.rows if row["code"] == one) for one in (code, "server", "rate limit")
    }
    share, limit = 100 * by[code] / total, FAILED if code == "AUTH_001" else REFUSED
    found = [(limit.judge(share), f"{share:.0f} % of {count(total)} answers were {code}{_words(reading, code)}")]
    if by["server"]:
        worse = 100 * by["server"] / total > 5
        found.append(
            (Verdict.CRITICAL if worse else Verdict.WARNING, f"{count(by['server'])} failed at the sign-in itself")
        )
    if by["rate limit"]:
        found.append((Verdict.WARNING, f"{count(by['rate limit'])} were turned away for their number (429)"))
    return _summed(found, f"{share:.0f} % of {count(total)} answers were {code}", share, reading)


def _words(reading: Reading, code: str) -> str:
    said = next((row["said"] for row in reading.rows if row["code"] == code and row["said"]), "")
    return f" (“{said}”)" if said else ""
