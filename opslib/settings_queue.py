"""Where the queue of many machines is: ``OPS_QUEUE_URL``, in ``.env.queue`` or the environment."""

from __future__ import annotations

from opslib.settings_own import Own

_OWN = Own("queue", "OPS_QUEUE_URL", ".env.queue", "docs/workers.md")
configured, needed = _OWN.configured, _OWN.needed
refuse_operated, refuse_described = _OWN.refuse_operated, _OWN.refuse_described
