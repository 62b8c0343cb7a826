"""The vendors' stand-ins as one more service of the lab."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping

from opslib.lab import development
from opslib.lab.database import DATABASE
from opslib.lab.production import PROJECT as REF
from opslib.lab.service import Service
from opslib.lab.tokens import project_key
from opslib.lab.vendors import answering, names, product, sentry, status, watching, zone
from opslib.lab.vendors.openai import PROJECT
from opslib.lab.vendors.slack import CHANNEL
from opslib.settings_development import REPOSITORY

READING = {
    "github": "read_github_token",
    "supabase": "read_supabase_token",
    "sentry": "read_sentry_token",
    "oncall": "read_pagerduty_token",
    "slack": "read_slack_token",
    **watching.TOKENS,
}
WRITING = {
    "github": "github_token",
    "vercel": "vercel_token",
    "netlify": "netlify_token",
    "cloudflare": "cloudflare_token",
    "supabase": "supabase_token",
    "pagerduty": "pagerduty_key",
    "slack": "slack_token",
    "openai": "openai_admin_key",
}
"""Names of the lab's passwords that are tokens at a vendor."""
TRIAL = "trial@valuecanvas.example"
"""The account that signs in to see which key signs."""


class Vendors(Service):
    """One process that speaks the APIs of all vendors, each below its name."""

    name = "vendors"
    what = "the vendors' APIs, stand-ins"

    def command(self) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "opslib.lab.vendors", "--port", str(self.port), "--folder", str(self.folder)]

    def variables(self) -> Mapping[str, str]:
        """Return the tokens that they know, by vendor, with what each may do."""
        tokens: dict[str, dict[str, str]] = {}
        for known, may in ((READING, "read"), (WRITING, "write")):
            for vendor, name in known.items():
                tokens.setdefault(vendor, {})[self.passwords[name]] = may
        gateway = {
            "state": str(self.state.folder / "lab.json"),
            "database": DATABASE,
            "password": self.passwords["authenticator"],
            "jwt_secret": self.passwords["jwt_secret"],
            "email": TRIAL,
            "password_of_trial": self.passwords["trial_account"],
        }
        return {"LAB_TOKENS": json.dumps(tokens), "LAB_GATEWAY": json.dumps(gateway)}

    def fill(self) -> None:
        """Write the product's repository, from which functions are deployed."""
        product.write(self.folder / "checkout")

    def discard(self) -> None:
        """Remove the state of an interrupted start."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """The address of all of them."""
        return f"http://127.0.0.1:{self.port}"

    def providers(self) -> dict[str, str]:
        """Return where the application finds the providers of language models, and its Supabase project."""
        site = f"{self.url}/supabase/sites/{REF}"
        return {"TOGETHER_URL": f"{self.url}/together", "OPENAI_URL": f"{self.url}/openai", "SUPABASE_URL": site}

    def target(self) -> dict[str, str]:
        """Return the variables of a target description that lead here."""
        checkout = self.folder / "checkout"
        address = f"file://{checkout}"
        return {
            "GITHUB_API_URL": f"{self.url}/github",
            "GITHUB_REPOSITORY": "valuecanvas/valuecanvas",
            "GITHUB_TOKEN": self.passwords["github_token"],
            "OPS_READ_GITHUB_TOKEN": self.passwords["read_github_token"],
            "OPS_HOSTER": "vercel",
            "VITE_APP_URL": f"{self.url}/vercel/sites/production/",
            "VERCEL_API_URL": f"{self.url}/vercel",
            "VERCEL_PROJECT_ID": "prj_valuecanvas",
            "VERCEL_ORG_ID": "team_valuecanvas",
            "VERCEL_TOKEN": self.passwords["vercel_token"],
            "NETLIFY_API_URL": f"{self.url}/netlify/api/v1",
            "NETLIFY_SITE_ID": "3f8e9c1a-5b2d-4e7f-9a60-1c2d3e4f5a6b",
            "NETLIFY_AUTH_TOKEN": self.passwords["netlify_token"],
            "CLOUDFLARE_BASE_URL": f"{self.url}/cloudflare/client/v4",
            "CLOUDFLARE_ACCOUNT_ID": "023e105f4ecef8ad9ca31a8372d0c353",
            "CLOUDFLARE_PAGES_PROJECT": "valuecanvas",
            "CLOUDFLARE_API_TOKEN": self.passwords["cloudflare_token"],
            **self._supabase(),
            "OPS_CHECKOUT": str(checkout) if checkout.is_dir() else "",
            "OPS_GUIDE_DOCUMENT": product.GUIDE,
            "OPS_INFRASTRUCTURE_BACKEND": product.BACKEND,
            "OPS_REPOSITORY": address if checkout.is_dir() and re.match(REPOSITORY, address) else "",
            "OPS_WORKSPACE": str(development.place(self.state.folder)),
            "OPS_DEVELOPMENT_PORT": str(32_000 + self.port % 700),
            "PAGERDUTY_EVENTS_URL": f"{self.url}/pagerduty/v2",
            "PAGERDUTY_ROUTING_KEY": self.passwords["pagerduty_key"],
            "SLACK_API_URL": f"{self.url}/slack/api",
            "OPS_SLACK_CHANNEL": CHANNEL,
            "SLACK_BOT_TOKEN": self.passwords["slack_token"],
            **answering.target(self.url, self.passwords),
            "SENTRY_URL": f"{self.url}/sentry",
            "SENTRY_ORG": sentry.ORGANIZATION,
            "SENTRY_PROJECT": sentry.PROJECT,
            "OPS_READ_SENTRY_TOKEN": self.passwords["read_sentry_token"],
            **watching.target(self.url, self.passwords),
            "OPS_HOSTS": ",".join(names.HOSTS),
            "OPS_RESOLVER": f"127.0.0.1:{self.port}",
            "OPS_NAME_SERVERS": ",".join(f"{address}:{self.port}" for address in zone.SERVERS),
            "OPS_PUBLIC_RESOLVERS": f"{zone.RESOLVER}:{self.port}",
            **status.target(self.url),
            "TOGETHER_API_URL": f"{self.url}/together/v1",
            "OPENAI_API_URL": f"{self.url}/openai/v1",
            "OPENAI_PROJECT_ID": PROJECT,
            "OPENAI_ADMIN_KEY": self.passwords["openai_admin_key"],
        }

    def _supabase(self) -> dict[str, str]:
        return {
            "SUPABASE_API_URL": f"{self.url}/supabase",
            "SUPABASE_PROJECT_REF": REF,
            "VITE_SUPABASE_ANON_KEY": project_key(REF, "anon", self.passwords["jwt_secret"]),
            "SUPABASE_SERVICE_ROLE_KEY": project_key(REF, "service_role", self.passwords["jwt_secret"]),
            "JWT_SECRET": self.passwords["jwt_secret"],
            "SUPABASE_ACCESS_TOKEN": self.passwords["supabase_token"],
            "OPS_READ_SUPABASE_TOKEN": self.passwords["read_supabase_token"],
            "OPS_TRIAL_EMAIL": TRIAL,
            "OPS_TRIAL_PASSWORD": self.passwords["trial_account"],
            "VITE_SUPABASE_URL": f"{self.url}/supabase/sites/{REF}",
            "OPS_SMOKE_FUNCTIONS": "hello,llm-ready",
        }
