"""A hostile notebook: whatever its cells try, nothing is changed that the run's rules do not allow."""

import json
import os
import socket

import pytest

from opslib.archive.verify import verify
from tests.headless import bench

pytestmark = pytest.mark.usefixtures("warm")

LINE = """
import json, os, socket, time
address = os.environ["OPS_RUN_SOCKET"]
def send(data, wait=True):
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(address)
        line.sendall(data)
        file = line.makefile("rb")
        while wait and (raw := file.readline()):
            said = json.loads(raw)
            if "progress" not in said:
                return said
def ask(**request):
    return send(json.dumps(request).encode() + b"\\n")
def told(said):
    open(FILE, "w").write(json.dumps(said))
"""
FORGED = """
step = dict(verb="step", action="take-backup", parameters={"label": "forged"})
approval = {"by": "ann@valuecanvas", "kind": "approve", "digest": "0" * 64}
told([
    ask(**step, approved=True),
    ask(**step, approvals=[approval, approval], break_glass=True),
    ask(**step, environment="lab", mode="run"),
    ask(**step, settings={"unattended_actions": ["take-backup"]}),
    ask(**step, cell="../../../elsewhere"),
    ask(verb="hello", environment="lab"),
    ask(**{**step, "parameters": {"label": "forged", "approved": True}}),
    ask(**{**step, "parameters": {"label": {"__class__": "os.system"}}}),
    ask(**{**step, "parameters": {"label": "x; rm -rf /"}}),
    ask(**{**step, "parameters": ["forged"]}),
    ask(**{**step, "action": "drop-everything"}),
    ask(**{**step, "action": "opslib.actions.backups.TakeBackup"}),
    ask(**{**step, "action": ["take-backup"]}),
    ask(**{**step, "action": "restore-database", "parameters": {"backup": "backups/x", "approved": "yes"}}),
    *[ask(verb=verb) for verb in ("close", "undo", "take_back", "__init__", "stop", "_step", ["step"], None)],
])
"""


@pytest.fixture
def production(lab):
    """The lab under the name of production, where every change needs approvals."""
    return lab.settings.model_copy(update={"environment": "production", "unattended_actions": ()})


@pytest.fixture
def state(lab):
    """Return a function that looks at what there is: databases and their write counters, keys, objects."""

    def look():
        with lab.admin() as session:
            databases = session.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
            writes = session.execute("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) AS n FROM pg_stat_user_tables")
            return databases, writes.fetchall(), lab.target.backups.versions("")

    return look


def said(file):
    return json.loads(file.read_text())


def begun(folder):
    return [line for line in bench.events(folder) if line["event"] in ("intent", "applied", "undoing")]


def test_no_forged_request_changes_anything(tmp_path, production, state):
    before = state()
    file = tmp_path / "said"
    result, folder = bench.run(tmp_path, production, f"FILE = {str(file)!r}\n{LINE}{FORGED}")
    answers = said(file)
    assert len(answers) == 22
    assert all("error" in answer for answer in answers)
    assert begun(folder) == []
    assert state() == before
    assert result["state"] in ("refused", "failed")
    assert result["exit_code"] in (4, 5)
    assert {path.name for path in (folder / "evidence").iterdir()} == set()
    assert verify(tmp_path / "archive").ok


def test_changing_our_code_inside_the_kernel_changes_nothing_outside(tmp_path, production, state):
    before = state()
    patched = """
import opslib.runs.gate, opslib.runs.approval, opslib.runs.run, opslib.model
from opslib.actions.backups import TakeBackup
opslib.runs.gate.allow = lambda *a, **k: None
opslib.runs.approval.require = lambda *a, **k: None
type(run).mode = property(lambda self: "run", lambda self, word: None)
run.environment = "lab"
TakeBackup.apply = lambda *a: {}
run.step(TakeBackup(label="patched"))
"""
    result, folder = bench.run(tmp_path, production, patched)
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert begun(folder) == []
    assert state() == before


def test_a_planning_run_stays_one_whatever_its_notebook_sends(tmp_path, lab, state):
    before = state()
    file = tmp_path / "said"
    source = (
        f"FILE = {str(file)!r}\n{LINE}\nrun.mode = 'run'\n"
        "step = dict(verb='step', action='take-backup', parameters={'label': 'planned'}, mode='run', approved=True)\n"
        "told([ask(**step), ask(**step)])"
    )
    _, folder = bench.run(tmp_path, lab.settings, source, mode="plan")
    assert [answer["answer"]["status"] for answer in said(file)] == ["planned", "planned"]
    assert begun(folder) == []
    assert state() == before


NONSENSE = """
deep = b'{"verb": "note", "text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\\n"
told([
    send(b"null\\n"), send(b"[1]\\n"), send(b"{}\\n"), send(b'{"verb": \\n'), send(b"\\xff\\xfe\\n"), send(deep),
    send(b'{"verb": "note", "text": "\\\\ud800"}\\n'), send(b'{"verb": "note", "text": NaN}\\n'),
    send(b'{"verb": "note", "text": ' + b"1" * 5000 + b"}\\n"),
    send(b'{"verb": "result", "result": 5}\\n'), send(b'{"verb": "result", "result": {"verdict": "FINE"}}\\n'),
    send(b'{"verb": "reading"}\\n'), send(b'{"verb": "note"}\\n'),
    ask(verb="reading", reading=json.loads("[" * 70 + "]" * 70)),
])
# Lines that never end, and more of them than anybody needs.
slow = []
for number in range(2000):
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(2)
    try:
        line.connect(address)
        line.sendall(b'{"verb": "no')
        slow.append(line)
    except OSError:
        line.close()
    if len(slow) > 200:
        slow.pop(7).close()
open(FILE + "-threads", "w").write(str(len(os.listdir(f"/proc/{RUNNER}/task"))))
"""


def test_nonsense_endless_lines_and_thousands_of_connections_leave_the_run_alive(tmp_path, lab):
    file = tmp_path / "said"
    source = f"FILE, RUNNER = {str(file)!r}, {os.getpid()}\n{LINE}{NONSENSE}"
    result, folder = bench.run(tmp_path, lab.settings, source, "run.note('still there')")
    answers = said(file)
    assert len(answers) == 14
    assert all("error" in answer for answer in answers)
    assert int((tmp_path / "said-threads").read_text()) < 60
    assert [line["text"] for line in bench.events(folder) if line["event"] == "note"] == ["still there"]
    assert result["state"] == "finished"
    assert verify(tmp_path / "archive").ok


def test_steps_that_are_asked_for_at_once_are_done_one_after_the_other(tmp_path, lab):
    source = f"FILE = {str(tmp_path / 'said')!r}\n{LINE}\n" + (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "asked = dict(verb='step', action='take-backup', parameters={'label': 'at-once'})\n"
        "step = lambda number: ask(**asked, cell=f'another-{number}')\n"
        "told(list(ThreadPoolExecutor(3).map(step, range(3))))"
    )
    _, folder = bench.run(tmp_path, lab.settings, source, mode="plan")
    steps = [line["step"] for line in bench.events(folder) if line["event"] == "planned"]
    assert sorted(steps) == ["act-1", "act-1-2", "act-1-3"]
    assert [answer["answer"]["status"] for answer in said(tmp_path / "said")] == ["planned"] * 3


def test_nobody_can_ask_an_executor_whose_run_has_ended(tmp_path, lab):
    address = tmp_path / "address"
    source = f"import os\nopen({str(address)!r}, 'w').write(os.environ['OPS_RUN_SOCKET'])"
    bench.run(tmp_path, lab.settings, source)
    with socket.socket(socket.AF_UNIX) as line, pytest.raises(FileNotFoundError):
        line.connect(address.read_text())


def test_a_notebook_that_writes_into_its_own_record_does_not_go_unseen(tmp_path, lab):
    # As the same user it can write there; as another (OPS_KERNEL_USER) it cannot reach the archive at all. It may
    # mend the chain: the executor's next line names the digest of the line that it had written itself.
    forge = f"""
import hashlib, json, pathlib
(journal,) = pathlib.Path({str(tmp_path / "archive")!r}).glob('runs/*/journal.jsonl')
lines, before = [], '0' * 64
for line in journal.read_text().splitlines():
    said = json.loads(line.replace('not so good', 'very good!!'))
    lines.append(json.dumps(said | {{'prev': before}}, sort_keys=True, separators=(',', ':'), ensure_ascii=False))
    before = hashlib.sha256(lines[-1].encode()).hexdigest()
with journal.open('r+') as file:
    file.write(''.join(line + chr(10) for line in lines))
"""
    _, folder = bench.run(tmp_path, lab.settings, "run.note('not so good')", forge)
    found = verify(tmp_path / "archive")
    assert "very good!!" in (folder / "journal.jsonl").read_text()
    assert not found.ok
