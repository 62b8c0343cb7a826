"""JupyterLab as a person opens it: the command, a real browser, and a shelf with a small runbook."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.archive.attack import BROWSER
from tests.descriptions import as_production
from tests.shelves import shelf
from tests.signing import Keys

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def started(folder, lab, name="lab", **more):
    """Start ``ops jupyter`` on an environment; hands out the address, the archive and the process."""
    environment = dict(os.environ, OPS_ARCHIVE=str(folder / "archive"), OPS_LAB=str(lab.folder))
    environment |= {"OPS_NOTEBOOKS": str(shelf(folder)), "OPS_WRITE_ONLY_HERE": "not-for-notebooks", **more}
    process = subprocess.Popen(
        [sys.executable, "-m", "opslib.cli", "jupyter", "--no-browser", "--port", "18888", "--environment", name],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip(), folder / "archive", process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


@pytest.fixture
def jupyter(tmp_path, lab):
    with started(tmp_path, lab) as there:
        yield there


@pytest.fixture
def production(tmp_path, lab):
    """JupyterLab on the lab described as production, where ben and cat may approve; and their keys."""
    keys = Keys(tmp_path)
    signers = tmp_path / "allowed_signers"
    signers.write_text("".join(keys.line(who) for who in ("ben", "cat")))
    described = as_production(lab.settings, signers) | {"OPS_LOCKS": str(tmp_path / "locks")}
    with started(tmp_path, lab, "production", **described) as there:
        yield *there, keys, described


@pytest.fixture(scope="session")
def chromium():
    """Return a browser; where there is none the test is skipped, and fails in CI."""
    if BROWSER is None and not os.environ.get("CI"):
        pytest.skip("no chromium: JupyterLab is not opened")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which(str(BROWSER)), args=["--no-sandbox"])
        yield browser
        browser.close()
