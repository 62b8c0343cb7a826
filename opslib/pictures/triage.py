"""Pictures of a triage: every area at a glance, and the tree from what somebody sees to what explains it."""

from opslib.pictures.triage_areas import areas
from opslib.pictures.triage_tree import tree

__all__ = ["areas", "tree"]
