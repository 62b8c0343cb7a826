"""Whether images are small, whether parts come later, and whether visits are counted: what the live document tells."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import frontend_page as probes
from opslib.probes.frontend_loading import bundle

SIZE = threshold("image-size")
KIBIBYTE = 1024
OLDER = ("image/png", "image/jpeg", "image/gif", "image/bmp", "image/tiff")
OLD_LIMIT = 50 * KIBIBYTE
"""Bytes from which one of the older types is worth making anew."""
MOST_SAID = 3


def _judge_images(reading: Reading) -> Judgement:
    files, rows = reading.rows[0]["files"], reading.rows[1:]
    if not rows:
        said = f"None of {files} files names an image: those of later pages, and what users upload, are not seen"
        return Judgement(Verdict.UNKNOWN, f"{said}.", None, ())
    known = [row for row in rows if row["bytes"] is not None]
    if not known:
        return Judgement(Verdict.UNKNOWN, f"None of {len(rows)} images could be measured.", None, rows)
    largest = max(known, key=lambda row: row["bytes"])
    size = largest["bytes"] / KIBIBYTE
    old = [row["image"] for row in known if row["type"] in OLDER and row["bytes"] > OLD_LIMIT]
    said = f"The largest of {len(known)} images is {largest['image']} with {size:.0f} KiB"
    said += f"; in an older type: {', '.join(old[:MOST_SAID])}" if old else ""
    lost = len(rows) - len(known)
    said += f"; {lost} could not be measured" if lost else ""
    found = [SIZE.judge(size), Verdict.WARNING if old else Verdict.OK, Verdict.UNKNOWN if lost else Verdict.OK]
    return Judgement(Verdict.worst(found), f"{said}.", round(size, 1), rows)


images = Check(
    name="front-end-images",
    title="Images are as small as they can be",
    probe=probes.images,
    judge=_judge_images,
    remedy="Make them smaller: WebP or AVIF, in the size that is shown (srcset); then runbooks/deploy-new-version.",
    threshold=SIZE,
)
"""By what the first page's files name; UNKNOWN where they name none, for later pages may."""


def _judge_lazy(reading: Reading) -> Judgement:
    scripts = [row for row in reading.rows if row["what"] == "file" and row["kind"] == "script"]
    rows = tuple({name: row[name] for name in ("file", "initial", "gzip", "named_by")} for row in scripts)
    later = [row for row in scripts if not row["initial"]]
    first, rest = (
        sum(row["gzip"] or 0 for row in scripts if row["initial"] is at_once) / KIBIBYTE for at_once in (True, False)
    )
    if not scripts:
        return Judgement(Verdict.UNKNOWN, "The document names no script: is it the front end's?", None, rows)
    if not later:
        said = f"All {len(scripts)} scripts ({first:.0f} KiB, gzip) come before anything works"
        return Judgement(Verdict.WARNING, f"{said}.", 0.0, rows)
    share = 100 * rest / (first + rest) if first + rest else 0.0
    said = f"{len(later)} of {len(scripts)} scripts come later: {rest:.0f} of {first + rest:.0f} KiB (gzip)"
    return Judgement(Verdict.OK, f"{said}.", round(share, 1), rows)


lazy = Check(
    name="front-end-lazy",
    title="Parts of the front end come when they are needed",
    probe=bundle,
    judge=_judge_lazy,
    remedy="Load what the first page does not need by import(), a route at a time; then runbooks/deploy-new-version.",
)
"""WARNING where no script comes later."""


def _judge_analytics(reading: Reading) -> Judgement:
    found = [row for row in reading.rows if row["named_by"]]
    if not found:
        known = ", ".join(row["service"] for row in reading.rows)
        said = f"Neither the document nor its first scripts name a service that is known here ({known})"
        return Judgement(Verdict.UNKNOWN, f"{said}.", None, ())
    said = ", ".join(f"{row['service']} ({row['named_by'][0]})" for row in found)
    return Judgement(Verdict.OK, f"Named: {said}. That it takes what it is sent was not tried.", None, tuple(found))


analytics = Check(
    name="front-end-analytics",
    title="Visits are counted",
    probe=probes.analytics,
    judge=_judge_analytics,
    remedy="Put the service's tag into the document, and its host into the content security policy. One of your own is "
    "not known here: who knows it signs it off.",
)
"""UNKNOWN where none of the known services is named: the product's own one would not be seen."""
