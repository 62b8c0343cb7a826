"""The checks of the area: the project and its functions, and the way from a browser to a row."""

from opslib.checks import database
from opslib.checks.delivery import BRANCH
from opslib.checks.supabase_keys import keys, network
from opslib.checks.supabase_project import (
    answers,
    functions_active,
    functions_answer,
    migrated,
    no_public_names,
    project_healthy,
    secrets_present,
    services_healthy,
)
from opslib.checks.supabase_site import apikey, clocks, name, preflights, reach, tables
from opslib.checks.tree import Branch, Tree
from opslib.model import Check

DECISIVE: tuple[Check, ...] = (
    *(project_healthy(), services_healthy(), reach, clocks, apikey, migrated(BRANCH), tables, preflights),
    *(secrets_present(), functions_answer(), network),
)
"""What tells most, most first. Whatever is on ``BRANCH`` is deployed, so the database must have its migrations."""

TREES: tuple[Tree, ...] = (
    Tree(
        name="no-connection-to-supabase",
        symptom="Cannot connect to Supabase: network errors, or 401 Unauthorized",
        branches=(
            Branch(project_healthy(), "the project is paused, or not healthy"),
            Branch(services_healthy(), "one of the project's services is down"),
            Branch(name, "the name of the project's address does not resolve"),
            Branch(reach, "no connection to the project's address comes about", after="supabase-name"),
            Branch(keys, "a key is the wrong one: swapped, of another project, expired, signed by an old secret"),
            Branch(apikey, "the project does not accept the key: its keys were rotated", after="supabase-reach"),
            Branch(clocks, "a clock is wrong, so good tokens are refused", after="supabase-reach"),
            Branch(tables, "a grant is missing (401, 403), or a policy hides every row (200)", after="supabase-apikey"),
            Branch(preflights, "the browser may not call it from the front end (CORS)", after="supabase-reach"),
            Branch(network, "addresses are banned from the database, or not in the allowed ranges"),
            Branch(database.reachable, "the database itself does not answer"),
        ),
        items=("TRB-SUP-00", "TRB-SUP-S1", "TRB-SUP-S2"),
    ),
)
"""The guide's common issue "Cannot connect to Supabase"."""

__all__ = [
    "DECISIVE",
    "TREES",
    "answers",
    "apikey",
    "clocks",
    "functions_active",
    "functions_answer",
    "keys",
    "migrated",
    "name",
    "network",
    "no_public_names",
    "preflights",
    "project_healthy",
    "reach",
    "secrets_present",
    "services_healthy",
    "tables",
]
