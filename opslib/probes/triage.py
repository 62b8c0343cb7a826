"""What triage and the routines read beyond the checks of the areas."""

from opslib.probes.triage_routines import deployed, earlier, earlier_of, sign_offs

__all__ = ["deployed", "earlier", "earlier_of", "sign_offs"]
