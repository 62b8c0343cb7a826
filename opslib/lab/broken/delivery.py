"""Delivery broken on purpose: the workflow's file at the lab's GitHub, and its newest run."""

from __future__ import annotations

from collections.abc import Callable

from opslib.lab.broken import Fault
from opslib.lab.doors import change, remembered
from opslib.lab.vendors.github import PATH, PRODUCT, WORKFLOW
from opslib.settings import Settings

COMMIT = "the workflow's file is changed by a commit, which somebody reviews"
INPUT = """    inputs:
      force_full_deploy:
        description: Deploy everything, whatever changed
        type: boolean
        default: false
"""


def _file(*changes: tuple[str, str]) -> Callable[[Settings], None]:
    def make(settings: Settings) -> None:
        text = WORKFLOW
        for before, after in changes:
            text = text.replace(before, after)
        change(settings, "github", files={PATH: text})

    return make


def _as_the_product(settings: Settings) -> None:
    change(settings, "github", files={PATH: PRODUCT})


def _mended(settings: Settings) -> None:
    change(settings, "github", files={PATH: WORKFLOW})


def _newest(fails: str) -> Callable[[Settings], None]:
    def make(settings: Settings) -> None:
        *earlier, newest = remembered(settings, "github")["runs"]
        change(settings, "github", runs=[*earlier, {**newest, "fails": fails}])

    return make


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="workflow-without-input",
        area="delivery",
        title="The workflow takes no force_full_deploy: GitHub refuses a dispatch that gives it",
        check="workflow-takes-input",
        notebook="",
        make=_file((INPUT, "")),
        mend=_mended,
        person=COMMIT,
    ),
    Fault(
        name="workflow-of-the-product",
        area="delivery",
        title="The workflow's file is the product's: an image called frontend, no input, a summary too early",
        check="delivery-scenarios",
        notebook="",
        make=_as_the_product,
        mend=_mended,
        person=COMMIT,
    ),
    Fault(
        name="deployment-without-tests",
        area="delivery",
        title="Images are built and deployed without waiting for the tests",
        check="delivery-stages",
        notebook="",
        make=_file(("needs: [test, security-scan, detect-changes]", "needs: [security-scan, detect-changes]")),
        mend=_mended,
        person=COMMIT,
    ),
    Fault(
        name="skipped-by-a-skipped-job",
        area="delivery",
        title="Kubernetes is never deployed unless the infrastructure changed too",
        check="delivery-scenarios",
        notebook="",
        make=_file(("${{ !cancelled() && !failure() && needs.detect-changes.outputs.services != '[]' }}", "success()")),
        mend=_mended,
        person=COMMIT,
    ),
    Fault(
        name="lock-file-in-no-filter",
        area="delivery",
        title="A change of package-lock.json alone deploys nothing",
        check="delivery-uncovered",
        notebook="",
        make=_file(("package-lock.json,", "")),
        mend=_mended,
        person=COMMIT,
    ),
    Fault(
        name="run-failed",
        area="delivery",
        title="The newest run failed as it deployed to Kubernetes",
        check="delivery-run-stages",
        notebook="runbooks/force-full-deployment",
        make=_newest("deploy-kubernetes"),
        mend=_newest(""),
    ),
)
