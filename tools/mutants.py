"""How many small faults in a module the tests find: ``python tools/mutants.py [MODULE…]``.

The tests of a module run once under coverage, which tells the tests that reach each line. Then each mutant (see
:mod:`tools.mutations`) has a process of its own, forked from one that has loaded the libraries, in a copy of the
project; only the tests that reach the changed line run, the quickest first, until one fails. What survives is
printed with its line. A mutant that changes nothing for anybody is listed in equivalent.toml with the reason.
"""

from __future__ import annotations

import ast
import gc
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


from tools.forks import Pool, forked, killed, run
from tools.mutations import Mutant, mutants
from tools.reach import Watch

ROOT = Path(__file__).resolve().parent.parent
MODULES = {
    "opslib/archive/anchor.py": "archive/test_anchor",
    "opslib/archive/audit.py": "archive/test_audit",
    "opslib/archive/copy.py": "archive/test_copy archive/test_limits",
    "opslib/archive/dates.py": "archive/test_dates",
    "opslib/archive/going.py": "archive/test_going",
    "opslib/archive/heartbeat.py": "archive/test_heartbeat archive/test_limits",
    "opslib/archive/interrupted.py": "archive/test_interrupted archive/test_limits",
    "opslib/archive/keys.py": "archive/test_keys",
    "opslib/archive/log.py": "archive/test_log archive/test_store archive/test_keys archive/test_limits",
    "opslib/archive/record.py": "archive/test_record archive/test_limits",
    "opslib/archive/seal.py": "archive/test_seal archive/test_limits",
    "opslib/archive/seal_secrets.py": "archive/test_seal_secrets archive/test_limits",
    "opslib/archive/signatures.py": "archive/test_signatures",
    "opslib/archive/store.py": "archive/test_store",
    "opslib/archive/timestamp.py": "archive/test_timestamp archive/test_limits",
    "opslib/archive/verify.py": "archive/test_verify_archive",
    "opslib/archive/verify_approvals.py": "archive/test_verify_approvals",
    "opslib/archive/verify_mandates.py": "archive/test_verify_mandates",
    "opslib/archive/verify_report.py": "archive/test_verify_report",
    "opslib/archive/verify_run.py": "archive/test_verify_run archive/test_limits",
    "opslib/archive/verify_runs.py": "archive/test_verify_archive archive/test_verify_progress",
    "opslib/archive/vouched.py": "archive/test_vouched",
    "opslib/canonical.py": "test_canonical",
    "opslib/headless/agreement.py": "headless/test_agreement",
    "opslib/headless/asked.py": "headless/test_asked",
    "opslib/headless/earlier.py": "headless/test_agreement",
    "opslib/headless/notebooks.py": "headless/test_notebooks headless/test_parameters",
    "opslib/headless/notebooks_live.py": "headless/test_parameters",
    "opslib/headless/notebooks_parameters.py": "headless/test_notebooks headless/test_parameters",
    "opslib/headless/origin.py": "headless/test_origin",
    "opslib/redaction.py": "test_redaction test_redaction_views",
    "opslib/redaction_known.py": "test_redaction test_redaction_known",
    "opslib/redaction_patterns.py": "test_redaction_patterns test_redaction",
    "opslib/redaction_views.py": "test_redaction_views test_redaction_known",
    "opslib/runs/approval.py": "runs/test_approval",
    "opslib/runs/approvals.py": "runs/test_approvals",
    "opslib/runs/asked.py": "runs/test_asked",
    "opslib/runs/asking.py": "runs/test_asking",
    "opslib/runs/claims.py": "systems/test_claim_store",
    "opslib/runs/executor.py": "runs/test_executor runs/test_asked runs/test_watch runs/test_stepping "
    "runs/test_taking_back",
    "opslib/runs/gate.py": "runs/test_gate",
    "opslib/runs/journal.py": "runs/test_journal",
    "opslib/runs/lasting.py": "runs/test_lasting",
    "opslib/runs/local_lock.py": "runs/test_local_lock",
    "opslib/runs/locks.py": "runs/test_locks",
    "opslib/runs/mandate.py": "runs/test_mandate",
    "opslib/runs/mandates.py": "runs/test_mandate",
    "opslib/runs/outside.py": "runs/test_outside",
    "opslib/runs/saved_plan.py": "runs/test_saved_plan",
    "opslib/runs/signed.py": "runs/test_approvals runs/test_mandate runs/test_witness",
    "opslib/runs/signers.py": "runs/test_signers",
    "opslib/runs/slot.py": "runs/test_slot",
    "opslib/runs/stepping.py": "runs/test_stepping runs/test_taking_back runs/test_executor runs/test_asking",
    "opslib/runs/steps.py": "runs/test_steps",
    "opslib/runs/undoing.py": "runs/test_undoing",
    "opslib/runs/waiting.py": "runs/test_waiting runs/test_executor runs/test_watch",
    "opslib/runs/work.py": "runs/test_lasting",
    "opslib/settings_guard.py": "test_settings_guard",
    "opslib/sshsig.py": "test_sshsig archive/test_limits",
    "opslib/systems/claim_store.py": "systems/test_claim_store",
    "opslib/systems/deadline.py": "systems/test_deadline",
    "opslib/systems/lease.py": "systems/test_lease",
    "opslib/systems/lease_store.py": "systems/test_lease",
    "opslib/systems/pending.py": "systems/test_deadline",
}
"""The modules, and the files below tests/ that must find a fault in them."""

EQUIVALENT = ROOT / "tools" / "equivalent.toml"
ENOUGH = 0.95
BATCH = 50
"""So many mutants share one lab: what their tests leave in it takes memory."""

PATIENCE = 20.0
"""A mutant's tests may take so many seconds, and ten times as long as the module as it is needs: then it hangs."""


def paths_of(module: str) -> list[str]:
    """Return the test files of a module."""
    return [f"tests/{name}.py" for name in MODULES[module].split()]


def watched(paths: Sequence[str], modules: Sequence[str], place: Path) -> Watch:
    """Run all tests on the modules as they are, and return what was seen; exits when one fails."""
    answer = place.with_name("watch")

    def act() -> int:
        import coverage

        # All others read what is compiled here.
        sys.dont_write_bytecode = False
        watch = Watch(coverage.Coverage(data_file=None, include=[str(place / module) for module in modules]))
        watch.cover.start()
        code = run(paths, watch, place)
        watch.cover.stop()
        watch.read(place)
        watch.loaded = [name for name in sys.modules if not name.startswith(("opslib", "tests", "__m", "coverage"))]
        answer.write_text(watch.dumps())
        return code

    pid = forked(act, place.with_name("watch.txt"))
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        killed(pid)
    if code:
        sys.exit(place.with_name("watch.txt").read_text() + "\nThe tests fail without any fault.")
    return Watch.loads(answer.read_text())


def load(names: Sequence[str]) -> None:
    """Load the libraries once, for all processes that are forked afterwards."""
    for name in sorted(names):
        with suppress(Exception):
            importlib.import_module(name)
    # pytest collects garbage at its end; what is loaded here is none.
    gc.freeze()


@contextmanager
def shared_lab(folder: Path, watch: Watch) -> Iterator[None]:
    """Start one lab for the tests of all mutants, where tests need one."""
    if not any("lab" in names for names in watch.needs.values()):
        yield
        return
    watch.seconds.pop("fixture lab", None)
    os.environ["OPSLIB_TESTS_LAB"] = str(folder)
    environment = {**os.environ, "OPS_LAB": str(folder), "LAB_LOAD_PER_SECOND": "0"}
    command = [Path(sys.executable).with_name("ops"), "lab"]
    subprocess.run([*command, "up", "--rows", "3000"], env=environment, check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        subprocess.run([*command, "down"], env=environment, check=True, stdout=subprocess.DEVNULL)


def _try(module: str, fault: Mutant, watch: Watch, pool: Pool, left: list[Mutant]) -> None:
    """Start the tests of one mutant; it is put into ``left`` when none fails."""
    tests = watch.tests(module, fault.lines, paths_of(module))
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    limit = PATIENCE + 10 * sum(map(watch.cost, tests))
    # 5: no test was left to run; that finds nothing.
    pool.start({module: fault.source}, files, tests, limit, lambda code: left.extend([fault] * (code in (0, 5))))


def tried(module: str, watch: Watch, pool: Pool, same: dict[str, str], lab: Path) -> bool:
    """Try all mutants of a module, print what came of it, and say whether it is good enough."""
    begin, faults = time.monotonic(), list(mutants((ROOT / module).read_text()))
    left: list[Mutant] = []
    for first in range(0, len(faults), BATCH):
        with shared_lab(lab, watch):
            for fault in faults[first : first + BATCH]:
                _try(module, fault, watch, pool, left)
            pool.finish()
    alike = [fault for fault in left if fault.said in same]
    found, count = len(faults) - len(left), len(faults) - len(alike)
    unknown = same.keys() - {fault.said for fault in alike}
    took = time.monotonic() - begin
    print(f"{module}: {found} of {count} found ({found / count:.1%}), {len(alike)} equivalent, {took:.0f} s")
    for fault in sorted(left, key=lambda fault: fault.line):
        why = f"  [equivalent: {same[fault.said]}]" if fault.said in same else ""
        print(f"  line {fault.line}: {fault.said}{why}")
    for said in unknown:
        print(f"  is listed as equivalent, and is found or not there: {said}")
    sys.stdout.flush()
    return found >= ENOUGH * count and not unknown


def control(pool: Pool, modules: Sequence[str], paths: Sequence[str], watch: Watch) -> None:
    """Run the tests on the modules as they are, only written anew: what fails then fails for another reason.

    Twice, since mutants share a lab: what a test leaves in it must let no other run of that test fail.
    """
    wrong: list[int] = []
    anew = {module: ast.unparse(ast.parse((ROOT / module).read_text())) for module in modules}
    for _ in range(2):
        pool.start(anew, paths, watch.quick(watch.needs), 3600, wrong.append)
        pool.finish()
        if any(wrong):
            sys.exit(pool.said() + "\nThe tests fail in a copy without any fault.")


def main(names: list[str]) -> int:
    """Try all mutants of the named modules, or of all; returns 1 when fewer than 95 % of one's are found."""
    modules = names or list(MODULES)
    paths = sorted({path for module in modules for path in paths_of(module)})
    same = tomllib.loads(EQUIVALENT.read_text())
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        place = Path(folder, "project")
        for part in ("docs", "notebooks", "opslib", "tests", "tools"):
            shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
        for path in filter(Path.is_file, ROOT.iterdir()):
            shutil.copy(path, place)
        watch = watched(paths, modules, place)
        load(watch.loaded)
        pool, lab = Pool(place, os.cpu_count() or 1), Path(folder, "lab")
        try:
            with shared_lab(lab, watch):
                control(pool, modules, paths, watch)
            good = [tried(module, watch, pool, same.get(module, {}), lab) for module in modules]
        finally:
            pool.stop()
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
