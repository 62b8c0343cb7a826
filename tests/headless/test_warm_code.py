"""A standing process sees that its code has changed, at once, and is not misled by what changes beside it."""

import os

from opslib.headless import warm_code
from opslib.headless.warm_code import Code
from tests.headless.test_sweep import ROOT


def test_what_is_looked_at_is_the_package_and_the_lock():
    code = Code()
    paths = {path for path, *_ in code.signature()}
    assert {warm_code.__file__, str(ROOT / "uv.lock"), str(ROOT / "opslib" / "archive" / "verify.sh")} <= paths
    code.close()


def test_a_file_that_is_written_again_is_a_change_and_one_beside_the_code_is_none():
    code = Code()
    assert not code.changed()
    beside = ROOT / f".beside-{os.getpid()}"
    beside.touch()
    beside.unlink()
    assert not code.changed()
    os.utime(ROOT / "uv.lock")
    assert code.changed()
    code.close()
    assert code.changed()
