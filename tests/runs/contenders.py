"""Processes that contend for locks: ``python -m tests.runs.contenders JOB …``; each job prints lines of JSON.

The racing jobs fork many processes that stand at a gate and start at once.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from opslib import settings
from opslib.errors import Refused
from opslib.runs.locks import Locks
from opslib.runs.slot import slot_id
from opslib.systems.object_client import connect


def described(file, lease_bucket, url, backup_bucket):
    """Return the lab's description with other buckets and another way to the store."""
    other = {"lease_bucket": lease_bucket, "aws_endpoint_url": url, "backup_bucket": backup_bucket}
    return settings.load("lab", lab=Path(file)).model_copy(update=other)


def together(many, work):
    """Start ``work(i, ended)`` in many processes at once and return what each answered; ``ended`` waits for all."""
    gate, go = os.pipe()
    end, over = os.pipe()
    answers, tell = os.pipe()
    children = []
    for i in range(many):
        if child := os.fork():
            children.append(child)
            continue
        try:
            os.close(go)
            os.close(over)
            os.read(gate, 1)
            if said := work(i, lambda text: (os.write(tell, f"{text}\n".encode()), os.read(end, 1))):
                os.write(tell, f"{said}\n".encode())
        finally:
            os._exit(0)
    os.close(tell)
    os.close(go)
    found = b""
    while found.count(b"\n") < many and (piece := os.read(answers, 65536)):
        found += piece
    os.close(over)
    for child in children:
        os.waitpid(child, 0)
    os.close(answers)
    os.close(gate)
    os.close(end)
    return found.decode().split()


def swarm(*words):
    """One schedule slot, started many times at once: who gets the lock and finds no record acts, and says so."""
    *where, many = words
    target = described(*where)
    connect(target, None, None).close()
    slot = slot_id("runbooks/back-up-database", "lab", datetime(2026, 11, 23, 13, tzinfo=UTC))
    folder = Path(tempfile.mkdtemp())

    def start(i, ended):
        with Locks(target, f"{slot}-{i}", folder=folder / "locks") as locks:
            try:
                locks.take("database")
                # Two holders at one time would meet at this name.
                witness = os.open(folder / "witness", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
                said = "done-already"
                if not (folder / slot).exists():
                    locks.check()
                    (folder / slot).mkdir()
                    said = "acted"
                os.close(witness)
                (folder / "witness").unlink()
            except Refused:
                return "busy"
            except FileExistsError:
                return "double"
        return said

    said = together(int(many), start)
    print(json.dumps({word: said.count(word) for word in ("acted", "done-already", "busy", "double")}))


def race(*words):
    """So many machines take one lease at once, again and again: tell the winners' fences of each race."""
    *where, races, many = words
    target = described(*where)
    connect(target, None, None).close()
    folder = Path(tempfile.mkdtemp())

    def start(i, ended):
        with Locks(target, f"racer-{i}", folder=folder / str(i)) as locks:
            try:
                locks.take("cache")
            except Refused as refused:
                return "lost" if "is being changed by racer-" in refused.message else "odd"
            locks.check()
            ended(locks.fences["cache"])
            return ""

    for _ in range(int(races)):
        said = together(int(many), start)
        fences = [int(word) for word in said if word.isdigit()]
        print(json.dumps({"fences": fences, "lost": said.count("lost")}), flush=True)


def hold(*words):
    """Take locks, say so, then check them at each line on the standard input until it ends."""
    *where, folder, run, ttl = words[:7]
    with Locks(described(*where), run, folder=Path(folder), ttl=float(ttl)) as locks:
        try:
            for area in words[7:]:
                locks.take(area)
            said = {"held": locks.fences, "findings": locks.findings}
        except Refused as refused:
            said = {"refused": str(refused)}
        print(json.dumps(said), flush=True)
        for _ in sys.stdin:
            try:
                locks.check()
                print(json.dumps({"valid": True}), flush=True)
            except Refused as refused:
                print(json.dumps({"valid": False, "why": str(refused)}), flush=True)


if __name__ == "__main__":
    {"swarm": swarm, "race": race, "hold": hold}[sys.argv[1]](*sys.argv[2:])
