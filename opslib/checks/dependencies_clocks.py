"""Whose clock is wrong: this machine's, where those who keep good time all say so, or one server's."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes import dependencies_clocks as probes
from opslib.probes.dependencies_clocks import HOST, SKEW, off, ours, surely

NOTEBOOK = "disaster/recover-access"


def _judge(reading: Reading) -> Judgement:
    seen = [row for row in reading.rows if row["ahead"] is not None]
    outside = [row for row in seen if row["outside"]]
    worst = max((abs(row["ahead"]) for row in seen), default=None)
    if (ahead := ours(seen)) is not None:
        way = "behind" if ahead > 0 else "ahead of"
        said = f"This machine's clock is {duration(abs(ahead))} {way} those of {', '.join(r['clock'] for r in outside)}"
        verdict = SKEW.judge(min(surely(row) for row in outside))
        return Judgement(verdict, f"{said}.", worst, reading.rows)
    wrong = [row for row in seen if off(row)]
    if wrong:
        said = "; ".join(f"the clock of {row['clock']} is {_away(row)} this machine's" for row in wrong)
        good = "; the others agree with it" if len(wrong) < len(seen) else ""
        verdict = Verdict.worst([SKEW.judge(surely(row)) for row in wrong])
        return Judgement(verdict, f"{said[0].upper()}{said[1:]}{good}.", worst, reading.rows)
    if not outside:
        said = "Nobody who keeps good time could be asked, so that this machine's clock is right is not proven."
        return Judgement(Verdict.UNKNOWN, said, worst, reading.rows)
    return _agreed(reading.rows, seen, worst)


def _agreed(rows: Sequence[Row], seen: Sequence[Row], worst: float | None) -> Judgement:
    unseen = [row for row in rows if row["ahead"] is None]
    said = f"{len(seen)} clocks agree with this machine's within {worst:g} s"
    if unseen:
        said += f"; not seen: {', '.join(row['clock'] for row in unseen)}"
        # A vendor more or less proves nothing; a server of ours whose clock nobody saw may be the wrong one.
        verdict = Verdict.OK if all(row["outside"] for row in unseen) else Verdict.UNKNOWN
        return Judgement(verdict, f"{said}.", worst, tuple(rows))
    return Judgement(Verdict.OK, f"{said}.", worst, tuple(rows))


def _away(row: Row) -> str:
    return f"{duration(abs(row['ahead']))} {'ahead of' if row['ahead'] > 0 else 'behind'}"


clocks = Check(
    name="dependencies-clocks",
    title="This machine's clock and the others' agree",
    probe=probes.clocks,
    judge=_judge,
    remedy=(
        f"{NOTEBOOK} says whose clock it is, what its owner does, and waits until it is right. A host's clock is set "
        f"{HOST}. Until then AWS refuses what is signed here (five minutes; S3 fifteen, "
        "RequestTimeTooSkewed), new tokens are refused or live on, one-time passwords fail, and what is reckoned from "
        "times (a backup's age, an approval's end) is wrong by as much. A managed server: its vendor. Runs that were "
        "recorded meanwhile keep the wrong times: note it in them."
    ),
    threshold=SKEW,
)
"""All vendors off the same way: it is this machine's. A single one: that one's. A slow answer accuses nobody."""
