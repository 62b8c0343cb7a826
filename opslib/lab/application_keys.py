"""The keys that the application calls providers and its Supabase project with: those that its pods were started with.

One process stands here for all pods, one after the other. Without a cluster the keys are those of its own environment.
"""

from __future__ import annotations

import itertools
import ssl

import httpx

from opslib.errors import Unreachable
from opslib.lab.application_options import Options

APP = "api-server"
VARIABLES = {"togetherAI": "TOGETHER_API_KEY", "openAI": "OPENAI_API_KEY", "supabase": "SUPABASE_SERVICE_KEY"}
SECONDS = 5.0


class Keys:
    """The keys of one process, or of the pods that it stands for."""

    def __init__(self, options: Options) -> None:
        self._options, self._turn = options, itertools.count()
        self._client: httpx.AsyncClient | None = None

    async def of(self, provider: str) -> str:
        """Return the key of ``togetherAI``, ``openAI`` or ``supabase``; empty: none is set. Raises Unreachable."""
        given = self._options
        if not given.pods_url:
            return {"togetherAI": given.together_key, "openAI": given.openai_key}.get(provider, "")
        pods = await self._pods()
        if not pods:
            raise Unreachable(f"no pod of {APP} takes traffic")
        return pods[next(self._turn) % len(pods)].get(VARIABLES[provider], "")

    async def nobody(self) -> bool:
        """Tell whether no pod takes traffic; False where that cannot be told."""
        try:
            return bool(self._options.pods_url) and not await self._pods()
        except Unreachable:
            return False

    async def every(self, name: str) -> list[str]:
        """Return what each pod that takes traffic was started with under ``name``; raises Unreachable.

        Without a cluster nobody was started with anything.
        """
        if not self._options.pods_url:
            return []
        return [pod[name] for pod in await self._pods() if pod.get(name)]

    async def close(self) -> None:
        """Close the HTTP client."""
        if self._client is not None:
            await self._client.aclose()

    async def _pods(self) -> list[dict[str, str]]:
        given = self._options
        try:
            answer = await self._opened().get(f"{given.pods_url}/_lab/environment", params={"app": APP})
            found: list[dict[str, str]] = answer.json()["pods"]
        except (httpx.HTTPError, OSError, ValueError, KeyError) as error:
            raise Unreachable(f"the pods' variables cannot be read: {type(error).__name__}") from error
        return found

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            trusted = ssl.create_default_context(cafile=self._options.pods_ca)
            self._client = httpx.AsyncClient(timeout=SECONDS, trust_env=False, verify=trusted)
        return self._client
