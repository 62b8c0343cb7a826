"""Server-driven pages: why a canvas stays blank, as far as that can be seen from outside a user's browser."""

from opslib.checks import frontend_loading
from opslib.checks.sdui_browser import opened, reported
from opslib.checks.sdui_layouts import markup, registry, schema, tenant, unseen, version
from opslib.checks.tree import Branch, Tree
from opslib.model import Check

DECISIVE: tuple[Check, ...] = (registry(), schema(), version(), tenant(), reported(), unseen(), opened)
TREES: tuple[Tree, ...] = (
    Tree(
        name="sdui-blank",
        symptom="SDUI components not rendering",
        branches=(
            Branch(frontend_loading.whole, "a file of the front end is not there since a deployment"),
            Branch(frontend_loading.former, "who still has the former document cannot load the rest of it"),
            Branch(opened, "the content security policy keeps something out, or the first scripts fail"),
            Branch(version(), "pages are newer than the front end that is deployed"),
            Branch(schema(), "pages are refused by their schema (SDUI_001)"),
            Branch(registry(), "a component that pages name is not registered (SDUI_002)"),
            Branch(markup(), "a sanitizer takes parts of a page out"),
            Branch(tenant(), "a page names another organization, so its data stays empty"),
            Branch(unseen(), "row level security shows the user nothing"),
            Branch(reported(), "users' browsers report it: see the issue"),
        ),
        codes=("SDUI_001", "SDUI_002"),
        items=("TRB-SDU-00",),
    ),
)

__all__ = [
    "DECISIVE",
    "TREES",
    "markup",
    "opened",
    "registry",
    "reported",
    "schema",
    "tenant",
    "unseen",
    "version",
]
