"""The handles on one target, in four sets, each with more than the one before; only the last can write.

``ReadTarget`` is a notebook's. The executor's: ``PlanTarget`` also looks where a vendor's credential could write
(through clients that only send GET), ``VerifyTarget`` also sees what the reading role may not.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from opslib import systems
from opslib.errors import Refused
from opslib.redaction import DatabaseUrl
from opslib.settings import Settings
from opslib.systems.target_reading import ReadTarget
from opslib.systems.target_rows import RowLooking
from opslib.systems.target_servers import ServersLooking, ServersSwitching, writer
from opslib.systems.target_supabase import SupabaseLooking
from opslib.systems.target_workloads import WorkloadsChanging

__all__ = ["PlanTarget", "ReadTarget", "VerifyTarget", "WriteTarget"]


class PlanTarget(ReadTarget, SupabaseLooking, RowLooking, ServersLooking):
    """What ``plan`` and the probes that the executor takes get: the reading handles, and the vendors'."""

    def __init__(self, settings: Settings, run: str) -> None:
        super().__init__(settings.reading(), run)
        self._whole = settings

    @cached_property
    def vault(self) -> systems.vault.Vault:
        """The product's keys, to be compared with what is set."""
        return systems.vault.Vault(self._whole)

    @cached_property
    def development_vault(self) -> systems.vault.Vault:
        """What developers' env files need, to be compared with what stands in one."""
        return systems.vault.Vault(self._whole, self._whole.development_secret)

    @cached_property
    def workspace(self) -> systems.workspace.Workspace:
        """The checkout of the development environment on this machine."""
        return systems.workspace.Workspace(self.settings)

    @cached_property
    def hosting(self) -> systems.hosting.ReadOnlyHosting:
        """Who serves the front end, asked by GET alone."""
        return systems.hosters.looking(self.settings, self._whole)

    def ordinary_session(self) -> systems.postgres_admin.AdminDatabase:
        """Return a session as the application begins one, at the server that takes writes; it is asked to read alone.

        Nothing of ours says whether it may write, so that what the server says shows. A context manager.
        """
        return systems.postgres_admin.AdminDatabase(
            writer(self._whole, self.database), f"opslib:{self.run}", read_only=True, plain=True
        )

    @property
    def separated(self) -> bool:
        """Whether notebooks run as another user than the executor on this machine."""
        return self._whole.kernel_user is not None

    @cached_property
    def build_tools(self) -> systems.building.ReadOnlyBuilder:
        """Which Node and npm this machine has."""
        return systems.building.ReadOnlyBuilder(self._whole)

    @cached_property
    def terraform(self) -> systems.terraform.ReadOnlyTerraform:
        """Infrastructure code, planned with credentials that read."""
        return systems.terraform.ReadOnlyTerraform(self._whole)

    @cached_property
    def llm_keys(self) -> systems.llm_keys.ReadOnlyKeys:
        """The providers of language models, asked by GET with a key that is handed in."""
        return systems.llm_keys.ReadOnlyKeys(self.settings)

    @cached_property
    def rotated_keys(self) -> systems.rotated_keys.ReadOnlyRotatedKeys:
        """Who gives the keys that are rotated, asked by GET with a key that is handed in."""
        return systems.rotated_keys.ReadOnlyRotatedKeys(self.settings)

    @cached_property
    def administrator(self) -> systems.gateway_user.AskingAdministrator:
        """The product's LLM router, asked for an answer as its administrator; nothing is set there."""
        return systems.gateway_user.AskingAdministrator(self._whole, self.run)

    @cached_property
    def openai(self) -> systems.openai.ReadOnlyProject:
        """OpenAI's project and its keys, asked by GET alone."""
        return systems.openai.ReadOnlyProject(self.settings, self._whole.openai_admin_key)

    def issuer(self, name: systems.rotated_keys.RotatedName) -> systems.issuers.ReadOnlyIssuer | None:
        """Return who makes that key by an API, asked by GET alone; None where people make it."""
        if name == "openai":
            return systems.issuers.ReadOnlyOpenAi(self.openai)
        return systems.issuers.ReadOnlySupabaseKeys(self.keyring) if name == "supabase" else None

    @cached_property
    def cluster_secrets(self) -> systems.kubernetes_secrets.ReadOnlyClusterSecrets:
        """Secrets of the cluster, which the notebooks' token may not see; asked by GET alone."""
        return systems.kubernetes_secrets.ReadOnlyClusterSecrets(self.settings, self._whole.kubernetes_token)

    @cached_property
    def cluster_environment(self) -> systems.kubernetes_environment.ReadOnlyClusterEnvironment:
        """What a deployment's containers are started with, secrets among it; asked by GET alone."""
        return systems.kubernetes_environment.ReadOnlyClusterEnvironment(self.settings, self._whole.kubernetes_token)

    def can_write(self, token: Literal["pagerduty_key", "slack_token"]) -> bool:
        """Tell whether the description has this credential of a vendor."""
        return getattr(self._whole, token) is not None

    @property
    def owns_bucket(self) -> bool:
        """Whether the description has credentials of whoever owns the bucket of backups; they are not used here."""
        return self._whole.owns_bucket

    @property
    def owner_apart(self) -> bool:
        """Whether these are others than those by which backups are written and read."""
        own = self._whole.aws_access_key_id, self._whole.read_aws_access_key_id
        return self._whole.bucket_owner_aws_access_key_id not in own

    @property
    def plan_minutes(self) -> float:
        """How long a plan, and what was approved with it, holds (OPS_PLAN_MINUTES)."""
        return self._whole.plan_minutes

    @cached_property
    def chat(self) -> systems.slack.ReadOnlyChat:
        """The Slack channel that is told of incidents, asked with GET only."""
        return systems.slack.ReadOnlyChat(self.settings, self._whole.slack_token)


class VerifyTarget(PlanTarget):
    """What ``verify`` gets: the reading handles, and sessions that see all and write nothing."""

    settings: Settings
    _writes = False

    def __init__(self, settings: Settings, run: str, files: systems.filing.Filing | None = None) -> None:
        super().__init__(settings, run)
        self.settings = settings
        self._files = files

    @property
    def files(self) -> systems.filing.Filing:
        """The files that this step leaves as evidence, and those of the work's other steps."""
        if self._files is None:
            raise Refused("This step has no place for files of its own.", "Start it as a run's step.")
        return self._files

    @property
    def database_url(self) -> DatabaseUrl:
        """The database as its owner, at the server that takes writes by now (see ``database``); else as described."""
        return writer(self.settings, self.database)

    def admin(
        self, url: DatabaseUrl, application: str | None = None, *, past_bar: bool = False
    ) -> systems.postgres_admin.AdminDatabase:
        """Return a session as the role of ``url`` on a server of this target; a context manager.

        ``application`` is the name that it has on the server, the run's own unless said otherwise; ``past_bar`` as
        :class:`AdminDatabase` has it.
        """
        name = application or f"opslib:{self.run}"
        return systems.postgres_admin.AdminDatabase(url, name, read_only=not self._writes, past_bar=past_bar)


class WriteTarget(VerifyTarget, ServersSwitching, WorkloadsChanging):
    """What ``apply``, ``settle`` and ``undo`` get: handles that can write."""

    _writes = True

    @cached_property
    def backup_store(self) -> systems.object_store.Bucket:
        """The bucket of the database backups, writable."""
        return systems.object_store.Bucket(self.settings, self.settings.backup_bucket)

    @cached_property
    def bucket_owner(self) -> systems.bucket_policy.BucketOwner:
        """The policy of that bucket, by its owner's credentials."""
        return systems.bucket_policy.BucketOwner(self.settings)

    @cached_property
    def cache_store(self) -> systems.cache_writing.Cache:
        """Redis or Valkey as the writing user, who removes keys of the cache's own family through it."""
        said = self.settings
        return systems.cache_writing.Cache(
            said.cache_url, f"opslib:{self.run}", said.cache_prefix, said.protected_prefixes
        )

    @cached_property
    def workflow_starter(self) -> systems.github.Workflows:
        """GitHub Actions, by a token that may start and cancel runs."""
        return systems.github.Workflows(self.settings, self.settings.github_token)

    @cached_property
    def hosting_writer(self) -> systems.hosting.Hosting:
        """Who serves the front end, by a handle that moves production."""
        return systems.hosters.moving(self.settings, self.settings)

    @cached_property
    def builder(self) -> systems.building.Builder:
        """npm, to build the front end in a folder of its own."""
        return systems.building.Builder(self.settings)

    @cached_property
    def supabase_writer(self) -> systems.supabase.Supabase:
        """Supabase's project, by a token that may set secrets and deploy functions."""
        return systems.supabase.Supabase(self.settings, self.settings.supabase_token)

    @cached_property
    def workspace_writer(self) -> systems.workspace_writing.WorkspaceWriter:
        """The checkout of the development environment, to be made and removed."""
        return systems.workspace_writing.WorkspaceWriter(self.settings)

    @cached_property
    def vault_writer(self) -> systems.vault_writing.VaultWriter:
        """The vault's versions, put and staged."""
        return systems.vault_writing.VaultWriter(self.settings)

    @cached_property
    def zones_writer(self) -> systems.zones.Zones:
        """Route 53, by credentials that may change record sets."""
        return systems.zones.Zones(self.settings)

    @cached_property
    def key_user(self) -> systems.rotated_keys.RotatedKeys:
        """Who gives the keys that are rotated; a provider of language models also says a word."""
        return systems.rotated_keys.RotatedKeys(self.settings)

    @cached_property
    def administrator_writer(self) -> systems.gateway_user.Administrator:
        """The same, who also closes breakers."""
        return systems.gateway_user.Administrator(self.settings, self.run)

    @cached_property
    def openai_writer(self) -> systems.openai.Project:
        """OpenAI's project, by a token that makes and deletes service accounts."""
        return systems.openai.Project(self.settings, self.settings.openai_admin_key)

    @cached_property
    def keyring_writer(self) -> systems.supabase_keyring.Keyring:
        """The Supabase project's keys, by a token that makes, moves and deletes them."""
        return systems.supabase_keyring.Keyring(self.settings, self.settings.supabase_token)

    @cached_property
    def trial_door(self) -> systems.supabase_door.Door:
        """The Supabase project's address, through which the trial account signs in and out."""
        return systems.supabase_door.Door(self.settings, self.settings.trial_password)

    def issuer_writer(self, name: systems.rotated_keys.RotatedName) -> systems.issuers.Issuer:
        """Return who makes that key by an API, to make and revoke one; raises Refused where people do."""
        if name == "openai":
            return systems.issuers.OpenAi(self.openai_writer)
        if name == "supabase":
            return systems.issuers.SupabaseKeys(self.keyring_writer)
        raise Refused(f"{name} has no API for keys.", "A person makes and revokes them.")

    @cached_property
    def cluster_secrets_writer(self) -> systems.kubernetes_secrets.ClusterSecrets:
        """Secrets of the cluster, by a token that may set them and start pods anew."""
        return systems.kubernetes_secrets.ClusterSecrets(self.settings, self.settings.kubernetes_token)

    @cached_property
    def chat_writer(self) -> systems.slack.Chat:
        """The Slack channel that is told of incidents, writable."""
        return systems.slack.Chat(self.settings, self.settings.slack_token)

    @cached_property
    def pager(self) -> systems.pagerduty.Pager:
        """PagerDuty's door for events; it can only be told."""
        return systems.pagerduty.Pager(self.settings, self.settings.pagerduty_key)

    @cached_property
    def terraform_writer(self) -> systems.terraform.Terraform:
        """Infrastructure code, applied by saved plans."""
        return systems.terraform.Terraform(self.settings)

    @cached_property
    def cluster_writer(self) -> systems.kubernetes.Cluster:
        """Kubernetes, by a token that may set bounds and replicas."""
        return systems.kubernetes.Cluster(self.settings, self.settings.kubernetes_token)
