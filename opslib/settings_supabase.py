"""The part of a target's description that says how browsers and the API reach the Supabase project."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from opslib.redaction import Secret
from opslib.settings_guard import split
from opslib.settings_part import Part

Relation = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
"""A table or view of the schema public, as PostgREST serves it."""
Exception_ = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}=[A-Za-z][A-Za-z0-9 .;:/_-]{3,99}$")]
"""A table and why others may see it."""


class Tenancy(Part):
    """Whose a row is, and what may be seen by others all the same."""

    exposed_schemas: Annotated[tuple[Relation, ...], BeforeValidator(split)] = Field(
        ("public",), alias="OPS_EXPOSED_SCHEMAS", description="schemas that the API serves (PostgREST's db-schemas)"
    )
    tenant_columns: Annotated[tuple[Relation, ...], BeforeValidator(split)] = Field(
        ("organization_id",), alias="OPS_TENANT_COLUMNS", description="columns that say whose a row is"
    )
    tenant_exceptions: Annotated[tuple[Exception_, ...], BeforeValidator(split)] = Field(
        ("billing_plans=prices are public", "roles=names of roles only"),
        alias="OPS_TENANT_EXCEPTIONS",
        description="tables that others may see, each with its reason: table=reason, several by commas",
    )

    def exceptions(self) -> dict[str, str]:
        """Return the reasons by table."""
        return {table: reason for table, _, reason in (one.partition("=") for one in self.tenant_exceptions)}


class ProjectAccess(Tenancy):
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


class ProjectSecrets(Part):
    """What passes by every policy of the project; the executor's, which only looks at what they say of themselves."""

    supabase_service_key: Secret | None = Field(
        None, alias="SUPABASE_SERVICE_ROLE_KEY", description="never sent from here: decoded and compared; unset: not"
    )
    jwt_secret: Secret | None = Field(
        None, alias="JWT_SECRET", description="that the project's keys are signed with; unset: signatures are not seen"
    )
    trial_password: Secret | None = Field(
        None, alias="OPS_TRIAL_PASSWORD", description="of OPS_TRIAL_EMAIL; sent when signing keys are rotated"
    )
