"""A fence agent as a program that this test writes: what it is told, and what each of its ends means."""

import json
import os
import sys
import time

import pytest

from opslib.errors import Refused, StepFailed, Unreachable, UsageError
from opslib.redaction import DatabaseUrl, Secret
from opslib.settings import load_reading
from opslib.systems.described_programs import call
from opslib.systems.fencing import FenceAgent, ReadOnlyFenceAgent, rejoin
from tests.descriptions import description

PASSWORD = "a-fence-agents-own-word"
AGENT = """
import json, os, sys
lines = sys.stdin.read().splitlines()
json.dump({"lines": lines, "argv": sys.argv[1:], "env": dict(os.environ)}, open(sys.argv[1], "w"))
print("the device says", lines[-1])
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def agent(tmp_path):
    """Return a maker of agents that end with a code, and what such an agent was told."""
    program, told = tmp_path / "agent.py", tmp_path / "told.json"
    program.write_text(AGENT)

    def make(code, kind=FenceAgent):
        command = (sys.executable, str(program), str(told), str(code))
        said = {"OPS_FENCE_AGENT": ",".join(command), "OPS_FENCE_PASSWORD": PASSWORD, "OPS_DATABASE_PLUG": "node-a"}
        return kind(description(OPS_FENCE_OPTIONS="ip=192.0.2.9,ssl_insecure=1", **said))

    return make, lambda: json.loads(told.read_text())


def test_an_agent_gets_lines_on_its_input_and_the_password_nowhere_else(agent):
    make, told = agent
    os.environ["A_WORD_OF_THIS_PROCESS"] = "x"
    try:
        assert make(0).state("node-a") == "on"
    finally:
        del os.environ["A_WORD_OF_THIS_PROCESS"]
    said = told()
    assert said["lines"] == [
        *("action=status", "plug=node-a", "ip=192.0.2.9", "ssl_insecure=1"),
        f"password={PASSWORD}",
    ]
    assert PASSWORD not in json.dumps([said["argv"], said["env"]])
    assert "A_WORD_OF_THIS_PROCESS" not in said["env"]


@pytest.mark.parametrize(("code", "state"), [(0, "on"), (2, "off")])
def test_the_state_is_the_exit_code(agent, code, state):
    assert agent[0](code, kind=ReadOnlyFenceAgent).state("node-a") == state


@pytest.mark.parametrize("code", [1, 3, 127])
def test_an_agent_that_cannot_tell_says_neither_on_nor_off(agent, code):
    with pytest.raises(Unreachable, match=f"exit code {code}") as told:
        agent[0](code).state("node-a")
    assert "the device says" in str(told.value)
    assert PASSWORD not in str(told.value)


@pytest.mark.parametrize("code", [1, 2])
def test_off_is_done_only_where_the_agent_says_so(agent, code):
    with pytest.raises(StepFailed, match="Nothing may be promoted"):
        agent[0](code).off("node-a")
    agent[0](0).off("node-a")
    assert agent[1]()["lines"][0] == "action=off"


def test_who_only_looks_cannot_switch_off(agent):
    assert not hasattr(agent[0](0, kind=ReadOnlyFenceAgent), "off")


def test_a_program_that_hangs_is_killed_with_all_that_it_started_and_is_no_success(tmp_path):
    script = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    began = time.monotonic()
    with pytest.raises(Unreachable, match="did not end within") as told:
        call((sys.executable, "-c", script), {}, seconds=0.5)
    assert told.value.kind == "slow"
    assert time.monotonic() - began < 30


def test_a_program_that_is_not_there_is_told_by_its_path():
    with pytest.raises(UsageError, match="/nonexistent/fence cannot be started"):
        call(("/nonexistent/fence",), {}, seconds=1)


def test_without_an_agent_nobody_knows(agent):
    bare = ReadOnlyFenceAgent(description())
    assert not bare.described
    with pytest.raises(Unreachable, match="No fence agent is described"):
        bare.state("node-a")
    with pytest.raises(Refused, match="OPS_STANDBY_PLUG"):
        agent[0](0).plug("standby")
    assert agent[0](0).plug("primary") == "node-a"


def test_the_program_that_lets_a_server_follow_is_told_whom(agent, tmp_path):
    make, told = agent
    settings = make(0)._settings
    settings = settings.model_copy(update={"rejoin_program": settings.fence_agent})
    rejoin(settings, "node-a", DatabaseUrl("postgresql://o:a-long-password@db2.example.com/app"), 20)
    assert told()["lines"] == ["action=rejoin", "plug=node-a", "upstream=db2.example.com:5432", f"password={PASSWORD}"]
    broken = settings.model_copy(update={"rejoin_program": make(7)._settings.fence_agent})
    with pytest.raises(StepFailed, match="It stays fenced"):
        rejoin(broken, "node-a", settings.database_url, 20)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OPS_FENCE_AGENT", "fence_ipmilan", "no whole path"),
        ("OPS_FENCE_OPTIONS", "ip=192.0.2.9,password=in-the-clear-1", "sets password"),
        ("OPS_FENCE_OPTIONS", "action=off", "sets action"),
        ("OPS_DATABASE_PLUG", "-rf", "pattern"),
        ("OPS_APPLICATION_STANDBY", "db2.example.com", "pattern"),
    ],
)
def test_a_description_that_would_start_something_else_is_refused(name, value, said):
    with pytest.raises(ValueError, match=said):
        description(**{name: value})


def test_a_notebook_knows_neither_the_agent_nor_its_password(agent):
    settings = agent[0](0)._settings
    given = settings.reading().variables()
    assert not [name for name in given if "FENCE" in name or "PLUG" in name]
    assert not hasattr(load_reading(given), "fence_agent")
    assert Secret(PASSWORD) in settings.secrets()
