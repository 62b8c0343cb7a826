"""The product's repository: its front end, its workflow, and its functions as they are deployed and by now.

Of the deployed ones ``hello`` is older than the repository's, ``llm-ready`` is the same, ``summarise`` is not deployed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from opslib.lab.development import FILES
from opslib.lab.vendors.github import PATH, WORKFLOW

FOLDER = "supabase/functions"
HELLO, LLM, NEW = (f"{FOLDER}/{name}/index.ts" for name in ("hello", "llm-ready", "summarise"))
SHARED = f"{FOLDER}/_shared/greeting.ts"

_GREETING = b"""export const greeting = (name: string) => `Hello, ${name}.`;
"""
_HELLO = b"""import { greeting } from "../_shared/greeting.ts";

Deno.serve(() => Response.json({ function: "hello", said: greeting("world"), release: 1 }));
"""
_LLM = b"""// Answers without effect whether the providers' keys are there.
const keys = [Deno.env.get("TOGETHER_API_KEY"), Deno.env.get("OPENAI_API_KEY")];

Deno.serve(() => Response.json({ ready: keys.every(Boolean) }));
"""
_NEW = b"""import { greeting } from "../_shared/greeting.ts";

Deno.serve(async (request) => Response.json({ summary: greeting((await request.text()).slice(0, 80)) }));
"""
_CONFIG = b"""[functions.hello]
verify_jwt = false

[functions.llm-ready]
verify_jwt = false
"""

DEPLOYED = {"hello": {HELLO: _HELLO, SHARED: _GREETING}, "llm-ready": {LLM: _LLM}}
"""Files of the deployed functions."""
MIGRATIONS = (
    *("20260104090000", "20260111101500", "20260118143000", "20260202080000"),
    *("20260209160500", "20260223112000", "20260302093000", "20260316101000"),
)
"""Versions that the lab's database records."""
_BUILD = b"""import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const file = (name) => readFileSync(new URL(`../src/${name}`, import.meta.url), "utf8");
// As a bundler does: what begins with VITE_ is put into the files, everything else is not there.
const said = (name) => JSON.stringify(name.startsWith("VITE_") ? process.env[name] : undefined) ?? "undefined";
const script = file("main.js").replace(/import\\.meta\\.env\\.(\\w+)/g, (_, name) => said(name));
const mark = createHash("sha256").update(script).digest("hex").slice(0, 8);

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist/assets", { recursive: true });
writeFileSync(`dist/assets/index-${mark}.js`, script);
writeFileSync(`dist/assets/index-${mark}.css`, file("main.css"));
writeFileSync("dist/index.html", file("index.html").replaceAll("MARK", mark));
"""
_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ValueCanvas</title>
<script type="module" crossorigin src="./assets/index-MARK.js"></script>
<link rel="stylesheet" href="./assets/index-MARK.css">
</head><body><div id="root"></div></body></html>
"""
_SCRIPT = b"""const settings = { url: import.meta.env.VITE_SUPABASE_URL, key: import.meta.env.VITE_SUPABASE_ANON_KEY };
document.getElementById("root").textContent = settings.url ? "ValueCanvas" : "ValueCanvas is not configured";
"""
FRONT_END = {
    "tools/build.mjs": _BUILD,
    "src/index.html": _PAGE,
    "src/main.js": _SCRIPT,
    "src/main.css": b"#root { font-family: sans-serif; }\n",
}
"""The front end: a build of a few lines that does what the product's does, without its packages."""
COMMITTED = {
    "supabase/config.toml": _CONFIG,
    HELLO: _HELLO.replace(b"release: 1", b"release: 2"),
    SHARED: _GREETING,
    LLM: _LLM,
    NEW: _NEW,
    f"{FOLDER}/hello/README.md": b"Says hello.\n",
    **{f"supabase/migrations/{version}_applied.sql": b"-- In the lab's schema.\n" for version in MIGRATIONS},
}
"""Files of the repository's newest commit, beside the front end's."""
_SERVICE = "blueprint/infra/backend/services/{}/main.py"
_SCHEMA = b"""// What the server may send: a page of sections, each a component or a directive of the layout.
export const SDUI_VERSION = 2 as const;

export const clampVersion = (version?: number) => Math.min(Math.max(version ?? 1, 1), SDUI_VERSION);
"""
_COMPONENTS = {
    "InfoBanner": ("1, 2", "title"),
    "DiscoveryCard": ("1, 2", "questions"),
    "ValueTreeCard": ("1, 2", "title nodes"),
    "ExpansionBlock": ("1, 2", "gaps roi"),
    "MetricBadge": ("1", "label value"),
    "KPIForm": ("1", "kpiName onSubmit"),
    "DataTable": ("1", "data columns"),
    "AgentResponseCard": ("1", "response"),
    "NarrativeBlock": ("1", "title content"),
}
"""The lab's share of the product's components: the versions that each knows, and the properties that it demands."""

INFRASTRUCTURE, BACKEND = "infrastructure/terraform", "lab.s3.tfbackend"
STATE_BUCKET, STATE_KEY = "valuecanvas-terraform", "production/terraform.tfstate"
_INFRASTRUCTURE = b"""# The lab's share of the product's infrastructure: names of resources, with nothing behind them.
terraform {
  backend "s3" {}
}

variable "nodes" {
  default = 3
}

resource "terraform_data" "network" {
  input = { zones = 3 }
}

resource "terraform_data" "cluster" {
  input = { network = terraform_data.network.id, nodes = var.nodes }
}

resource "terraform_data" "cache" {
  triggers_replace = "valkey-9"
  input            = { network = terraform_data.network.id }
}
"""
_BACKEND = f"""bucket                      = "{STATE_BUCKET}"
key                         = "{STATE_KEY}"
region                      = "us-east-1"
use_lockfile                = true
use_path_style              = true
skip_credentials_validation = true
skip_metadata_api_check     = true
skip_region_validation      = true
skip_requesting_account_id  = true
""".encode()


def _registry() -> bytes:
    lines = ["import * as shown from '../components/SDUI';", "", "export const registry = {"]
    for name, (versions, demands) in _COMPONENTS.items():
        props = ", ".join(f"'{one}'" for one in demands.split())
        entry = ("component: shown." + name, f"versions: [{versions}]", f"requiredProps: [{props}]")
        lines += [f"  {name}: {{", *(f"    {part}," for part in entry), "  },"]
    return "\n".join([*lines, "};", ""]).encode()


GUIDE = "docs/operations.md"
_GUIDE = b"""# Operations

What operators of the lab's product read.

| Field | Value |
|-------|-------|
| **Last Updated** | December 5, 2025 |
| **Owner** | DevOps Team |
| **Review Cycle** | Monthly |
"""
"""As the real one's metadata stand: old, and with an owner."""

DELIVERED = {
    PATH: WORKFLOW.encode(),
    **{
        _SERVICE.format(name): f'NAME = "{name}"\nRELEASE = 2\n'.encode()
        for name in ("opportunity", "target", "realization", "expansion", "integrity", "orchestrator")
    },
    "blueprint/infra/backend/shared/log.py": b"LEVEL = 20\n",
    "infrastructure/main.tf": b'variable "nodes" {\n  default = 3\n}\n',
    f"{INFRASTRUCTURE}/main.tf": _INFRASTRUCTURE,
    f"{INFRASTRUCTURE}/{BACKEND}": _BACKEND,
    GUIDE: _GUIDE,
    "src/sdui/schema.ts": _SCHEMA,
    "src/sdui/registry.tsx": _registry(),
    "public/robots.txt": b"User-agent: *\nDisallow: /\n",
}
"""Files that the deployment workflow deploys, and its own."""
HISTORY = (
    ("Scores of opportunities", (_SERVICE.format("opportunity"),)),
    ("What operators read", (GUIDE,)),
    ("Larger letters", ("src/main.css",)),
    ("Three nodes", ("infrastructure/main.tf",)),
    ("Targets and their realization", (_SERVICE.format("target"), _SERVICE.format("realization"))),
    ("Newer packages", ("package.json", "package-lock.json")),
    ("Functions", (HELLO,)),
    ("What is shown without settings", ("src/main.js", "public/robots.txt")),
)
"""The commits after the first, oldest first, each with the files that it brought to what they are now."""

NEWEST = 1_793_523_600
"""When the newest commit was made: 2026-11-01 09:00 UTC."""
_WHO = "Release Captain <release@valuecanvas.example>"
_PERSON = {
    f"GIT_{who}_{what}": said
    for who in ("AUTHOR", "COMMITTER")
    for what, said in (
        ("NAME", "Release Captain"),
        ("EMAIL", "release@valuecanvas.example"),
        ("DATE", "2026-11-01T09:00:00Z"),
    )
}


def write(folder: Path) -> None:
    """Make the repository, with some commits on ``main``; nothing is made where git is not installed."""
    if shutil.which("git") is None or folder.is_dir():
        return
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "fast-import", "--quiet", given=_stream(COMMITTED | FILES | FRONT_END | DELIVERED))
    git(folder, "reset", "--quiet", "--hard")


def _stream(files: dict[str, bytes]) -> bytes:
    """Return the history as git's fast-import reads it: at first, what a later commit brings is a little shorter."""
    later = {path for _, paths in HISTORY for path in paths}
    first = {path: data[: -len(data) // 4] if path in later else data for path, data in files.items()}
    commits = [("The product", first), *((title, {path: files[path] for path in paths}) for title, paths in HISTORY)]
    said = b""
    for number, (title, changed) in enumerate(commits):
        moment = NEWEST - (len(commits) - 1 - number) * 86_400
        said += f"commit refs/heads/main\ncommitter {_WHO} {moment} +0000\n".encode() + _data(title.encode())
        for path, data in sorted(changed.items()):
            said += f"M 100644 inline {path}\n".encode() + _data(data)
    return said


def _data(data: bytes) -> bytes:
    return f"data {len(data)}\n".encode() + data + b"\n"


def commit(folder: Path, files: dict[str, bytes], title: str = "Functions") -> str:
    """Write files, commit them, and return the commit's id."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--no-gpg-sign", "--no-verify", f"--message={title}")
    return git(folder, "rev-parse", "HEAD").strip()


def git(folder: Path, *arguments: str, given: bytes = b"") -> str:
    """Run git there, without anybody's settings, and return what it says to ``given``."""
    return subprocess.run(
        [shutil.which("git") or "git", *arguments],
        cwd=folder,
        env={"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(folder), **_PERSON},
        input=given,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout.decode()
