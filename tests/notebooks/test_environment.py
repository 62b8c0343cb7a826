"""diagnostics/environment before one is set up; what it says afterwards stands in test_set_up_environment.py."""

from tests.notebooks.recorded import verdicts
from tests.workspaces import needs_npm

NAME = "diagnostics/environment"
SHARES = True


@needs_npm
def test_nothing_is_green_that_nobody_could_look_at(run, house, fingerprint):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["verdict"], fingerprint()) == ("finished", "UNKNOWN", before)
    found = verdicts(folder)
    assert {name for name, verdict in found.items() if verdict == "OK"} <= {
        "environment-tools",
        "environment-local-tools",
        "environment-accounts",
        "environment-production",
        "environment-built",
        # That none stands here is well: nobody has to develop on this machine.
        "environment-development",
    }
