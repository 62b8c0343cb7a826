"""Where the team's index of archived runs is: ``OPS_INDEX_URL``, in ``.env.index`` or the environment.

Without one, each archive is searched by its own index, a file of SQLite beside it.
"""

from __future__ import annotations

from opslib.settings_own import Own

_OWN = Own("team's index", "OPS_INDEX_URL", ".env.index", "docs/archive.md")
configured, needed = _OWN.configured, _OWN.needed
refuse_operated, refuse_described = _OWN.refuse_operated, _OWN.refuse_described
