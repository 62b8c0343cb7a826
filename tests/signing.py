"""Real SSH keys and a plan to be approved, for tests of approvals."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from opslib.model import Effect, Plan, Repeat
from opslib.runs import approvals
from opslib.runs.approval import Approval
from opslib.runs.saved_plan import PlannedStep, SavedPlan, sha256
from opslib.systems import ssh_keygen

CREATED = datetime(2026, 11, 23, 13, 6, 14, 123456, tzinfo=UTC)
MOMENT = CREATED + timedelta(minutes=10)
WORK = "20261123T130614Z-runbooks-restore-database-a1b2c3"
APPROVER = 'namespaces="opslib-approve"'
PEOPLE = ("ann", "ben", "cat", "dan", "eve", "host", "spare")


def step(key="swap-databases", effect=Effect.DESTRUCTIVE, repeat=Repeat.ONCE, **more):
    said = {
        "action": key,
        "title": "Swap the databases",
        "effect": effect,
        "repeat": repeat,
        "parameters": {"database": "valuecanvas"},
        "before": {"live": "valuecanvas"},
        "after": {"live": "valuecanvas_a1b2c3"},
        "touches": 1,
        "touched": "databases",
        "verification": "the restored database answers under the live name",
        "undo": "swap back",
        "fingerprint": {"oid": 16384},
    }
    return PlannedStep(key, Plan(**{**said, **more}))


def plan(**more):
    said = {
        "run": WORK,
        "notebook": "runbooks/restore-database",
        "notebook_sha256": "a" * 64,
        "code_sha256": "b" * 64,
        "environment": "production",
        "target": "c" * 64,
        "parameters": {"backup": "newest"},
        "requested_by": "ann@bastion",
        "requester": "ann@valuecanvas",
        "created_at": CREATED,
        "expires_at": CREATED + timedelta(minutes=60),
        "steps": (step("stage-restore", Effect.CHANGE), step()),
    }
    return SavedPlan(**{**said, **more})


def approval(who, of=None, **more):
    of = of or plan()
    said = {
        "kind": "approve",
        "work": of.run,
        "sha256": sha256(of.encode()),
        "principal": f"{who}@valuecanvas",
        "signed_at": of.created_at + timedelta(minutes=1),
        "expires_at": of.expires_at,
    }
    return Approval(**{**said, **more})


def verified(who, of=None, **more):
    """An approval as it is after its signature held, by a key of that person."""
    return replace(approval(who, of, **more), fingerprint=more.get("fingerprint", f"SHA256:{who}"))


class Keys:
    """One Ed25519 key for each of PEOPLE, made by ssh-keygen."""

    def __init__(self, folder):
        self.folder = folder
        program = str(ssh_keygen.find())
        for name in PEOPLE:
            command = [program, "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
            subprocess.run(command, check=True, timeout=20)

    def __getitem__(self, name):
        return self.folder / name

    def public(self, name):
        return " ".join((self.folder / f"{name}.pub").read_text().split()[:2])

    def line(self, name, options=APPROVER, principal=None):
        return " ".join(filter(None, (principal or f"{name}@valuecanvas", options, self.public(name)))) + "\n"

    def fingerprint(self, name):
        return ssh_keygen.fingerprint(self[name])

    def sign(self, data, folder, *people, kind="approve", reason=""):
        """Have people approve the plan of these bytes, as of now; what they sign lies in ``folder``."""
        for who in people:
            approvals.approve(
                data,
                folder,
                key=self.folder / who,
                principal=f"{who}@valuecanvas",
                kind=kind,
                reason=reason,
                expires=None,
                trust=None,
                unattended=(),
                requested_by=frozenset(),
                moment=datetime.now(UTC),
            )
