"""Stand-ins of what runs in the cluster itself: while their deployment has no ready pod, nobody answers for them."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import urllib.request
from pathlib import Path

SECONDS = 2.0
KEPT_SECONDS = 0.3
"""How long an answer of the cluster counts."""


class Hosted:
    """The deployment ``app`` in the cluster of the lab in ``folder``; without a folder, or a cluster, it is there."""

    def __init__(self, app: str, folder: Path | None = None) -> None:
        self._app, self._folder = app, folder
        self._looked, self._away = 0.0, False

    async def away(self) -> bool:
        """Tell whether none of its pods takes traffic."""
        if self._folder is not None and time.monotonic() - self._looked > KEPT_SECONDS:
            self._away, self._looked = await asyncio.to_thread(self._nobody, self._folder), time.monotonic()
        return self._away

    def _nobody(self, folder: Path) -> bool:
        try:
            port = json.loads((folder / "lab.json").read_text(encoding="utf-8"))["services"]["cluster"]["port"]
            trusted = ssl.create_default_context(cafile=folder / "cluster" / "ca.pem")
            url = f"https://127.0.0.1:{int(port)}/_lab/environment?app={self._app}"
            with urllib.request.urlopen(url, timeout=SECONDS, context=trusted) as answer:
                return not json.loads(answer.read())["pods"]
        except (OSError, ValueError, KeyError):
            # A lab that is not whole has no word on it.
            return False
