"""What a commit has to rebuild the system from: what is not there is said, with what is there instead."""

import pytest

from opslib.checks.delivery import rebuild
from opslib.lab.vendors import product
from opslib.model import Verdict
from opslib.runs import reading
from opslib.systems.target import ReadTarget


@pytest.fixture
def said(lab, tmp_path):
    folder = tmp_path / "checkout"
    product.write(folder)

    def said(files, **changes):
        product.commit(folder, files)
        target = ReadTarget(lab.settings.reading().model_copy(update={"checkout": folder, **changes}), "test")
        try:
            check = rebuild("main")
            return reading.judge(check, reading.take(check.probe, target))
        finally:
            target.close()

    return said


def test_the_guides_manifests_are_not_there_and_what_is_there_instead_is_named(said):
    looked = said({"k8s/overlays/production/kustomization.yaml": b"{}\n"})
    assert looked.verdict is Verdict.WARNING
    assert "k8s/production (manifests) is not there; there is k8s/overlays/production" in looked.summary


def test_both_there_and_providers_locked_is_well_and_no_code_is_critical(said):
    whole = {"k8s/production/api.yaml": b"{}\n"}
    assert "no lock file of providers" in said(whole).summary
    assert said({f"{product.INFRASTRUCTURE}/.terraform.lock.hcl": b"\n"}).verdict is Verdict.OK
    assert said({}, infrastructure="infra/none").verdict is Verdict.CRITICAL
