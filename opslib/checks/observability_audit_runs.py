"""What an auditor makes of the runs: how they ended, who had agreed, which words are gone, what never ran."""

from __future__ import annotations

from opslib.checks.observability_audit import NAMED, of_kind, without_kind
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes.observability_audit import archive

DOUBT = threshold("runs-in-doubt")
LEFT = threshold("runs-left-open")
LACKING = threshold("approvals-lacking")
GLASS = threshold("glass-broken")
LOST = threshold("words-lost")
DUE = threshold("due-times-lost")
DOUBTS = ("in doubt", "undo in doubt")


def _settled(reading: Reading) -> Judgement:
    works, rows = of_kind(reading, "works")[0]["works"], of_kind(reading, "left")
    doubts = [row for row in rows if row["state"] in DOUBTS]
    unread = [row for row in rows if row["state"] == "not believed"]
    others = [row for row in rows if row not in doubts and row not in unread]
    verdicts = [DOUBT.judge(len(doubts)), LEFT.judge(len(others))]
    verdicts += [Verdict.UNKNOWN] if unread else []
    order = [*doubts, *unread, *others]
    named = "; ".join(f"{row['run']} {row['step']} {row['state']}".replace("  ", " ") for row in order[:NAMED])
    said = f"{works} works may have changed something; {len(order)} were left unsettled{f': {named}' if named else ''}"
    return Judgement(Verdict.worst(verdicts), f"{said}.", float(len(doubts)), without_kind(order))


def _agreed(reading: Reading) -> Judgement:
    whole, lacking = of_kind(reading, "judged")[0], of_kind(reading, "lacking")
    alone = of_kind(reading, "broken glass")
    said = f"{whole['runs']} runs where others must agree, {whole['steps_that_needed_approval']} steps that needed it"
    named = [f"{whole['not_believed']} runs are not believed"] if whole["not_believed"] else []
    named += [f"{row['run']} {row['step']}: {row['says']}" for row in (*lacking, *alone)[:NAMED]]
    verdicts = [LACKING.judge(len(lacking)), GLASS.judge(len(alone))]
    verdict = Verdict.worst([*verdicts, *([Verdict.UNKNOWN] if whole["not_believed"] else [])])
    return Judgement(verdict, f"{'; '.join([said, *named])}.", float(len(lacking)), without_kind([*lacking, *alone]))


def _kept(reading: Reading) -> Judgement:
    words, rows = of_kind(reading, "words")[0]["words"], of_kind(reading, "word")
    named = "; ".join(f"{row['word']} {row['state']} (kept by {row['kept_in']})" for row in rows[:NAMED])
    said = f"{words} signed words were shown by sealed runs; {named or 'each lies where it lay'}"
    return Judgement(LOST.judge(len(rows)), f"{said}.", float(len(rows)), without_kind(rows))


def _due(reading: Reading) -> Judgement:
    rows, untold, odd = of_kind(reading, "schedule"), of_kind(reading, "untold"), of_kind(reading, "due")
    if not rows and not untold:
        return Judgement(Verdict.UNKNOWN, "No schedule is in the table.")
    lost = sum(row[word] for row in rows for word in ("missed", "interrupted", "failed"))
    due = sum(row["due_times"] for row in rows)
    said = f"{due} due times of 92 days, {lost} came to nothing"
    said += "".join(f"; {row['schedule']} {row['says']}" for row in untold[:NAMED])
    blind = untold or not due
    verdict = Verdict.worst([DUE.judge(lost), *([Verdict.UNKNOWN] if blind else [])])
    return Judgement(verdict, f"{said}.", float(lost), without_kind([*odd[:10], *rows, *untold]))


runs_settled = Check(
    "archive-settled",
    "No run was broken off and left so",
    archive["unsettled"],
    _settled,
    "Look at the target; then ops resume RUN, ops undo RUN, or, where nobody can tell by a look, ops resolve RUN STEP.",
    DOUBT,
)
"""CRITICAL for a step in doubt, whenever it was; WARNING for a change of 92 days that was left half done."""
runs_agreed = Check(
    "archive-agreed",
    "Others had agreed to whatever wanted that, each time anew",
    archive["agreed"],
    _agreed,
    "Ask who asked and who signed; a step without an approval was carried out past this program's rule. A broken glass "
    "wants a second person's look within 24 hours.",
    LACKING,
)
words_kept = Check(
    "archive-words",
    "Signed words lie where runs found them",
    archive["words"],
    _kept,
    "Bring the word back from the run that kept it (evidence), and ask who removed it; its signature still holds.",
    LOST,
)
due_times_kept = Check(
    "archive-due-times",
    "What was to run by itself did",
    archive["due"],
    _due,
    "See each with: ops schedule due --days 92. What nothing calls is installed by ops schedule cron --install.",
    DUE,
)
