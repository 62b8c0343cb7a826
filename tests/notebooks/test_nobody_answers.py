"""Every diagnostics notebook where no system answers: nothing is green, each check says why, and the run ends well."""

import json
import random
from pathlib import Path

import pytest

from opslib.headless import runner
from tests.scale import NIGHTLY
from tests.shut import closed, closed_port

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "diagnostics"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
BY_DAY = random.Random(20261129).sample([name for name in NOTEBOOKS if name != "triage"], 2)
CHOSEN = NOTEBOOKS if NIGHTLY else sorted(BY_DAY)

HERE = {
    "supabase-keys": "reads the keys that the description holds",
    "supabase-name": "an address of loopback needs no name server",
    "environment-tools": "asks this machine's own tools",
    "environment-local-tools": "the same",
    "security-tracked-env": "reads the checkout",
}
"""Checks that need no other system, and why they may be judged all the same."""
REACHED = {"database-reachable", "database-servers", "cache-reachable", "supabase-reach", "observability-stack"}
"""Checks whose matter it is that somebody answers: they are critical."""


@pytest.fixture
def nobody(lab, tmp_path, monkeypatch):
    """Make the lab's description lead to a port where nobody listens."""
    with closed_port() as port:
        text = closed((lab.folder / "target.env").read_text(), port)
        path = tmp_path / "target.env"
        path.touch(0o600)
        path.write_text(text)
        monkeypatch.setenv("OPS_LAB", str(tmp_path))
        yield


@pytest.mark.parametrize("name", CHOSEN)
def test_nothing_is_green_and_every_check_says_why(nobody, tmp_path, name):
    result = runner.run(f"diagnostics/{name}", (), "lab", tmp_path / "archive")
    assert result["state"] == "finished", result["reason"]
    assert result["exit_code"] in (2, 3), result
    journal = Path(result["report"]).parent / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    found = {line["result"]["check"]: line["result"] for line in lines if line["event"] == "result"}
    assert len({*found} - {*HERE}) >= 3
    for check, one in found.items():
        if check not in HERE:
            assert one["verdict"] == ("CRITICAL" if check in REACHED else "UNKNOWN"), one["summary"]
            assert len(one["summary"]) > 20, check
            # A defect of ours would be named by its Python class.
            assert not {"KeyError", "TypeError", "AttributeError", "IndexError"} & {*one["summary"].split()}, check
            assert one["remedy"], check
