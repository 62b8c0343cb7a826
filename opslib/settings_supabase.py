"""The part of a target's description that says how browsers and the API reach the Supabase project."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from opslib.redaction import Secret
from opslib.settings_guard import split

Relation = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
"""A table or view of the schema public, as PostgREST serves it."""


class ProjectAccess(BaseModel):
    """What may be known in a notebook's process: the key that every browser gets, and what it must be able to read."""

    supabase_anon_key: Secret | None = Field(
        None, alias="VITE_SUPABASE_ANON_KEY", description="the project's public key, as the front end is built with it"
    )
    public_tables: Annotated[tuple[Relation, ...], BeforeValidator(split)] = Field(
        ("billing_plans",),
        alias="OPS_PUBLIC_TABLES",
        description="tables of schema public that anybody may read, by commas",
    )
    member_tables: Annotated[tuple[Relation, ...], BeforeValidator(split)] = Field(
        ("organizations", "cases", "workflows", "messages", "agents", "agent_sessions"),
        alias="OPS_MEMBER_TABLES",
        description="tables of schema public that people who signed in read, by commas",
    )


class ProjectSecrets(BaseModel):
    """What passes by every policy of the project; the executor's, which only looks at what they say of themselves."""

    supabase_service_key: Secret | None = Field(
        None, alias="SUPABASE_SERVICE_ROLE_KEY", description="never sent from here: decoded and compared; unset: not"
    )
    jwt_secret: Secret | None = Field(
        None, alias="JWT_SECRET", description="that the project's keys are signed with; unset: signatures are not seen"
    )
