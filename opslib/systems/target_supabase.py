"""A target's handles on its Supabase project: for a notebook, and for the probes that the executor takes."""

from __future__ import annotations

from functools import cached_property

from opslib import systems
from opslib.redaction import Secret
from opslib.settings import ReadSettings, Settings


class SupabaseReading:
    """Handles that cannot write."""

    settings: ReadSettings

    @cached_property
    def supabase(self) -> systems.supabase.ReadOnlySupabase:
        """Supabase's project, by a token that only reads."""
        return systems.supabase.ReadOnlySupabase(self.settings, self.settings.read_supabase_token)

    @cached_property
    def supabase_site(self) -> systems.supabase_site.Site:
        """Supabase's project at its own address, asked as a browser does."""
        return systems.supabase_site.Site(self.settings)


class SupabaseLooking:
    """What the executor also looks at."""

    settings: ReadSettings
    run: str
    _whole: Settings

    @property
    def project_keys(self) -> systems.supabase_keys.ProjectKeys:
        """What the description's keys of the project say of themselves; never their values."""
        return systems.supabase_keys.ProjectKeys(self._whole)

    @cached_property
    def keyring(self) -> systems.supabase_keyring.ReadOnlyKeyring:
        """The project's API keys and signing keys, asked by GET alone; values are not asked for."""
        return systems.supabase_keyring.ReadOnlyKeyring(self.settings, self._whole.supabase_token)

    @cached_property
    def door(self) -> systems.supabase_door.ReadOnlyDoor:
        """The project's own address, asked by GET with a key that is handed in."""
        return systems.supabase_door.ReadOnlyDoor(self.settings)

    def hidden(self) -> list[Secret]:
        """Return every secret of the description but the key that browsers get, to look for where none may stand."""
        anon = self._whole.supabase_anon_key
        return [one for one in self._whole.secrets() if one is not anon]

    @cached_property
    def tenants(self) -> systems.postgres_tenants.TenantSight:
        """Rows counted with others' eyes, read only; as the role that may become them."""
        return systems.postgres_tenants.TenantSight(self._whole.database_url, f"opslib:{self.run}")

    @cached_property
    def supabase_asked(self) -> systems.supabase.AskingSupabase:
        """Supabase's project, by the token that only reads, also asked by POST what changes nothing."""
        return systems.supabase.AskingSupabase(self.settings, self.settings.read_supabase_token)
