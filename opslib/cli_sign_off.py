"""``ops sign-off``: a person says, signed, that a line of the guide's lists is done, where no machine can know."""

from __future__ import annotations

import re
from pathlib import Path

import click

from opslib import places
from opslib.cli_approve import described
from opslib.cli_witness import environment_of, harmless, signing, trust_of
from opslib.console import answering, print_json, print_rows, say
from opslib.errors import UsageError
from opslib.model import now


@click.command("sign-off")
@click.argument("item", required=False)
@click.option("--says", default="", metavar="TEXT", help="What you looked at and found; at most 500 ASCII characters.")
@click.option("--of", default="", metavar="COMMIT", help="Of which commit: its 40 digits, where the line is of one.")
@click.option("--list", "listed", is_flag=True, help="Show the lines that a person's word counts for.")
@signing
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="Of which target.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def sign_off(
    item: str | None,
    says: str,
    of: str,
    listed: bool,
    key: Path,
    principal: str | None,
    signers: Path | None,
    environment: str,
    as_json: bool,
) -> None:
    """Say that a line of the guide's lists is done, and sign it.

    ITEM is the line's guide item, such as MNT-WK-04; --list shows those that a person's word counts for, and for how
    long. Nobody can say it for you: what is not signed by a key of yours does not count. Your word lies in the archive,
    in sign-offs/ITEM; the notebooks of routines/ show it.
    """
    from opslib.runs import sign_offs, witness

    if listed or item is None:
        rows = _lines()
        print_json({"lines": rows}) if as_json else print_rows(rows)
        return
    _fits(item, of, says)
    known = described(environment)
    trust, moment = trust_of(known, signers), now()
    word = sign_offs.SignOff(
        environment=environment_of(environment),
        item=item,
        by=witness.name_of(key, principal, trust),
        signed_at=moment,
        says=harmless(known, says.strip()),
        of=of,
    )
    folder = places.archive_folder() / sign_offs.FOLDER / item
    path = witness.give(word, folder, key=key, trust=trust, form=sign_offs.FORM)
    if as_json:
        print_json({"item": item, "of": of, "by": word.by, "id": word.id, "word": str(path)})
    else:
        say(f"{word.by} signs {item} off{f' of {of[:12]}' if of else ''} ({word.id})\n  {path}", lines=True)


def _lines() -> list[dict[str, str]]:
    from opslib.guide import routines

    return [
        {"item": line.item, "routine": line.routine, "line": line.says, "word": line.word, "counts": line.holds}
        for line in routines.lines().values()
        if line.word != "none"
    ]


def _fits(item: str, of: str, says: str) -> None:
    """Raise UsageError for a line that no person's word counts for, and for a commit or words that do not belong."""
    from opslib.guide import routines
    from opslib.runs.sign_offs import COMMIT

    line = routines.line(item)
    if line.word == "none":
        raise UsageError(
            f"No word counts for {item} ({line.says}): checks show it.", f"Run: ops run routines/{line.routine}"
        )
    if not says.strip():
        raise UsageError("It says nothing.", "Say with --says what you looked at and what you found.")
    if line.of_commit and not re.fullmatch(COMMIT, of):
        raise UsageError(f"{item} is signed off for one commit.", "Name it with --of and its 40 digits.")
    if of and not line.of_commit:
        raise UsageError(f"{item} is of no commit; a word counts for {line.holds}.", "Leave --of out.")
