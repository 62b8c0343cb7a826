"""The front end's production: who is live, whether that is what users get, and what a rollback would meet."""

from __future__ import annotations

import re
from datetime import datetime

from opslib.checks.frontend_loading import compressed, former, grown, kept, painted, size, timing, whole
from opslib.checks.frontend_page import analytics, images, lazy
from opslib.checks.tree import Branch, Tree
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes import frontend as probes

__all__ = [
    "DECISIVE",
    "TREES",
    "analytics",
    "compressed",
    "former",
    "grown",
    "held_back",
    "images",
    "kept",
    "lazy",
    "live",
    "migrations",
    "painted",
    "pipeline",
    "public",
    "served",
    "size",
    "timing",
    "variables",
    "way_back",
    "whole",
]
COMMAND, OUTPUT = "npm run build", "dist"
"""What builds the front end, and where its files then are (the guide's; the product's package.json)."""
OLDEST_NODE = 20
"""Node 18, which the guide names, had its end of life on 2025-04-30 (nodejs.org, "Releases")."""
RUNBOOK = "runbooks/roll-back-deployment"


def _live(reading: Reading) -> Judgement:
    row = reading.row
    if row["deployment"] is None:
        return Judgement(Verdict.CRITICAL, f"Production of {row['project']} points at no deployment.", rows=(row,))
    said = f"{row['deployment']} is live at {row['hoster']} (commit {_short(row['commit'])})"
    if not row["ready"]:
        return Judgement(Verdict.CRITICAL, f"{said}, and it is {row['state']}.", rows=(row,))
    if row["move"] in ("under way", "failed"):
        how = "is under way" if row["move"] == "under way" else "failed; some addresses may have moved"
        return Judgement(Verdict.WARNING, f"{said}; a request to move it to {row['move_to']} {how}.", rows=(row,))
    return Judgement(Verdict.OK, f"{said}.", rows=(row,))


def _held_back(reading: Reading) -> Judgement:
    row = reading.row
    if row["held_back"] is None:
        return Judgement(Verdict.UNKNOWN, f"{row['hoster']} does not say whether pushes go live.", rows=(row,))
    if row["held_back"]:
        said = "Later pushes do not go live: production was rolled back or locked"
        return Judgement(Verdict.WARNING, f"{said}, and stays so until something is promoted.", rows=(row,))
    return Judgement(Verdict.OK, "The next push to the production branch goes live.", rows=(row,))


def _served(reading: Reading) -> Judgement:
    row = reading.row
    asked = f"GET {row['production']}"
    if row["production_is"] != "served":
        return _not_served(reading, asked)
    if row["own_is"] != "served":
        said = f"{asked} serves a document; whether it is that of {row['deployment']} could not be compared: its own "
        return Judgement(Verdict.UNKNOWN, f"{said}address is {row['own_is']} ({row['why']}).", rows=(row,))
    if row["compared"] == "same":
        return Judgement(Verdict.OK, f"Production serves the document of {row['deployment']}.", rows=(row,))
    if row["compared"] == "same files":
        said = f"Production serves the files of {row['deployment']}; something on the way changes the document"
        return Judgement(Verdict.OK, f"{said}.", rows=(row,))
    said = f"Production serves another document than {row['deployment']}, at which it points"
    if row["moving"]:
        return Judgement(Verdict.WARNING, f"{said}: it is being moved.", rows=(row,))
    return Judgement(Verdict.CRITICAL, f"{said}.", rows=(row,))


def _not_served(reading: Reading, asked: str) -> Judgement:
    row = reading.row
    told = f"{asked} is {row['production_is']} ({row['why']})"
    if row["production_is"] in ("absent", "unhealthy"):
        return Judgement(Verdict.CRITICAL, f"{told}: users do not get the front end.", row["production_status"], (row,))
    return Judgement(Verdict.UNKNOWN, f"{told}: what users get is not known.", row["production_status"], (row,))


def _way_back(reading: Reading) -> Judgement:
    back = next((row for row in reading.rows if row["back"]), None)
    if back is None:
        said = "There is no older deployment that production can go back to"
        return Judgement(Verdict.WARNING, f"{said}: mend what is wrong by a new one.", rows=reading.rows)
    said = f"Production can go back to {back['deployment']} (commit {_short(back['commit'])})"
    age = (reading.taken_at - datetime.fromisoformat(back["created"])).total_seconds()
    return Judgement(Verdict.OK, f"{said}, built {duration(age)} ago.", round(age / 86400, 1), reading.rows)


def _migrations(reading: Reading) -> Judgement:
    back = next((row for row in reading.rows if row["back"]), None)
    if back is None:
        said = "There is no deployment to go back to, so nothing to compare migrations with"
        return Judgement(Verdict.WARNING, f"{said}.", rows=reading.rows)
    if back["undated"]:
        said = f"{back['undated']} of {back['applied']} migrations do not say when they were written"
        return Judgement(Verdict.UNKNOWN, f"{said}.", back["newer"], reading.rows)
    if back["newer"]:
        said = f"{back['newer']} applied migrations are newer than {back['deployment']}: it will meet a database that "
        return Judgement(Verdict.WARNING, f"{said}it does not know.", back["newer"], reading.rows)
    said = f"None of {back['applied']} applied migrations is newer than {back['deployment']}."
    return Judgement(Verdict.OK, said, 0, reading.rows)


def _variables(reading: Reading) -> Judgement:
    back = next((row for row in reading.rows if row["back"]), None)
    if back is None:
        said = "There is no deployment to go back to, so nothing to compare variables with"
        return Judgement(Verdict.WARNING, f"{said}.", rows=reading.rows)
    if back["newer"]:
        said = f"{back['deployment']} was built before these were set, and has what they were then"
        return Judgement(Verdict.WARNING, f"{said}: {', '.join(back['newer'])}.", len(back["newer"]), reading.rows)
    if back["untold"]:
        said = f"When {len(back['untold'])} variables were set is not told; compare by hand whether any was rotated"
        return Judgement(Verdict.UNKNOWN, f"{said}: {', '.join(back['untold'])}.", None, reading.rows)
    said = f"None of {back['variables']} variables was set since {back['deployment']} was built."
    return Judgement(Verdict.OK, said, 0, reading.rows)


def _public(reading: Reading) -> Judgement:
    secret = tuple(row for row in reading.rows if row["secret"])
    if secret:
        there = [row["variable"] for row in secret if row["published"]]
        elsewhere = [row["variable"] for row in secret if not row["published"]]
        said = f"The next build would put into everybody's browser: {', '.join(there)}"
        if not there:
            said = f"Secrets have names that other frameworks' builds publish: {', '.join(elsewhere)}"
        return Judgement(Verdict.CRITICAL if there else Verdict.WARNING, f"{said}.", len(secret), secret)
    return Judgement(
        Verdict.OK, f"None of {len(reading.rows)} public variables is a secret by its name.", 0, reading.rows
    )


def _pipeline(reading: Reading) -> Judgement:
    row = reading.row
    if not row["builds"]:
        if row["repository"] is None:
            said = "is uploaded as files that were built here: no repository is connected"
            return Judgement(Verdict.OK, f"What {row['hoster']} serves {said}.", rows=(row,))
        said = f"{row['hoster']} also builds what is pushed to {row['repository']} ({row['branch']})"
        return Judgement(Verdict.WARNING, f"{said}: a push goes live over what is uploaded.", rows=(row,))
    if row["repository"] is None:
        return Judgement(Verdict.CRITICAL, f"No repository is connected at {row['hoster']}.", rows=(row,))
    if row["meant"] is None:
        said = f"{row['hoster']} builds {row['repository']}; GITHUB_REPOSITORY does not say whether that is meant"
        return Judgement(Verdict.UNKNOWN, f"{said}.", rows=(row,))
    if row["repository"].lower() != row["meant"].lower():
        said = f"{row['hoster']} builds {row['repository']}, not {row['meant']}"
        return Judgement(Verdict.CRITICAL, f"{said}.", rows=(row,))
    if amiss := _amiss(row):
        return Judgement(Verdict.WARNING, f"{row['hoster']} builds {row['meant']}; {', '.join(amiss)}.", rows=(row,))
    said = f"{row['hoster']} builds {row['branch']} of {row['meant']}: {row['command']}, {row['output']}, Node"
    return Judgement(Verdict.OK, f"{said} {row['node']}.", rows=(row,))


def _amiss(row: Row) -> list[str]:
    major = re.match(r"v?(\d+)", row["node"] or "")
    said = [] if row["command"] == COMMAND else [f"its build command is {row['command'] or 'not said'}, not {COMMAND}"]
    if (row["output"] or "").strip("/") != OUTPUT:
        said.append(f"its output folder is {row['output'] or 'not said'}, not {OUTPUT}")
    if major is None:
        said.append("Node's version is not pinned (NODE_VERSION)")
    elif int(major[1]) < OLDEST_NODE:
        said.append(f"Node {major[1]} gets no corrections any more")
    return said


def _short(commit: str | None) -> str:
    return commit[:8] if commit else "not told"


live = Check(
    name="front-end-live",
    title="Production of the front end",
    probe=probes.live,
    judge=_live,
    remedy="Let the move come to its end, or see at the hoster which addresses moved; then look again.",
    items=("RUN-RBK-01",),
)
"""CRITICAL without a ready deployment; WARNING while a move is under way, or after one that failed."""

held_back = Check(
    name="front-end-held-back",
    title="Pushes go live",
    probe=probes.live,
    judge=_held_back,
    remedy=f"Mend what was wrong, then promote the new deployment; or take the rollback back: ops undo ({RUNBOOK}).",
    items=("RUN-RBK-02",),
)
"""WARNING while production is pinned, by autoAssignCustomDomains (Vercel) or a lock (Netlify)."""

served = Check(
    name="front-end-served",
    title="Production serves the deployment that it points at",
    probe=probes.documents,
    judge=_served,
    remedy="Purge the edge's cache if it lags behind; see which addresses point elsewhere. Where a deployment's own "
    "address asks for a log-in (deployment protection), nobody can compare.",
    items=("RUN-RBK-02",),
)
"""CRITICAL where users get nothing, or another document; UNKNOWN where nobody could compare."""

way_back = Check(
    name="front-end-way-back",
    title="There is a deployment to go back to",
    probe=probes.deployments,
    judge=_way_back,
    remedy="Deploy a mended commit instead; a retention policy that deletes what was live takes the way back.",
    items=("RUN-RBK-01",),
)
"""WARNING where production could go back to nothing."""

variables = Check(
    name="front-end-variables",
    title="What production would go back to was built with today's variables",
    probe=probes.variables,
    judge=_variables,
    remedy="A rollback builds nothing: a key that was rotated since is the old one in the older build (GH-05). Where "
    "that matters, redeploy the older commit instead.",
    items=("RUN-RBK-02",),
)
"""WARNING where a variable is newer than the deployment that production would go back to; names only, no values."""

migrations = Check(
    name="front-end-migrations",
    title="The database is as old as what production would go back to",
    probe=probes.migrations,
    judge=_migrations,
    items=("RUN-RBK-03",),
    remedy="A rollback of the front end takes no migration back. Only added tables and columns do not disturb an older "
    "build; see what the migrations did before it goes live (GH-06).",
)
"""WARNING where applied migrations are newer than the deployment that production would go back to."""

pipeline = Check(
    name="front-end-pipeline",
    title="How the front end is built",
    probe=probes.pipeline,
    judge=_pipeline,
    remedy="Correct it at the hoster: repository, production branch, build command, output folder, and NODE_VERSION as "
    "a variable (Cloudflare) or as the project's Node version (Vercel).",
    items=("DEP-CFP-01", "DEP-CFP-02", "DEP-CFP-03", "DEP-CFP-04", "DEP-CFP-05", "DEP-VCL-02"),
)
"""CRITICAL where another repository or none is built; WARNING where command, folder or Node's version are others."""

public = Check(
    name="front-end-public",
    title="No secret is built into the browser's files",
    probe=probes.public,
    judge=_public,
    remedy="Remove the variable, rotate what it held, and deploy again: whoever opened the front end may have it. What "
    "begins with VITE_ is public; the guide's own `vercel env add VITE_TOGETHER_API_KEY` is this mistake (GH-04).",
    items=("DEP-VCL-05",),
)
"""CRITICAL where a variable that a build makes public has a name that says key, secret, token or password; WARNING
where only another framework's build would publish it."""

_SHOTS = 5
DECISIVE: tuple[Check, ...] = (whole, size, kept, timing(_SHOTS), former, painted())
"""What tells most in the shortest time, and needs no credential."""

TREES: tuple[Tree, ...] = (
    Tree(
        name="slow-page-loads",
        symptom="Slow page loads",
        branches=(
            Branch(timing(_SHOTS), "the document itself comes late: the way there, or the hoster"),
            Branch(whole, "a file is not there, and the page waits for it or stays empty"),
            Branch(size, "too much has to come before anything works"),
            Branch(compressed, "text comes uncompressed"),
            Branch(kept, "files are asked for again and again, or an old document names files that are gone"),
            Branch(former, "the former deployment's files are gone for those who still have its document"),
            Branch(painted(), "the browser itself needs long to show something"),
        ),
        items=("TRB-PPL-00",),
    ),
)
