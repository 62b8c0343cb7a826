"""Pictures of a triage: every area at a glance, the tree from what somebody sees, the order of recovery, a list."""

from opslib.pictures.triage_areas import areas
from opslib.pictures.triage_lines import lines
from opslib.pictures.triage_services import order
from opslib.pictures.triage_tree import tree

__all__ = ["areas", "lines", "order", "tree"]
