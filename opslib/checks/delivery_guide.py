"""Whether the guide that people read is the one that the notebooks were made from, is kept, and is carried out."""

from __future__ import annotations

from datetime import date

from opslib.errors import UsageError
from opslib.guide.document import MERGED, NEEDED, NOTES, OWNER, RESOURCES, SHA256, UPDATED
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict, now
from opslib.probes import delivery_guide as probes

AGE = threshold("guide-age")


def guide_version(branch: str = "main", pinned: str = SHA256) -> Check:
    """Return the check that the guide in the repository is, byte for byte, the one that was carried out here."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        if row["sha256"] == pinned:
            said = f"{row['path']} at {row['commit'][:12]} is the version that was carried out (sha256 {pinned[:12]}…)."
            return Judgement(Verdict.OK, said, None, reading.rows)
        which = f"{row['path']} at {row['commit'][:12]} (sha256 {row['sha256'][:12]}…)"
        said = f"{which} is another version than was carried out ({UPDATED:%d %B %Y}, sha256 {pinned[:12]}…)"
        return Judgement(Verdict.WARNING, f"{said}: what it says now may be done otherwise here.", None, reading.rows)

    return Check(
        "guide-version",
        "The guide is the version that the notebooks carry out",
        probes.document(branch),
        judge,
        "Compare both; carry over what changed to opslib/guide (items.tsv, map.tsv, policy.tsv) and to the notebooks, "
        "then pin the new digest in opslib/guide/document.py.",
        items=("SUP-SLF-01",),
    )


def guide_age(branch: str = "main") -> Check:
    """Return the check that the guide was gone over within its own review cycle (monthly), and names its owner."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        if row["updated"] is None:
            said = f"{row['path']} does not say when it was last updated."
            return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
        updated = date.fromisoformat(row["updated"])
        days = (now().date() - updated).days
        whose = f"its owner is {row['owner']}" if row["owner"] else f"it names no owner (it was: {OWNER})"
        cycle = f"its review cycle: {row['cycle'].lower() or 'not said'}"
        said = f"{row['path']} was last updated {days} days ago ({updated:%d %B %Y}); {cycle}; {whose}."
        if days < 0:
            said = f"{row['path']} says it was updated on a day to come ({updated:%d %B %Y})."
            return Judgement(Verdict.UNKNOWN, said, days, reading.rows)
        worst = [AGE.judge(days), Verdict.OK if row["owner"] else Verdict.WARNING]
        return Judgement(Verdict.worst(worst), said, days, reading.rows)

    return Check(
        "guide-age",
        "The guide is gone over each month",
        probes.document(branch),
        judge,
        "Its owner goes over it, and says so in its metadata; what changed is carried over to the notebooks.",
        threshold=AGE,
        items=("META-01", "META-02", "META-03"),
    )


def guide_resources(what: str, branch: str = "main") -> Check:
    """Return the check of the documents that are ``linked`` by the guide, or were ``merged`` into it.

    Raises UsageError for another word.
    """
    items = {"linked": tuple(RESOURCES.values()), "merged": tuple(MERGED.values())}
    if what not in items:
        raise UsageError(f"{what!r} is no kind of document here.", f"There are: {', '.join(items)}.")

    def judge(reading: Reading) -> Judgement:
        own = tuple(row for row in reading.rows if row["what"] == what)
        gone = [row["document"] for row in own if not row["there"]]
        if not gone:
            return Judgement(Verdict.OK, f"All {len(own)} are in the repository.", 0, own)
        said = f"{len(gone)} of {len(own)} are not in the repository: {', '.join(gone)}."
        return Judgement(Verdict.WARNING, said, len(gone), own)

    return Check(
        f"guide-{what}",
        f"What the guide {'links to' if what == 'linked' else 'was merged from'} can be read",
        probes.resources(branch),
        judge,
        "Ask the guide's owner for them, or have them taken off the guide; what they said can be held against nothing.",
        items=items[what],
    )


def guide_files(branch: str = "main") -> Check:
    """Return the check of what the guide's commands need in the repository; what nothing here reads is only named."""

    def judge(reading: Reading) -> Judgement:
        gone = [row for row in reading.rows if not row["there"]]
        missed = [f"{row['path']} ({row['used_by']})" for row in gone if row["used_by"]]
        replaced = [row["path"] for row in gone if not row["used_by"]]
        aside = f" Not there, and nothing here needs it: {', '.join(replaced)}." if replaced else ""
        if missed:
            said = f"{len(missed)} that are needed are not there: {', '.join(missed)}."
            return Judgement(Verdict.WARNING, f"{said}{aside}", len(missed), reading.rows)
        there = len(reading.rows) - len(gone)
        return Judgement(Verdict.OK, f"All {there} that are needed are there.{aside}", 0, reading.rows)

    return Check(
        "guide-files",
        "What the guide's commands need is in the repository",
        probes.needed(branch),
        judge,
        "Where the repository has it under another name, name that in the target description (.env.example says how); "
        "else the notebook in brackets says UNKNOWN, or refuses.",
        items=tuple(one.item for one in NEEDED),
    )


def _carried_out(reading: Reading) -> Judgement:
    items = sum(row["items"] for row in reading.rows)
    done = sum(row["carried_out"] for row in reading.rows)
    rows = tuple(row for row in reading.rows if row["missing"])
    if done == items:
        return Judgement(Verdict.OK, f"Each of the {items} items is carried out by a cell.", 0, reading.rows)
    where = ", ".join(f"{row['notebook']} ({row['items'] - row['carried_out']})" for row in rows)
    said = f"{done} of {items} items are carried out by a cell; what is missing: {where}."
    return Judgement(Verdict.WARNING, said, items - done, rows)


guide_carried_out = Check(
    "guide-carried-out",
    "Each item of the guide is carried out by a cell",
    probes.carried_out,
    _carried_out,
    "Until a cell does, people follow the guide by hand there: ops guide --items lists them.",
)


def _notes(reading: Reading) -> Judgement:
    broken = [row for row in reading.rows if row["nowhere"] or row["astray"] or row["without_form"]]
    if not broken:
        return Judgement(Verdict.OK, f"All {len(reading.rows)} hold.", 0, reading.rows)
    parts = []
    for row in broken:
        found = {"in no cell": row["nowhere"], "elsewhere": row["astray"], "without its form": row["without_form"]}
        parts.append(f"{row['says']}: " + "; ".join(f"{word} {said}" for word, said in found.items() if said))
    return Judgement(Verdict.WARNING, f"{'. '.join(parts)}.", len(broken), reading.rows)


guide_notes = Check(
    "guide-notes",
    "What the guide says of its own order holds for the notebooks",
    probes.notes,
    _notes,
    "Move the cell to the notebook where the guide has it, or add it there (opslib/guide/map.tsv).",
    items=tuple(note.item for note in NOTES),
)
