"""``ops witness``: say what you did or saw on a game day, and when, signed with your own SSH key."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opslib import places
from opslib.cli_approve import described
from opslib.console import answering, print_json, say, tell
from opslib.errors import UsageError
from opslib.model import now

if TYPE_CHECKING:
    from opslib.model import Environment
    from opslib.runs.signed import Trust
    from opslib.runs.words import Moment, Word
    from opslib.settings import Settings

SERVICES = ("database", "application", "llm", "cache", "frontend")
"""Those that the guide promises to recover (:mod:`opslib.guide.promises`); here so that a command starts fast."""

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?", re.ASCII)


def signing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what says who signs: ``--key``, ``--as`` and ``--signers``."""
    options = (
        click.option(
            "--key",
            type=click.Path(path_type=Path),
            envvar="OPS_APPROVAL_KEY",
            default=Path("~/.ssh/id_ed25519"),
            show_default=True,
            help="Your SSH key; a .pub when the ssh-agent holds it. [OPS_APPROVAL_KEY]",
        ),
        click.option("--as", "principal", metavar="PRINCIPAL", help="Your name, if the key has several."),
        click.option(
            "--signers",
            type=click.Path(path_type=Path),
            envvar="OPS_ALLOWED_SIGNERS",
            help="The allowed signers, where the target's description is not at hand. [OPS_ALLOWED_SIGNERS]",
        ),
    )
    # The one that stands first is applied last, as decorators are.
    for option in reversed(options):
        command = option(command)
    return command


@click.command("witness")
@click.argument("day")
@click.argument("moment")
@click.option("--service", default="all", show_default=True, help=f"Of which service: all, {', '.join(SERVICES)}.")
@click.option(
    "--at", metavar="14:02[:05]|TIME", help="When it happened, in UTC; a clock's time is the last such. [now]"
)
@click.option("--within", default=0, metavar="SECONDS", help="Give or take so much; 5 for now, else 60, unless told.")
@click.option("--says", default="", metavar="TEXT", help="Your own words; at most 500 ASCII characters, no secrets.")
@click.option("--runbook", default="", metavar="NOTEBOOK", help="Of opened: which one.")
@click.option("--owner", default="", metavar="NAME", help="Of action: who will do it.")
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Of action: until when.")
@click.option("--of", default="", metavar="ACTION", help="Of done: the action's id, as the report shows it.")
@signing
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="Where the game day is.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def witness(
    day: str,
    moment: str,
    service: str,
    at: str | None,
    within: int,
    says: str,
    runbook: str,
    owner: str,
    due: datetime | None,
    of: str,
    key: Path,
    principal: str | None,
    signers: Path | None,
    environment: str,
    as_json: bool,
) -> None:
    """Say what you did or saw on the game day DAY, and sign it.

    MOMENT is injected, alerted, acknowledged, opened, mitigated, resolved, aborted, observed, action or done. Nobody
    can say it for you: what is not signed by a key of yours does not count. Your word lies in the archive, in
    words/DAY; reviews/game-day shows it.
    """
    from opslib.runs import witness as witnesses
    from opslib.runs.words import Word

    known = described(environment)
    trust, moment_now = trust_of(known, signers), now()
    word = Word(
        environment=environment_of(environment),
        day=day,
        by=witnesses.name_of(key, principal, trust),
        signed_at=moment_now,
        service=service,
        moment=_moment(moment),
        at=moment_now if at is None else _at(at, moment_now),
        within=within or (5 if at is None else 60),
        runbook=runbook,
        owner=owner,
        due=due.date() if due is not None else None,
        of=of,
        says=harmless(known, says.strip()),
    )
    path = _given(word, key, trust)
    if as_json:
        print_json({"day": day, "moment": moment, "by": word.by, "id": word.id, "word": str(path)})
    else:
        when = f"{word.at:%Y-%m-%d %H:%M:%S} UTC, give or take {word.within} s"
        say(f"{word.by} says of {day}: {moment} at {when} ({word.id})\n  {path}", lines=True)


def _given(word: Word, key: Path, trust: Trust | None) -> Path:
    from opslib.runs import witness as witnesses

    folder = places.archive_folder() / witnesses.FOLDER / word.day
    return witnesses.give(word, folder, key=key, trust=trust, form=witnesses.DAYS)


def harmless(known: Settings | None, says: str) -> str:
    """Return what is said; raises UsageError where it looks like a secret."""
    from opslib.redaction import Redactor

    redactor = Redactor(known.secrets() if known else ())
    if redactor.leaks(says.encode()) or redactor.suspicious(says):
        raise UsageError("What you say looks like a secret; nothing was written.", "Leave it out: a word is kept.")
    return says


def environment_of(text: str) -> Environment:
    """Return the environment of that name; raises UsageError for another."""
    from opslib.runs.words import ENVIRONMENTS

    for known in ENVIRONMENTS:
        if known == text:
            return known
    raise UsageError(f"There is no environment {text!r}.", f"There are: {', '.join(ENVIRONMENTS)}.")


def _moment(text: str) -> Moment:
    from opslib.runs.words import MOMENTS

    for known in MOMENTS:
        if known == text:
            return known
    raise UsageError(f"There is no moment {text!r} of a game day.", f"There are: {', '.join(MOMENTS)}.")


def _at(text: str, moment: datetime) -> datetime:
    """Return the moment that was typed: whole, or a clock's time, which is the last one that was so late."""
    if _CLOCK.fullmatch(text):
        clock = time.fromisoformat(text)
        found = datetime.combine(moment.date(), clock, UTC)
        return found if found <= moment else found - timedelta(days=1)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time.", "Such as 14:02, 14:02:05 or 2026-11-29T14:02:05Z, in UTC.") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def trust_of(known: Settings | None, signers: Path | None) -> Trust | None:
    """Return whose keys count, by the list that was typed or the target's; None, and a word of it, without either."""
    from opslib.runs.signed import trusted

    allowed = signers or (known.allowed_signers if known else None)
    if allowed is None:
        tell("There is no list of allowed signers here: whether your word counts will show in the report.")
        return None
    return trusted(allowed, known.revoked_keys if known else None)
