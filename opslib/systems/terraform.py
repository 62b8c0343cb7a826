"""Terraform, or OpenTofu, on infrastructure code of one commit: planned without being able to write, applied exactly.

The code is written from git's objects to a private folder that is gone afterwards, and ``init`` takes the providers
that its lock file names. A plan is made with the credentials that read and without a lock, so it writes nothing; what
it decided is kept as a file, and that file alone can be applied. Nothing that the program prints is kept: plans and
states hold secrets. Sources: Terraform's manual ("Running Terraform in Automation", commands init, plan, apply, show,
state pull, "Environment Variables"), "JSON Output Format".

Providers, modules and external data sources are programs: whoever may commit to the folder runs code here, with these
credentials. What protects from that is the review of the commit, which the plan names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib import files
from opslib.errors import Refused, StepFailed, Unreachable, UsageError
from opslib.redaction import Redactor
from opslib.settings import Settings
from opslib.systems.checkout import Checkout
from opslib.systems.deadline import deadline
from opslib.systems.programs import CHUNK, ENDING, GUARDIAN, leash

SECONDS, APPLY_SECONDS = 900.0, 3 * 3600.0
PATIENCE, APPLY_PATIENCE = 5.0, 120.0
"""How long it may take to end once it is told to: it writes the state of what it was doing before it ends."""
LOCK_SECONDS = 60
MOST_BYTES = 64 * 1024 * 1024
LAST = 2000
CHANGES = 2
"""The exit code of a plan that would change something (``-detailed-exitcode``)."""
_PATH = r"/[^\0\n]+"
ARGUMENTS = re.compile(
    rf"-chdir={_PATH}|version|init|plan|apply|show|state|pull|-json|-input=false|-no-color|-lock=false"
    rf"|-lock-timeout=[0-9]{{1,3}}s|-lockfile=readonly|-detailed-exitcode|-out={_PATH}|-var-file={_PATH}"
    rf"|-backend-config={_PATH}|-plugin-dir={_PATH}|{_PATH}"
)
"""What may follow the program's name, whole; ``-auto-approve``, ``-target``, ``-replace`` and ``destroy`` may not."""


@dataclass(frozen=True)
class State:
    """Which state it is: ``lineage`` says whose line, ``serial`` counts its changes; no lineage: there is none yet."""

    serial: int
    lineage: str
    resources: int


class ReadOnlyTerraform:
    """Plans, with credentials that read."""

    writes = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @contextmanager
    def working(self, checkout: Checkout, commit: str) -> Iterator[Working]:
        """Hand out the code of a commit, initialised; raises Refused where its state is kept nowhere that lasts."""
        with tempfile.TemporaryDirectory(prefix="opslib-terraform-") as place:
            source = Path(place) / "source"
            source.mkdir()
            (Path(place) / "home").mkdir()
            checkout.write(commit, source)
            folder = source / self.settings.infrastructure
            if not folder.is_dir():
                raise Refused(
                    f"{commit[:12]} has no folder {self.settings.infrastructure}.", "Set OPS_INFRASTRUCTURE, or commit."
                )
            made = Working(self.settings, folder, Path(place) / "home", writes=self.writes)
            made.begin()
            yield made

    def close(self) -> None:
        """Nothing stays open."""


class Terraform(ReadOnlyTerraform):
    """Also applies a saved plan, with credentials that write."""

    writes = True


class Working:
    """The code of one commit in a folder of its own."""

    def __init__(self, settings: Settings, folder: Path, home: Path, *, writes: bool) -> None:
        self._settings, self._folder, self._home, self._writes = settings, folder, home, writes
        said = settings
        pair = (said.aws_access_key_id, said.aws_secret_access_key)
        self._keys = pair if writes else (said.read_aws_access_key_id, said.read_aws_secret_access_key)

    def begin(self) -> None:
        """Take the providers that the lock file names, and find the state."""
        arguments = ["init", "-input=false", "-no-color", "-lockfile=readonly"]
        if self._settings.infrastructure_backend:
            arguments.append(f"-backend-config={self._folder / self._settings.infrastructure_backend}")
        if self._settings.terraform_plugins:
            arguments.append(f"-plugin-dir={self._settings.terraform_plugins}")
        self._run(arguments)
        found: Any = {}
        with suppress(OSError, ValueError):
            found = json.loads((self._folder / ".terraform" / "terraform.tfstate").read_bytes())
        if (found.get("backend") or {}).get("type", "local") == "local":
            raise Refused(
                "Its state would be kept in a file beside the code: nobody else has that.",
                "Name a backend there (s3 with versioning), and OPS_INFRASTRUCTURE_BACKEND if it is not in the code.",
            )

    def version(self) -> str:
        """Return its version."""
        return str(self._json(["version", "-json"])["terraform_version"])

    def state(self) -> State:
        """Return which state there is now."""
        said = self._run(["state", "pull"])[1]
        if not said.strip():
            return State(0, "", 0)
        found = _object(said)
        return State(int(found["serial"]), str(found["lineage"]), len(found.get("resources") or ()))

    def plan(self, out: Path | None = None) -> bool:
        """Plan, into the file ``out`` if there is one; tells whether anything would change."""
        lock = [f"-lock-timeout={LOCK_SECONDS}s"] if self._writes else ["-lock=false"]
        arguments = ["plan", "-input=false", "-no-color", "-detailed-exitcode", *lock]
        if self._settings.infrastructure_values:
            arguments.append(f"-var-file={self._folder / self._settings.infrastructure_values}")
        arguments += [f"-out={out}"] if out else []
        return self._run(arguments, codes=(0, CHANGES))[0] == CHANGES

    def show(self, file: Path) -> dict[str, Any]:
        """Return what a saved plan would do, as ``show -json`` has it; it holds secrets."""
        return self._json(["show", "-json", "-no-color", str(file)])

    def apply(self, file: Path) -> None:
        """Carry out exactly the saved plan; raises StepFailed with its last words, Refused for who cannot write."""
        if not self._writes:
            raise Refused("This handle plans, and applies nothing.", "Apply by an approved step.")
        arguments = ["apply", "-input=false", "-no-color", f"-lock-timeout={LOCK_SECONDS}s", str(file)]
        self._run(arguments, seconds=APPLY_SECONDS, patience=APPLY_PATIENCE)

    def _json(self, arguments: Sequence[str]) -> dict[str, Any]:
        return _object(self._run(arguments)[1])

    def _run(
        self,
        arguments: Sequence[str],
        *,
        codes: Sequence[int] = (0,),
        seconds: float = SECONDS,
        patience: float = PATIENCE,
    ) -> tuple[int, bytes]:
        """Return exit code and output; raises StepFailed for another code, Unreachable after ``seconds``."""
        for one in arguments:
            if not ARGUMENTS.fullmatch(one):
                raise Refused(f"Terraform is not started with {one[:40]}.", "It is not on the list.")
        program, what = find(self._settings), f"{self._settings.terraform} {arguments[0]}"
        guardian = [sys.executable, "-I", "-S", GUARDIAN]
        with leash() as held, tempfile.TemporaryFile() as told:
            process = subprocess.Popen(
                [*guardian, str(held), f"{patience * 1000:.0f}", str(program), f"-chdir={self._folder}", *arguments],
                env=self._environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=told,
                start_new_session=True,
                pass_fds=(held,),
            )
            try:
                with deadline(seconds, what, lambda: _end(process, patience)):
                    said = _read(process, what)
                    code = process.wait()
            finally:
                _end(process, patience)
            told.seek(0)
            words = told.read()[-LAST * 2 :]
        if code not in codes:
            raise self._failed(what, code, words)
        return code, said

    def _failed(self, what: str, code: int, words: bytes) -> StepFailed:
        clean = Redactor(self._settings.secrets()).text(words.decode(errors="replace")).strip()[-LAST:]
        end = f"signal {-code}" if code < 0 else f"exit code {code}"
        next_step = "Read its own message above."
        if "state lock" in clean:
            next_step = (
                "Somebody applies, or was killed while applying: see who (the lock names them); then force-unlock."
            )
        return StepFailed(f"{what} ended with {end}: {clean}", next_step)

    def _environment(self) -> dict[str, str]:
        given = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self._home),
            "TMPDIR": str(self._home),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "TF_CLI_CONFIG_FILE": os.devnull,
            "CHECKPOINT_DISABLE": "1",
            "AWS_REGION": self._settings.aws_region,
        }
        if self._settings.aws_endpoint_url:
            given["AWS_ENDPOINT_URL"] = given["AWS_ENDPOINT_URL_S3"] = self._settings.aws_endpoint_url
        for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), self._keys, strict=True):
            if value is not None:
                given[name] = value.reveal()
        return given


def find(settings: Settings) -> Path:
    """Return where the program is; raises UsageError where it is not installed."""
    found = shutil.which(settings.terraform)
    if found is None:
        raise UsageError(
            f"{settings.terraform} is not installed on this machine.",
            "Install it where the executor's PATH finds it, in the version that the code's required_version names.",
        )
    return Path(found).absolute()


def folder() -> Path:
    """Return where saved plans are kept until they are applied: ``opslib/terraform`` in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state).absolute() / "opslib" / "terraform"


def kept(content: str) -> Path:
    """Return the place of the saved plan that decided ``content`` (a digest), which may not be there."""
    return folder() / f"{content}.tfplan"


def keep(content: str, data: bytes) -> Path:
    """Keep a saved plan for its user's eyes only, unless one that decided the same is kept already."""
    place = kept(content)
    if not place.exists():
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(place, data, place.with_suffix(".part"))
    return place


def _read(process: subprocess.Popen[bytes], what: str) -> bytes:
    assert process.stdout is not None
    said = bytearray()
    with process.stdout as pipe:
        while piece := pipe.read(CHUNK):
            said += piece
            if len(said) > MOST_BYTES:
                raise StepFailed(
                    f"{what} says more than {MOST_BYTES} bytes.", "Take the code apart into smaller states."
                )
    return bytes(said)


def _end(process: subprocess.Popen[bytes], patience: float) -> None:
    process.terminate()
    try:
        process.wait(patience + ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _object(said: bytes) -> dict[str, Any]:
    try:
        found = json.loads(said)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreachable("Terraform answered with something that is no JSON object.", "See its version.", "malformed")
    return found
