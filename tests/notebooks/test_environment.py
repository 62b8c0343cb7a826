"""diagnostics/environment before and after a development environment was set up."""

from opslib.headless.undo import undo
from tests.notebooks.test_set_up_environment import journal
from tests.workspaces import needs_npm

NAME = "diagnostics/environment"


def verdicts(folder):
    return {line["result"]["check"]: line["result"]["verdict"] for line in journal(folder) if line["event"] == "result"}


@needs_npm
def test_nothing_is_green_that_nobody_could_look_at_and_what_was_set_up_is(run, house, fingerprint):
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
    made, _ = run("runbooks/set-up-environment")
    found = verdicts(run(NAME)[1])
    well = ("tools", "checkout", "variables", "privacy", "apart", "development")
    assert {found[f"environment-{name}"] for name in well} == {"OK"}
    assert found["environment-scripts"] == "WARNING"
    assert undo(made["run"], house.archive)["exit_code"] == 0
