"""Server-driven pages: what is stored, what the product supports, what row level security leaves of it."""

from opslib.probes.sdui_layouts import layouts, unseen

__all__ = ["layouts", "unseen"]
