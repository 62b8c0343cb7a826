"""While runbooks run: no argument of any process holds a secret, no environment one that its process does not need."""

import json
import subprocess
import sys

import pytest

from opslib.redaction import Secret
from tests.scale import nightly
from tests.supabase import project
from tests.vaults import Shelf

SAMPLER = r"""
import json, os, select, sys, time
needles = {name: value.encode() for name, value in json.loads(sys.stdin.readline()).items()}
def read(pid, what):
    try:
        with open(f"/proc/{pid}/{what}", "rb") as file:
            return file.read()
    except OSError:
        return b""
before, seen, times = set(os.listdir("/proc")), set(), []
print("looking", flush=True)
while not select.select([sys.stdin], [], [], 0.004)[0]:
    times.append(time.monotonic())
    pids = {pid for pid in os.listdir("/proc") if pid.isdigit()}
    # Those that were there before, the servers, are looked at now and then.
    for pid in pids if len(times) % 50 == 1 else pids - before:
        arguments = read(pid, "cmdline")
        name = arguments.replace(b"\0", b" ").decode(errors="replace")
        short = "kernel" if "ipykernel" in name or "kernel" in name else os.path.basename(name.split(" ")[0])
        seen |= {("arguments", short, secret) for secret, value in needles.items() if value in arguments}
        if pid not in before:
            around = read(pid, "environ")
            seen |= {("environment", short, secret) for secret, value in needles.items() if value in around}
            seen.add(("process", short, ""))
gaps = sorted(b - a for a, b in zip(times, times[1:]))
print(json.dumps({"seen": sorted(seen), "looks": len(times), "gap": gaps[len(gaps) // 2]}))
"""


def secrets(settings):
    """Return every secret of the target by its variable, and which of them a kernel is given."""
    every, reading = {}, set(settings.reading().secrets())
    given = set()
    for name, field in type(settings).model_fields.items():
        secret = getattr(settings, name)
        if isinstance(secret, Secret) and secret.parts():
            every[str(field.alias)] = secret.parts()[-1]
            given |= {str(field.alias)} if secret in reading else set()
    return every, given


@nightly
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_no_process_shows_a_secret_while_the_runbooks_run(run, house):
    needles, given = secrets(house.settings)
    assert len(needles) >= 8
    # What the executor takes from the vault and hands on is in no description at all.
    needles["vault"] = Shelf(house.settings).values()["TOGETHER_API_KEY"]
    sampler = subprocess.Popen(
        [sys.executable, "-c", SAMPLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    sampler.stdin.write(json.dumps(needles) + "\n")
    sampler.stdin.flush()
    assert sampler.stdout.readline() == "looking\n"
    names = ("back-up-database", "restore-database", "deploy-supabase")
    with project(house.settings):
        states = [run(f"runbooks/{name}")[0]["state"] for name in names]
    said, _ = sampler.communicate("\n", timeout=30)
    found = json.loads(said)
    assert states == ["finished", "finished", "finished"]
    processes = {name for what, name, _ in found["seen"] if what == "process"}
    assert processes >= {"kernel", "pg_dump", "pg_restore", "git"}
    assert [row for row in found["seen"] if row[0] == "arguments"] == []
    around = {(name, secret) for what, name, secret in found["seen"] if what == "environment"}
    # What the kernel starts by itself (uname) inherits what the kernel has, and that can only read.
    assert {secret for _, secret in around} <= given
    assert {name for name, _ in around} & {"pg_dump", "pg_restore", "psql", "ssh-keygen", "git"} == set()
    print(f"{found['looks']} looks, every {found['gap'] * 1000:.1f} ms")
