"""What a development environment of the lab is made of: the product's own files, and what developers' vault holds.

The files are a small product that needs no network: one package that lies in the repository and has an install
script, a template of the env file with the faults that the product's has, and a server that node alone can run.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from opslib.systems import dev_server

SECRET = "valuecanvas/development/secrets"  # noqa: S105 - the secret's name, not the secret
PROJECT = "labvaluecanvasdevref"
FOLDER = "workspace"

_PACKAGE = {
    "name": "valuecanvas",
    "version": "1.0.0",
    "private": True,
    "type": "module",
    "engines": {"node": ">=18.0.0", "npm": ">=9.0.0"},
    "scripts": {"dev": "node scripts/dev.mjs", "build": "node tools/build.mjs", "test": "node --test"},
    "dependencies": {"@valuecanvas/brand": "file:packages/brand"},
}
_BRAND = {
    "name": "@valuecanvas/brand",
    "version": "1.0.0",
    "type": "module",
    "main": "index.mjs",
    "scripts": {"postinstall": "node -e \"require('fs').writeFileSync('it-was-run', '')\""},
}
_LOCK = {
    "name": "valuecanvas",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "requires": True,
    "packages": {
        "": {name: _PACKAGE[name] for name in ("name", "version", "dependencies", "engines")},
        "node_modules/@valuecanvas/brand": {"resolved": "packages/brand", "link": True},
        "packages/brand": {"name": "@valuecanvas/brand", "version": "1.0.0", "hasInstallScript": True},
    },
}
_DEV = b"""import { createServer } from "node:http";
import { name } from "@valuecanvas/brand";

const said = (option) => process.argv[process.argv.indexOf(`--${option}`) + 1];
const page = `<!doctype html><title>${name}</title><div id="root"></div>`;
const answer = (_, response) => response.writeHead(200, { "content-type": "text/html" }).end(page);

createServer(answer).listen(Number(said("port")), said("host"));
"""
_TEMPLATE = b"""# Copy to .env.local and fill in.
VITE_APP_ENV=development
VITE_APP_URL=http://localhost:5173
VITE_API_BASE_URL=http://localhost:3001

VITE_SUPABASE_URL=https://your-project.supabase.co
VITE_SUPABASE_ANON_KEY=your-anon-key
SUPABASE_SERVICE_ROLE_KEY=your-service-role-key

VITE_LLM_PROVIDER=together
VITE_LLM_GATING_ENABLED=true
VITE_LLM_API_KEY=your-llm-api-key
TOGETHER_API_KEY=your-together-api-key
OPENAI_API_KEY=your-openai-api-key
JWT_SECRET=your-jwt-secret

REDIS_ENABLED=false
REDIS_URL=redis://localhost:6379
CACHE_TTL=3600
REDIS_URL=redis://redis:6379

SMTP_PASSWORD=your-smtp-password
LOG_LEVEL=debug
"""


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


FILES = {
    ".gitignore": b"node_modules\n.env.local\n.env*.local\n",
    ".nvmrc": b"20\n",
    ".env.example": _TEMPLATE,
    "package.json": _json(_PACKAGE),
    "package-lock.json": _json(_LOCK),
    "packages/brand/package.json": _json(_BRAND),
    "packages/brand/index.mjs": b'export const name = "ValueCanvas";\n',
    "scripts/dev.mjs": _DEV,
}
"""Files of the repository's newest commit besides its functions."""


def key(role: str, project: str = PROJECT, expires: int = 2_524_608_000) -> str:
    """Return what looks like a key of Supabase's and opens nothing."""
    said = {"iss": "supabase", "ref": project, "role": role, "iat": 1_700_000_000, "exp": expires}
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, said)] + [b"lab-dummy-signature"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def values() -> dict[str, str]:
    """Return what developers' vault holds; none of it is anybody's key."""
    return {
        "VITE_SUPABASE_URL": f"https://{PROJECT}.supabase.co",
        "VITE_SUPABASE_ANON_KEY": key("anon"),
        "SUPABASE_SERVICE_ROLE_KEY": key("service_role"),
        "JWT_SECRET": "lab-dummy-jwt-secret-of-the-developers",
        "TOGETHER_API_KEY": "tgp_v1_" + "lab-dummy-of-the-developers-only-0001",
        "OPENAI_API_KEY": "sk-" + "lab-dummy-of-the-developers-only-0002",
    }


def place(folder: Path) -> Path:
    """Return where the lab's checkout is made."""
    return folder / FOLDER / "valuecanvas"


def down(folder: Path) -> None:
    """End the development server of the lab's checkout, if one runs."""
    try:
        said = json.loads((place(folder) / ".git" / "opslib" / "server.json").read_text(encoding="utf-8"))
        work = str(said["work"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    dev_server.stop(work)
