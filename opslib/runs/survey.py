"""What a survey of many checks found: ranked, counted, the first finding whole. Pure: results in, one value out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opslib.model import Result, Row, Rows, Verdict

Causes = Mapping[str, Mapping[str, str]]
"""By a check's name: the checks that explain its finding, each with the reason. Data of whoever asks for a survey."""

_NOTEBOOK = re.compile(r"\b(?:runbooks|disaster|diagnostics)/[a-z]+(?:-[a-z]+)*\b")

_ONE = r"[a-z][a-z_]*=[A-Za-z0-9_-]+"
_GIVEN = re.compile(rf" with ({_ONE}(?:, {_ONE})*)(?![\w-]| or\b|, [a-z_]+=)")
"""Parameters behind a notebook's name, none of which is left to choose."""


@dataclass(frozen=True)
class Survey:
    """What a survey found: its worst verdict, one sentence, a row per check, worst first, and the first result whole.

    Rows have area, verdict, check, finding, explained_by (another finding, and why), next (the notebook that the
    remedy names) and last_good (when the check was last OK here, as the archive's journals have it). ``results`` are
    those of the checks by their names.
    """

    title: str
    verdict: Verdict
    summary: str
    seconds: float
    rows: Rows = ()
    first: Result | None = None
    results: Mapping[str, Result] = field(default_factory=dict, repr=False)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of each check, by its name."""
        return {name: result.verdict for name, result in self.results.items()}


def ranked(
    found: Sequence[tuple[str, Result]], good: Mapping[str, Mapping[str, Any]], causes: Causes | None = None
) -> list[tuple[str, Result]]:
    """Return area and result, worst first.

    CRITICAL comes before all else. Then, and among CRITICAL ones, what was OK when a run looked before (``good``, by
    check): what is new explains an incident better than what was never well. Among equals the areas' order counts,
    which is that of cause and effect, and within an area that of its checks. What explains a finding (``causes``)
    stands right before it; see :func:`explaining`.
    """

    def rank(one: tuple[int, tuple[str, Result]]) -> tuple[bool, bool, int, int]:
        place, (_, result) = one
        fresh = result.verdict is not Verdict.OK and result.check in good
        return result.verdict is not Verdict.CRITICAL, not fresh, -list(Verdict).index(result.verdict), place

    results = {result.check: result for _, result in found}
    left = {one[1].check: one for _, one in sorted(enumerate(found), key=rank)}
    ordered: list[tuple[str, Result]] = []

    def place(name: str) -> None:
        # Taken out before its causes are looked at: a table that goes in a circle ends here.
        if one := left.pop(name, None):
            for cause in explaining(one[1], results, causes or {}):
                place(cause)
            ordered.append(one)

    for name in list(left):
        place(name)
    return ordered


def explaining(result: Result, results: Mapping[str, Result], causes: Causes) -> dict[str, str]:
    """Return which of the other results explain this one, by check, each with its reason.

    Only a check that found something does, and only something as bad: a WARNING stands before no CRITICAL, and what
    nobody could see explains nothing. A cause is as new as what it explains, though nobody had seen it well before.
    """
    if result.verdict not in (Verdict.WARNING, Verdict.CRITICAL):
        return {}
    as_bad = (Verdict.CRITICAL,) if result.verdict is Verdict.CRITICAL else (Verdict.WARNING, Verdict.CRITICAL)
    known = causes.get(result.check, {})
    return {name: why for name, why in known.items() if name in results and results[name].verdict in as_bad}


def survey_of(
    title: str,
    found: Sequence[tuple[str, Result]],
    good: Mapping[str, Mapping[str, Any]],
    seconds: float,
    causes: Causes | None = None,
) -> Survey:
    """Return the survey of what was found, ranked. Without any check it is UNKNOWN."""
    ordered = ranked(found, good, causes)
    results = [result for _, result in ordered]
    named = {result.check: result for result in results}
    verdict = Verdict.worst([result.verdict for result in results])
    counts = [(word, sum(result.verdict is word for result in results)) for word in reversed(Verdict)]
    told = ", ".join(f"{number} {word}" for word, number in counts if number)
    areas = len({area for area, _ in ordered})
    said = f"{len(results)} checks of {areas} areas in {seconds:.1f} s: {told}."
    if not results:
        said = "Nothing was looked at: with these parameters no check is made here."
    if results and results[0].verdict is not Verdict.OK:
        said += f" First: {results[0].summary}"
    rows = tuple(
        _row(area, result, good.get(result.check), _explained(result, named, causes or {})) for area, result in ordered
    )
    first = results[0] if results and results[0].verdict is not Verdict.OK else None
    return Survey(title, verdict, said, round(seconds, 2), rows, first, named)


def notebook_of(remedy: str) -> str:
    """Return the notebook that a remedy names first: the one to open next. Empty where it names none."""
    found = _NOTEBOOK.search(remedy)
    return found[0] if found else ""


def parameters_of(remedy: str) -> str:
    """Return what a remedy says that the notebook which it names first is to be given: ``services=api, back=previous``.

    Empty where it gives nothing right behind the notebook's name, or leaves a choice ("services=api or worker").
    """
    found = _NOTEBOOK.search(remedy)
    given = _GIVEN.match(remedy, found.end()) if found else None
    return given[1] if given else ""


def _explained(result: Result, results: Mapping[str, Result], causes: Causes) -> str:
    found = explaining(result, results, causes)
    return "; ".join(f"{results[name].title}: {why}" for name, why in found.items())


def _row(area: str, result: Result, good: Mapping[str, Any] | None, explained: str) -> Row:
    return {
        "area": area,
        "verdict": result.verdict.value,
        "check": result.title,
        "finding": result.summary,
        "explained_by": explained,
        "next": notebook_of(result.remedy),
        "last_good": str(good["taken_at"])[:16].replace("T", " ") if good else None,
    }
