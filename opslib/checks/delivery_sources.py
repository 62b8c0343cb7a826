"""Whether what the guide merged can still be read where it came from."""

from __future__ import annotations

from opslib.errors import UsageError
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes.delivery_sources import MERGED, sources

_ITEMS = dict(zip(MERGED, ("META-SRC-08", "META-SRC-09"), strict=True))


def merged(document: str, branch: str = "main") -> Check:
    """Whether a document that the guide names as merged is in the repository; raises UsageError for another one."""
    if document not in MERGED:
        raise UsageError(f"{document!r} is not looked for.", f"There are: {', '.join(MERGED)}.")

    def judge(reading: Reading) -> Judgement:
        row = next(row for row in reading.rows if row["document"] == document)
        if row["there"]:
            return Judgement(Verdict.OK, f"{document} is at {row['there']} ({row['commit'][:12]}).")
        like = f"; by their names these are of it: {row['like_it']}" if row["like_it"] else ", and no other like it"
        said = f"{document}, which the guide says was merged into it, is not in the repository{like}."
        return Judgement(Verdict.WARNING, said)

    return Check(
        f"merged-{document.removesuffix('.md').lower().replace('_', '-')}",
        f"{document} can be read where the guide has it from",
        sources(branch),
        judge,
        "Ask the guide's owner for it, or have it taken off the list; what it said is nowhere else to be held against.",
        items=(_ITEMS[document],),
    )
