"""What browsers make of the product: a real one before the log-in, and what users' browsers reported to Sentry."""

from __future__ import annotations

import re

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import dependencies_sentry, frontend_loading

BEHIND = "what is behind the log-in is not seen"
SIGNS = re.compile(
    r"sdui|component not found|chunkloaderror|dynamically imported module|error loading chunk|unable to preload|"
    r"content security policy|refused to (load|connect|execute|apply)|minified react error|hydrat",
    re.IGNORECASE,
)


def _judge_opened(reading: Reading) -> Judgement:
    row = reading.rows[0]
    shown = tuple(
        {"what": what, "said": said}
        for what, name in (("blocked", "blocked"), ("failed", "failed"), ("raised", "errors"))
        for said in row[name]
    )
    if row["status"] in (401, 403, 429):
        return Judgement(Verdict.UNKNOWN, f"The document answers {row['status']} to a browser.", None, shown)
    if row["blocked"]:
        said = f"The content security policy keeps {len(row['blocked'])} things out: {row['blocked'][0]}"
    elif row["failed"]:
        said = f"{len(row['failed'])} files fail: {row['failed'][0]}"
    elif row["errors"]:
        said = f"{len(row['errors'])} errors are raised: {row['errors'][0]}"
        if row["kept_away"]:
            said = f"{said.rstrip('.')}; perhaps since {row['kept_away']} calls of other hosts were kept away here."
            return Judgement(Verdict.WARNING, said, len(shown), shown)
    elif not row["characters"]:
        said = "Nothing stands on the page"
    else:
        said = f"The page before the log-in shows {row['characters']} characters and raises no error; {BEHIND}."
        return Judgement(Verdict.OK, said, 0, shown)
    return Judgement(Verdict.CRITICAL, f"{said.rstrip('.')}.", len(shown), shown)


opened = Check(
    name="sdui-opened",
    title="The page before the log-in raises no error in a real browser",
    probe=frontend_loading.browser(1),
    judge=_judge_opened,
    remedy=(
        "A policy that keeps something out: name its source in the directive that the text names, or mend what "
        "asks for it, and deploy (runbooks/deploy-new-version). A file that fails: diagnostics/frontend. An "
        "error since a deployment: runbooks/roll-back-deployment."
    ),
    items=("TRB-SDU-S1",),
)
"""CRITICAL for a violation of the policy, an error, a file that fails or an empty page; UNKNOWN without a browser."""


def reported(hours: int = 24) -> Check:
    """Return the check of what users' browsers reported: new issues at Sentry that speak of components or files.

    UNKNOWN where nothing arrives at all: then no news is no good news.
    """
    return Check(
        name="sdui-reported",
        title="Users' browsers report no page that was not shown",
        probe=dependencies_sentry.new_issues(hours),
        judge=_judge_reported,
        remedy="Open the issue, and compare its first moment with the newest deployment. Sentry silent altogether: "
        "diagnostics/dependencies.",
        items=("TRB-SDU-S2",),
    )


def _judge_reported(reading: Reading) -> Judgement:
    arrivals, issues = reading.rows[0], reading.rows[1:]
    signs = [row for row in issues if SIGNS.search(row["title"])]
    rows = tuple({name: row[name] for name in ("name", "title", "level", "users")} for row in signs)
    if signs:
        users = max(row["users"] for row in signs)
        said = f"{len(signs)} new issues speak of it, the first “{signs[0]['title']}” ({users} users)."
        return Judgement(Verdict.CRITICAL, said, users, rows)
    if not arrivals["accepted"] and not issues:
        return Judgement(Verdict.UNKNOWN, f"Sentry took no event in {arrivals['hours']} h: nobody reports.", None, ())
    said = f"None of {len(issues)} new issues speaks of pages, components or files, while events arrive."
    return Judgement(Verdict.OK, said, 0, ())
