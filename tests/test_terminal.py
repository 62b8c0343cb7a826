"""What a record says stays text in the terminal that shows it: nothing steers, hides, turns or forges a line."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from opslib import console
from tests import typed
from tests.archive.payloads import STREAM

ROOT = Path(__file__).resolve().parents[1]
RUN = "20261123T130614Z-diagnostics-database-a1b2c3"
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)
OURS = ("\x1b[K", "\x1b[0m", "\x1b[1m", "\x1b[31m", "\r")
"""What we write ourselves to a terminal: clear the line of progress, colour a verdict."""
FORGED = "all is well\nOK  diagnostics/database\t1 OK"
FIELDS = ("notebook", "title", "environment", "mode", "requested_by", "started_at", "state", "reason", "published")


@pytest.fixture
def archive(tmp_path):
    """An archive whose one run says hostile things everywhere."""

    def archive(text):
        folder = tmp_path / "archive" / "runs" / RUN
        (folder / "evidence").mkdir(parents=True)
        said = dict.fromkeys(FIELDS, text) | {"run": RUN, "target": {text: text}, "parameters": {text: text}}
        (folder / "run.json").write_text(json.dumps(said))
        (folder / "result.json").write_text(json.dumps(said | {"verdict": text, "exit_code": 5, "seconds": 1}))
        (folder / "journal.jsonl").write_text(json.dumps(said) + "\n")
        (folder / "evidence" / text.replace("/", "").replace("\0", "")[:50].encode("utf-8", "replace").decode()).touch()
        return tmp_path / "archive"

    return archive


def ops(folder, *arguments):
    return typed.ops(*arguments, environment=environment(folder))


def environment(folder):
    return dict(os.environ, OPS_ARCHIVE=str(folder), OPS_LAB=str(folder.parent / "lab"))


EVERYTHING = "|".join(text for text in STREAM.values()) + FORGED


@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("list", "--json"),
        ("show", "a1b2c3"),
        ("show", "\x1b]0;x\x07\u202e"),
        ("verify",),
        ("verify", "--json"),
        ("verify", "--head", "\x1b[2J\u202e"),
        ("index",),
    ],
    ids=" ".join,
)
def test_no_command_on_a_hostile_archive_writes_what_steers_a_terminal(archive, command):
    text = ops(archive(EVERYTHING), "archive", *command).data.decode("utf-8")
    assert text.strip()
    assert "Traceback" not in text
    assert "A defect of opslib" not in text
    assert not STEERING.search(text), STEERING.search(text)


def test_a_process_of_its_own_writes_the_same_of_a_hostile_archive(archive):
    folder = archive(EVERYTHING)
    own = environment(folder) | {"LC_ALL": "C"}
    said = subprocess.run([typed.OPS, "archive", "list"], env=own, capture_output=True, timeout=60, check=False)
    assert (said.returncode, said.stderr) == (0, b"")
    assert said.stdout == ops(folder, "archive", "list").data


def test_bytes_that_are_no_text_are_shown_as_far_as_they_are(archive):
    folder = archive("x")
    (folder / "runs" / RUN / "result.json").write_bytes(b'{"reason": "half \xc3 \x9b31m of \xff \x1b]8;;http://a\x07"}')
    for command in (("list",), ("show", "a1b2c3")):
        said = ops(folder, "archive", *command)
        assert said.returncode == 0, said.stderr
        assert not STEERING.search(said.data.decode("utf-8"))


def test_a_record_forges_no_line_of_a_list(archive):
    said = ops(archive(FORGED), "archive", "list").stdout
    assert said.count("\n") == 2
    assert "all is well␊OK  diagnostics/database␉1 OK" in said


def test_the_json_for_other_tools_says_exactly_what_the_record_says(archive):
    said = json.loads(ops(archive(EVERYTHING), "archive", "list", "--json").stdout)
    assert said["runs"][0]["reason"] == EVERYTHING


@pytest.mark.parametrize("name", STREAM)
def test_every_hostile_text_is_shown_and_steers_nothing(name):
    assert not STEERING.search(console.clean(STREAM[name]))
    assert not re.search("[\n\t\ud800-\udfff]", console.clean(STREAM[name] + FORGED))
    console.clean(STREAM[name]).encode("utf-8")


def test_progress_and_an_error_on_a_real_terminal_write_our_own_signs_only():
    code = (
        "import json, sys\n"
        "from opslib.console import Progress, answering\n"
        "from opslib.errors import Refused\n"
        "text = json.loads(sys.argv[1])\n"
        "progress = Progress()\n"
        "progress(text); progress(f'swap: {text}'); progress.done()\n"
        "@answering\n"
        "def command(): raise Refused(text, text)\n"
        "command()\n"
    )
    ours, theirs = pty.openpty()
    said = b""
    with subprocess.Popen([sys.executable, "-c", code, json.dumps(EVERYTHING)], cwd=ROOT, stderr=theirs) as process:
        os.close(theirs)
        while True:
            try:
                said += os.read(ours, 65536)
            except OSError:  # the terminal's other end is closed
                break
    os.close(ours)
    assert process.returncode == 4
    text = said.decode("utf-8")
    assert "‹U+202E›" in text
    for sign in OURS:
        text = text.replace(sign, "")
    assert not STEERING.search(text), STEERING.search(text)
