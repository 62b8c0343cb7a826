"""The providers' keys that the application calls with: its pods', as they were started, one pod after the other.

One process stands here for all pods. Without a cluster the keys are those of its own environment.
"""

from __future__ import annotations

import itertools
import ssl

import httpx

from opslib.errors import Unreachable
from opslib.lab.application_options import Options

APP = "api-server"
VARIABLES = {"togetherAI": "TOGETHER_API_KEY", "openAI": "OPENAI_API_KEY"}
SECONDS = 5.0


class Keys:
    """The keys of one process, or of the pods that it stands for."""

    def __init__(self, options: Options) -> None:
        self._options, self._turn = options, itertools.count()
        self._client: httpx.AsyncClient | None = None

    async def of(self, provider: str) -> str:
        """Return the key of ``togetherAI`` or ``openAI``; empty where none is set. Raises Unreachable."""
        given = self._options
        if not given.pods_url:
            return given.together_key if provider == "togetherAI" else given.openai_key
        try:
            answer = await self._opened().get(f"{given.pods_url}/_lab/environment", params={"app": APP})
            pods: list[dict[str, str]] = answer.json()["pods"]
        except (httpx.HTTPError, OSError, ValueError, KeyError) as error:
            raise Unreachable(f"the pods' variables cannot be read: {type(error).__name__}") from error
        if not pods:
            raise Unreachable(f"no pod of {APP} takes traffic")
        return pods[next(self._turn) % len(pods)].get(VARIABLES[provider], "")

    async def close(self) -> None:
        """Close the HTTP client."""
        if self._client is not None:
            await self._client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            trusted = ssl.create_default_context(cafile=self._options.pods_ca)
            self._client = httpx.AsyncClient(timeout=SECONDS, trust_env=False, verify=trusted)
        return self._client
