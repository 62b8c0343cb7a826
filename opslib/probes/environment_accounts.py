"""Whether the product's accounts at the vendors are there: each asked one cheap thing with the credential of its own.

Taken by the executor, for some of these credentials can write; only GET is sent. Source: the guide's "Accounts"
(ENV-ACC): which are required, recommended, optional.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opslib.errors import OpsError, SettingsError, Unreachable
from opslib.model import Probe
from opslib.probes.llm_keys import valid
from opslib.systems.target import PlanTarget

REFUSED = frozenset({"unauthorized", "unpaid", "forbidden", "missing"})
"""Kinds of answers that say no; others say nothing of the account."""


def _supabase(target: PlanTarget) -> str:
    return f"project {target.supabase.project().name}"


def _hoster(target: PlanTarget) -> str:
    return f"{target.settings.hoster}: {len(target.hosting.variables())} variables of production"


def _sentry(target: PlanTarget) -> str:
    return f"{len(target.sentry.releases())} releases"


def _provider(name: str) -> Callable[[PlanTarget], str]:
    def look(target: PlanTarget) -> str:
        (row,) = valid[name].read(target)
        if row["state"] != "taken":
            raise Unreachable(str(row["why"]), "", row["state"])
        return f"{row['models']} models for the key of the vault"

    return look


ASKED: tuple[tuple[str, str, str, Callable[[PlanTarget], str]], ...] = (
    ("Supabase", "required", "ENV-ACC-01", _supabase),
    ("Together.ai", "required", "ENV-ACC-02", _provider("together")),
    ("OpenAI", "recommended", "ENV-ACC-03", _provider("openai")),
    ("hoster", "required", "ENV-ACC-04", _hoster),
    ("Sentry", "recommended", "ENV-ACC-05", _sentry),
)


def _accounts(target: PlanTarget) -> list[dict[str, Any]]:
    rows = []
    for account, need, item, look in ASKED:
        row: dict[str, Any] = {"account": account, "need": need, "item": item}
        try:
            rows.append(row | {"standing": "there", "says": look(target)})
        except SettingsError as error:
            rows.append(row | {"standing": "not described", "says": error.message})
        except OpsError as error:
            refused = getattr(error, "kind", "") in REFUSED
            rows.append(row | {"standing": "refused" if refused else "unknown", "says": error.message})
    # The product's analytics have no client here, and the guide calls them optional.
    return [
        *rows,
        {"account": "PostHog", "need": "optional", "item": "ENV-ACC-06", "standing": "not asked", "says": ""},
    ]


accounts = Probe(
    name="environment-accounts",
    title="Accounts at the vendors",
    read=_accounts,
    source="GET project · GET models with the vault's keys · GET variables of the hoster · GET releases",
    by_executor=True,
)
"""A row per account: ``standing`` is there, refused, unknown (nobody answered), not described or not asked."""
