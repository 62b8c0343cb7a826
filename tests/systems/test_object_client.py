"""What processes that are forked share of the AWS library: its own descriptions of the services, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.systems import object_client

LOOK = """
import json, os, sys
from pathlib import Path
from opslib.systems import object_client
read = []
sys.addaudithook(lambda event, said: read.append(str(said[0])) if event == "open" else None)
object_client.prepare()
handles = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.exists()]
print(json.dumps({
    "asked": [name for name in read if name.endswith(("credentials", "config"))],
    "sockets": [name for name in handles if name.startswith("socket")],
    "threads": len(os.listdir("/proc/self/task")),
    "sessions": object_client._session.cache_info().currsize,
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_preparing_asks_for_no_credential_and_begins_nothing(tmp_path):
    (tmp_path / ".aws").mkdir()
    for name in ("credentials", "config"):
        (tmp_path / ".aws" / name).write_text("[default]\naws_access_key_id = nobodys\n")
    root = Path(__file__).resolve().parents[2]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=root, env=environment, capture_output=True, check=True)
    assert json.loads(done.stdout) == {"asked": [], "sockets": [], "threads": 1, "sessions": 0}


@pytest.fixture
def anew():
    object_client._session.cache_clear()
    yield
    object_client._session.cache_clear()


@pytest.mark.usefixtures("anew")
def test_clients_are_built_from_what_was_read_once():
    assert object_client._session()._session.get_component("data_loader") is object_client._loader()


@pytest.mark.usefixtures("anew")
def test_who_names_other_descriptions_of_the_services_gets_those(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    loader = object_client._session()._session.get_component("data_loader")
    assert loader is not object_client._loader()
    assert str(tmp_path) in loader.search_paths
