"""How large and how fast the front end is, whether all of it is there, and how long it may be kept."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count
from opslib.probes import frontend_loading as probes
from opslib.probes.frontend_bundle import HASHED, SMALLEST

KIBIBYTE = 1024
YEAR, MONTH = 365 * 86_400, 30 * 86_400
PINNED_PAGE = 3600
"""Seconds for which a kept document outlasts what it names: longer is CRITICAL."""
LEAST_SHOTS = 5
LEAST_VISITS = 3
MOST_SAID = 3

Finding = tuple[Verdict, str]


def _result(findings: Sequence[Finding], fine: str, rows: Iterable[Row], value: float | None = None) -> Judgement:
    order = list(Verdict)
    said = [text for _, text in sorted(findings, key=lambda one: -order.index(one[0]))]
    more = f"; and {len(said) - MOST_SAID} more" if len(said) > MOST_SAID else ""
    summary = f"{'; '.join(said[:MOST_SAID])}{more}." if said else fine
    verdict = Verdict.worst([Verdict.OK, *(one for one, _ in findings)])
    return Judgement(verdict, summary, value if value is not None else len(findings), tuple(rows))


def _files(reading: Reading) -> list[Row]:
    return [row for row in reading.rows if row["what"] == "file"]


def _size(reading: Reading) -> Judgement:
    limits = threshold("front-end-initial-scripts")
    scripts = [row for row in _files(reading) if row["kind"] == "script"]
    first = [row for row in scripts if row["initial"]]
    shown = tuple(
        {name: row[name] for name in ("file", "initial", "bytes", "gzip", "named_by")}
        for row in sorted(_files(reading), key=lambda row: -(row["gzip"] or 0))
    )
    lost = [row["file"] for row in first if row["gzip"] is None]
    kilobytes = sum(row["gzip"] or 0 for row in first) / KIBIBYTE
    later = sum(row["gzip"] or 0 for row in scripts if not row["initial"]) / KIBIBYTE
    if not first:
        return Judgement(Verdict.UNKNOWN, "The document names no script: is it the front end's?", None, shown)
    said = f"{kilobytes:.0f} KiB of scripts (gzip) before anything works, {later:.0f} KiB later"
    verdict = limits.judge(kilobytes)
    if lost:
        said = f"{said}; {', '.join(lost[:MOST_SAID])} could not be measured"
        verdict = verdict if verdict is Verdict.CRITICAL else Verdict.UNKNOWN
    return Judgement(verdict, f"{said}.", round(kilobytes, 1), shown)


def _whole(reading: Reading) -> Judgement:
    findings: list[Finding] = []
    for row in _files(reading):
        what = f"{row['file']} ({'' if row['initial'] else 'loaded later, '}named by {row['named_by']})"
        if row["state"] == "missing":
            findings.append((Verdict.CRITICAL, f"{what} {row['why']}"))
        elif row["state"] == "wrong kind":
            findings.append(
                (Verdict.CRITICAL, f"{what} comes as {row['type'] or 'nothing'}: the document in its place?")
            )
        elif row["state"] == "unreachable":
            findings.append((Verdict.UNKNOWN, f"{what}: {row['why']}"))
    rows = [{name: row[name] for name in ("file", "kind", "state", "status", "type")} for row in _files(reading)]
    if not rows:
        return Judgement(Verdict.UNKNOWN, "The document names no file: is it the front end's?", None, ())
    others = sum(row["state"] == "elsewhere" for row in rows)
    fine = f"All {len(rows) - others} files are there, the later ones too; {others} of other hosts were not asked."
    return _result(findings, fine, rows)


def _kept(reading: Reading) -> Judgement:
    page = reading.rows[0]
    findings: list[Finding] = []
    seconds = lifetime(page["cache"])
    if seconds is None:
        findings.append((Verdict.WARNING, "the document does not say how long it may be kept: browsers guess"))
    elif seconds > PINNED_PAGE:
        findings.append((Verdict.CRITICAL, f"the document may be kept for {count(seconds)} s: it outlives its files"))
    elif seconds > 0:
        findings.append((Verdict.WARNING, f"the document may be kept for {count(seconds)} s after a deployment"))
    hashed = [row for row in _files(reading) if row["state"] == "there" and HASHED.search(row["file"])]
    brief = [row["file"] for row in hashed if (lifetime(row["cache"]) or 0) < MONTH]
    if brief:
        findings.append(
            (Verdict.WARNING, f"{len(brief)} files with a digest in their name are asked for again and again")
        )
    lax = [row["file"] for row in hashed if row["file"] not in brief and not _for_ever(row["cache"])]
    if lax:
        findings.append(
            (Verdict.WARNING, f"{len(lax)} files that never change are not said to be immutable for a year")
        )
    rows = [{"file": row["file"], "cache": row["cache"]} for row in (page, *_files(reading))]
    return _result(findings, f"The document is asked for each time, {len(hashed)} files are kept for a year.", rows)


def lifetime(cache: str | None) -> int | None:
    """Return for how many seconds a browser may keep an answer without asking; None where the header does not say."""
    said = (cache or "").lower()
    if "no-store" in said or "no-cache" in said:
        return 0
    found = re.search(r"max-age\s*=\s*\"?(\d{1,12})", said)
    return int(found[1]) if found else None


def _for_ever(cache: str | None) -> bool:
    return "immutable" in (cache or "") and (lifetime(cache) or 0) >= YEAR


def _compressed(reading: Reading) -> Judgement:
    large = [row for row in reading.rows if row["bytes"] is not None and row["bytes"] >= SMALLEST]
    plain = [row for row in large if not row["encoding"]]
    rows = [{name: row[name] for name in ("file", "bytes", "gzip", "encoding")} for row in large]
    if not large:
        return Judgement(Verdict.UNKNOWN, f"Nothing was served that has {SMALLEST} bytes.", None, ())
    lost = sum(row["bytes"] - row["gzip"] for row in plain) / KIBIBYTE
    said = [(Verdict.WARNING, f"{len(plain)} of {len(large)} files come uncompressed: {lost:.0f} KiB too much")]
    return _result(said if plain else [], f"All {len(large)} larger files come compressed.", rows)


def _times(reading: Reading) -> Judgement:
    limits = threshold("front-end-first-byte-p95")
    answered = [row for row in reading.rows if row["status"] == 200]
    wrong = [row for row in reading.rows if row["status"] != 200]
    if len(answered) < LEAST_SHOTS and not wrong:
        return Judgement(
            Verdict.UNKNOWN, f"Only {len(answered)} answers: too few for a 95th percentile.", None, reading.rows
        )
    if not answered:
        return Judgement(Verdict.UNKNOWN, f"No answer of {len(wrong)}: {wrong[0]['why']}.", None, reading.rows)
    first = [1000 * row["first"] for row in answered]
    high, whole = _high(first), _high([1000 * row["total"] for row in answered])
    said = f"first byte P95 {high:.0f} ms (median {median(first):.0f}, cold {first[0]:.0f}), whole P95 {whole:.0f} ms"
    verdict = limits.judge(high)
    if wrong:
        said = f"{len(wrong)} of {len(reading.rows)} were not answered ({wrong[0]['why']}); {said}"
        verdict = Verdict.CRITICAL
    return Judgement(verdict, f"{said}; n = {len(answered)}.", round(high, 1), reading.rows)


def _high(values: Sequence[float]) -> float:
    """Return the 95th percentile by nearest rank: of ten it is the largest."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _painted(reading: Reading) -> Judgement:
    limits = threshold("front-end-first-paint")
    rows = tuple({k: v for k, v in row.items() if k not in ("failed", "blocked", "errors")} for row in reading.rows)
    if bad := [row for row in reading.rows if row["status"] not in (None, 200)]:
        hidden = bad[0]["status"] in (401, 403, 429)
        said = f"The document answers {bad[0]['status']} to a browser."
        return Judgement(Verdict.UNKNOWN if hidden else Verdict.CRITICAL, said, None, rows)
    paints = [row["first_paint"] for row in reading.rows if row["first_paint"] is not None]
    if len(reading.rows) < LEAST_VISITS:
        return Judgement(Verdict.UNKNOWN, f"Fewer than {LEAST_VISITS} visits prove nothing.", None, rows)
    if len(paints) < len(reading.rows):
        empty = len(reading.rows) - len(paints)
        return Judgement(
            Verdict.CRITICAL, f"In {empty} of {len(reading.rows)} visits nothing was ever painted.", None, rows
        )
    middle = median(paints)
    largest = _middle(reading, "largest_paint", "{:.0f} ms")
    said = f"first paint {middle:.0f} ms, largest {largest}, loaded {_middle(reading, 'loaded', '{:.0f} ms')}"
    moved = median(row["transferred"] for row in reading.rows) / KIBIBYTE
    return Judgement(
        limits.judge(middle), f"Medians of {len(paints)} visits: {said}, {moved:.0f} KiB.", round(middle, 1), rows
    )


def _middle(reading: Reading, name: str, form: str) -> str:
    values = [row[name] for row in reading.rows if row[name]]
    return form.format(median(values)) if values else "not seen"


def _former(reading: Reading) -> Judgement:
    files = tuple({k: v for k, v in row.items() if k != "what"} for row in reading.rows if row["what"] == "file")
    gone = [row["file"] for row in files if not row["there"]]
    before = next(row for row in reading.rows if row["what"] == "before")
    if not files:
        return Judgement(Verdict.UNKNOWN, f"{before['deployment']} has no file that could be looked for.", None, files)
    if gone:
        said = f"{len(gone)} of {len(files)} files of {before['deployment']} are gone ({', '.join(gone[:MOST_SAID])})"
        said = f"{said}: who has the former document open or kept cannot load the rest of it"
        return Judgement(Verdict.WARNING, f"{said}.", len(gone), files)
    return Judgement(Verdict.OK, f"All {len(files)} files of {before['deployment']} are still there.", 0, files)


def _grown(reading: Reading) -> Judgement:
    now, before = (next(row for row in reading.rows if row["what"] == what) for what in ("now", "before"))
    rows = tuple({"build": row["what"], "scripts": row["scripts"], "gzip": row["gzip"]} for row in (now, before))
    if now["unmeasured"] or before["unmeasured"] or not before["gzip"]:
        return Judgement(Verdict.UNKNOWN, "Not every first script of both builds could be measured.", None, rows)
    share = 100 * (now["gzip"] - before["gzip"]) / before["gzip"]
    sizes = f"{before['gzip'] / KIBIBYTE:.0f} KiB to {now['gzip'] / KIBIBYTE:.0f} KiB"
    said = f"The first scripts went from {sizes} (gzip) since {before['deployment']}: {share:+.1f} %."
    return Judgement(threshold("front-end-growth").judge(share), said, round(share, 1), rows)


def _made(name: str, title: str, judge: Callable[[Reading], Judgement], remedy: str, figure: str = "") -> Check:
    return Check(
        name=name,
        title=title,
        probe=probes.bundle,
        judge=judge,
        remedy=remedy,
        threshold=threshold(figure) if figure else None,
        items=("TRB-PPL-00", "TRB-PPL-02") if figure else ("TRB-PPL-00",),
    )


size = _made(
    "front-end-size",
    "What comes before anything works is small enough",
    _size,
    "Build with a visualizer plugin of the bundler (vite knows no --analyze), and load later what the first page does "
    "not need: import(). The largest files stand first. Since a deployment: runbooks/roll-back-deployment.",
    "front-end-initial-scripts",
)
whole = _made(
    "front-end-whole",
    "Every file that the front end names is there, and is what it says",
    _whole,
    "Deploy again (runbooks/deploy-new-version); if users are hit now, runbooks/roll-back-deployment. A document in "
    "the place of a script is the hoster's rewrite for unknown paths: keep assets/ out of it.",
)
kept = _made(
    "front-end-kept",
    "The document is asked for each time, its files are kept",
    _kept,
    "Set cache-control at the hoster: the document max-age=0, must-revalidate; assets/ max-age=31536000, immutable; "
    "then runbooks/deploy-new-version.",
)
compressed = _made(
    "front-end-compressed",
    "Text comes compressed",
    _compressed,
    "Turn compression on at the hoster or the load balancer for text/html, text/css and text/javascript.",
)
former = Check(
    name="front-end-former-files",
    title="Who still has the former document finds its files",
    probe=probes.former,
    judge=_former,
    remedy="Keep the files of former deployments for a day (skew protection, or an upload that deletes nothing), and "
    "let the front end load itself anew when an import fails (vite:preloadError). Users: reload the page.",
    items=("TRB-PPL-00",),
)
"""WARNING where a deployment took the former one's files away."""
grown = Check(
    name="front-end-growth",
    title="The front end did not grow much since the deployment before",
    probe=probes.former,
    judge=_grown,
    remedy="See which package came in between the two commits, and whether the first page needs it.",
    threshold=threshold("front-end-growth"),
    items=("TRB-PPL-01",),
)
"""WARNING where the scripts of the beginning grew by more than a tenth."""


def timing(shots: int = 10) -> Check:
    """Return the check of the time to the first byte, from here: P95 of ``shots`` with n, the cold one among them."""
    return Check(
        name="front-end-first-byte",
        title="The document comes fast",
        probe=probes.timing(shots),
        judge=_times,
        remedy="Compare cold and warm: a slow first one is the way there (DNS, TLS), slow ones throughout are the "
        "hoster's edge or a missing cache. Look at diagnostics/dependencies.",
        threshold=threshold("front-end-first-byte-p95"),
        items=("TRB-PPL-00",),
    )


def painted(visits: int = 3) -> Check:
    """Return the check of a real browser's first paint, by the median of at least three visits from this machine."""
    return Check(
        name="front-end-first-paint",
        title="A real browser shows something soon",
        probe=probes.browser(visits),
        judge=_painted,
        remedy="Nothing painted: the page's scripts fail, see diagnostics/sdui; since a deployment: "
        "runbooks/roll-back-deployment. Slow: take the larger of first scripts and time to the first byte. The figures "
        "are this machine's, not users'.",
        threshold=threshold("front-end-first-paint"),
        items=("TRB-PPL-00",),
    )
