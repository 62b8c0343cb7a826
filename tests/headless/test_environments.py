"""Mix-ups of environments: in the place of production's addresses somebody counts who connects, and nobody may."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from opslib import settings
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.cli import main
from opslib.errors import OpsError, Refused, SettingsError, UsageError
from opslib.headless import agreement, notebooks, origin, runner
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.probes.questions import question
from opslib.redaction import Redactor
from opslib.runs.journal import Journal
from opslib.runs.saved_plan import SavedPlan
from opslib.settings_vendors import ADDRESSES, LED_BY
from opslib.systems.postgres import ReadOnlyDatabase
from tests.signing import plan as make_plan

pytestmark = pytest.mark.usefixtures("warm")

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "runbooks/look-around"
FIRST = 'environment: str = "lab"  # target: lab, staging or production'


class Counting:
    """A port that counts its visitors and lets nobody in."""

    def __init__(self, host="127.0.0.1", port=0):
        self.visits = 0
        self._listener = socket.create_server((host, port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self):
        with contextlib.suppress(OSError):
            while True:
                visitor, _ = self._listener.accept()
                self.visits += 1
                visitor.close()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def guarded():
    """Production's port: at the end of the test nobody was there."""
    counting = Counting()
    yield counting
    counting.close()
    assert counting.visits == 0


def variables(environment, where, word):
    """Return a whole description whose every address is ``where`` and whose every secret holds ``word``."""
    return {
        "OPS_ENVIRONMENT": environment,
        "OPS_READ_DATABASE_URL": f"postgresql://reader:{word}-reader-pw1@{where}/valuecanvas?sslmode=disable",
        "DATABASE_URL": f"postgresql://owner:{word}-owner-pw1@{where}/valuecanvas?sslmode=disable",
        "OPS_SCRATCH_DATABASE_URL": f"postgresql://owner:{word}-scratch-pw1@{where}/postgres?sslmode=disable",
        "OPS_READ_REDIS_URL": f"redis://reader:{word}-cache-pw1@{where}/0",
        "REDIS_URL": f"redis://default:{word}-cache-pw2@{where}/0",
        "AWS_ENDPOINT_URL": f"http://{where}",
        "AWS_ACCESS_KEY_ID": f"{word}-key-id-1",
        "AWS_SECRET_ACCESS_KEY": f"{word}-secret-key-1",
        "OPS_READ_AWS_ACCESS_KEY_ID": f"{word}-key-id-2",
        "OPS_READ_AWS_SECRET_ACCESS_KEY": f"{word}-secret-key-2",
        "S3_BUCKET_NAME": f"{word}-backups",
        "VITE_API_BASE_URL": f"http://{where}",
    }


@pytest.fixture
def house(tmp_path, monkeypatch, lab):
    """A project of the test's own with one notebook; the shell is empty, and the lab is the session's."""
    for field in settings.Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    for name in ("notebooks", "archive", "locks"):
        monkeypatch.setenv(f"OPS_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    write(tmp_path, "run.note('looked')")
    return tmp_path


@pytest.fixture
def production(guarded):
    return variables("production", f"127.0.0.1:{guarded.port}", "canary-prod")


STAGING = variables("staging", "staging.example.com", "canary-stag")


def write(folder, *sources, first=FIRST):
    cells = [new_markdown_cell("# Look\n\nAround.", id="what-this-is")]
    cells += [new_code_cell(first, id="parameters", metadata={"tags": ["parameters"]})]
    cells += [new_code_cell("from opslib import begin\nrun = begin(environment)", id="begin")]
    cells += [new_code_cell(source, id=f"act-{number}") for number, source in enumerate(sources, 1)]
    cells += [new_code_cell("run.finish()", id="finish")]
    book = new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    path = folder / "notebooks" / f"{NOTEBOOK}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)


def describe(folder, environment, values):
    (folder / f".env.{environment}").write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def export(monkeypatch, values):
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_the_counter_counts_who_connects(production):
    where = production["OPS_READ_DATABASE_URL"]
    counting = Counting()
    target = settings.load_reading(
        production | {"OPS_READ_DATABASE_URL": re.sub(r":\d+/", f":{counting.port}/", where)}
    )
    with pytest.raises(OpsError):
        ReadOnlyDatabase(target.read_database_url, "test").ask(question("backups/origin"))
    counting.close()
    assert counting.visits >= 1


INSIDE = """
import os
assert not [name for name, value in os.environ.items() if "canary-prod" in value], "seen"
from opslib.errors import Refused
try:
    begin("production")
except Refused as error:
    run.note(f"refused: {error}")
"""


def test_a_run_without_a_typed_environment_stays_on_the_lab_whatever_the_shell_says(house, production, monkeypatch):
    export(monkeypatch, production)
    write(house, INSIDE)
    done = CliRunner().invoke(main, ["run", NOTEBOOK, "--json"])
    assert '"state": "finished"' in done.output, done.output
    assert '"environment": "lab"' in done.output
    (folder,) = (house / "archive" / "runs").iterdir()
    record = (folder / "journal.jsonl").read_text() + (folder / "run.json").read_text()
    assert "refused: The notebook asks for production, but this run was started on lab" in record
    assert "canary-prod" not in record
    assert verify(house / "archive").ok


def test_without_a_lab_nothing_else_is_taken_for_it(house, production, monkeypatch):
    export(monkeypatch, production)
    monkeypatch.setenv("OPS_LAB", str(house / "nowhere"))
    with pytest.raises(SettingsError, match="The lab is not running"):
        runner.run(NOTEBOOK, (), "lab", house / "archive")


@pytest.mark.parametrize(
    "typed",
    [
        "Production",
        "PRODUCTION",
        " production",
        "production ",
        "production\n",
        "prod",
        "",
        "pr\u043educti\u043en",
        "lab,production",
    ],
)
def test_only_the_whole_plain_name_is_production(house, production, monkeypatch, typed):
    export(monkeypatch, production)
    with pytest.raises(SettingsError, match="There is no environment"):
        runner.run(NOTEBOOK, (), typed, house / "archive")


def test_the_environment_is_no_parameter_of_a_call(house, production, monkeypatch):
    export(monkeypatch, production)
    for said in ("environment=production", "ENVIRONMENT=production", "environment =production"):
        with pytest.raises(UsageError):
            runner.run(NOTEBOOK, [said], "lab", house / "archive")
    assert not (house / "archive").exists()


def test_a_notebook_cannot_choose_production_by_its_default(house, production, monkeypatch):
    export(monkeypatch, production)
    write(house, first=FIRST.replace('"lab"', '"production"'))
    for typed in ("lab", "production"):
        with pytest.raises(UsageError, match="with lab as its default"):
            runner.run(NOTEBOOK, (), typed, house / "archive")


def loaded(folder, typed):
    """Return what a description's faults are, as one text; the test fails when it has none."""
    with pytest.raises(SettingsError) as raised:
        settings.load(typed, root=folder, lab=folder / ".env.lab")
    assert "canary" not in str(raised.value)
    return str(raised.value)


def test_productions_variables_in_the_shell_are_not_stagings(house, production, monkeypatch):
    export(monkeypatch, production)
    assert "describes production, but staging was asked for" in loaded(house, "staging")
    monkeypatch.delenv("OPS_ENVIRONMENT")
    assert "OPS_ENVIRONMENT: missing" in loaded(house, "staging")
    describe(house, "staging", STAGING)
    assert "DATABASE_URL: .env.staging and the environment disagree" in loaded(house, "staging")


def test_what_stagings_file_leaves_out_is_not_completed_by_productions(house, production, monkeypatch):
    describe(house, "production", production)
    bucket = ("S3_BUCKET_NAME", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    describe(house, "staging", {name: value for name, value in STAGING.items() if name not in bucket})
    export(monkeypatch, {name: production[name] for name in bucket})
    said = loaded(house, "staging")
    assert "S3_BUCKET_NAME: with OPS_BACKUP_PREFIX the same place as in .env.production" in said
    assert "AWS_SECRET_ACCESS_KEY: the same key stands in .env.production" in said


@pytest.mark.parametrize("says", ["staging", "lab", "Production", "production "])
def test_a_file_of_production_that_says_another_environment_is_refused(house, production, says):
    describe(house, "production", production | {"OPS_ENVIRONMENT": f"'{says}'"})
    assert "but production was asked for" in loaded(house, "production")


@pytest.mark.parametrize("typed", ["staging", "production"])
def test_two_files_that_lead_to_one_place_are_both_refused(house, production, typed):
    describe(house, "production", production)
    describe(house, "staging", production | {"OPS_ENVIRONMENT": "staging"})
    said = loaded(house, typed)
    assert said.count("leads to the same place as .env.") == 4
    assert "the same key stands in .env." in said


PLACES = ["DATABASE_URL", "OPS_READ_DATABASE_URL", "REDIS_URL", "OPS_READ_REDIS_URL"]
STANDBYS = ["OPS_STANDBY_DATABASE_URL", "OPS_READ_STANDBY_DATABASE_URL"]


@pytest.mark.parametrize("name", PLACES + STANDBYS)
def test_one_address_of_production_in_stagings_file_is_enough_to_be_refused(house, production, name):
    describe(house, "production", production)
    # A standby of one environment that is the database of another would be promoted.
    spelled = production.get(name, production["DATABASE_URL"]).replace("postgresql:", "postgres:").replace("/0", "/")
    describe(house, "staging", STAGING | {name: spelled})
    assert f"{name}: leads to the same place as .env.production" in loaded(house, "staging")


AWAY = [name for name, value in STAGING.items() if "example.com" in value] + STANDBYS


@pytest.mark.parametrize("name", AWAY)
def test_a_lab_that_leads_off_this_machine_is_refused(house, production, name):
    lab = {key: value.replace("staging.example.com", "127.0.0.1:9") for key, value in STAGING.items()}
    describe(house, "lab", lab | {"OPS_ENVIRONMENT": "lab"})
    settings.load("lab", root=house, lab=house / ".env.lab")
    hosts = ("production.example.com", "127.0.0.1.example.com", "10.0.0.1", "0.0.0.0", "[::]")
    for host in hosts:
        away = lab.get(name, lab["DATABASE_URL"]).replace("127.0.0.1", host)
        describe(house, "lab", lab | {"OPS_ENVIRONMENT": "lab", name: away})
        assert f"{name}: the lab is on this machine only" in loaded(house, "lab")


@pytest.mark.parametrize(
    "option", ["host=10.0.0.1", "hostaddr=10.0.0.1", "service=production", "port=1", "options=-crole%3Dx"]
)
def test_an_option_of_an_address_leads_nowhere_else(house, lab, option):
    described = (lab.folder / "target.env").read_text()
    (house / ".env.lab").write_text(re.sub(r"(?m)^(DATABASE_URL=.*)$", rf"\1?{option}", described))
    assert "DATABASE_URL: has an option other than sslmode" in loaded(house, "lab")


@pytest.mark.parametrize("name", LED_BY)
def test_a_lab_never_asks_a_vendor_itself(house, lab, name):
    described = (lab.folder / "target.env").read_text()
    leading = LED_BY[name][-1]
    without = re.sub(rf"(?m)^({name}|{leading})=.*\n", "", described)
    (house / ".env.lab").write_text(f"{without}{leading}=0123456789abcdef-token\n")
    assert f"{name}: missing (" in loaded(house, "lab")


@pytest.mark.parametrize("name", ADDRESSES)
def test_where_credentials_are_sent_only_the_file_says(house, production, monkeypatch, name):
    describe(house, "production", production)
    monkeypatch.setenv(name, "https://elsewhere.example.com")
    assert f"{name}: only .env.production may set it" in loaded(house, "production")


def test_two_environments_in_one_project_are_refused(house, production):
    describe(house, "production", production | {"SUPABASE_PROJECT_REF": "abcdefghijklmnopqrst"})
    describe(house, "staging", STAGING | {"SUPABASE_PROJECT_REF": "abcdefghijklmnopqrst"})
    assert "SUPABASE_PROJECT_REF: the same project as in .env.production" in loaded(house, "staging")
    describe(house, "staging", STAGING | {"SUPABASE_PROJECT_REF": "tsrqponmlkjihgfedcba"})
    settings.load("staging", root=house)


def test_what_is_deployed_only_the_file_says(house, production, monkeypatch):
    describe(house, "production", production)
    monkeypatch.setenv("OPS_CHECKOUT", "/home/somebody/valuecanvas")
    assert "OPS_CHECKOUT: only .env.production may set it" in loaded(house, "production")


def test_two_environments_in_one_namespace_are_refused(house, production):
    place = {"OPS_KUBERNETES_URL": "https://k8s.example.com", "OPS_KUBERNETES_NAMESPACE": "valuecanvas"}
    describe(house, "production", production | place)
    describe(house, "staging", STAGING | place)
    assert "OPS_KUBERNETES_URL: with OPS_KUBERNETES_NAMESPACE the same place" in loaded(house, "staging")
    describe(house, "staging", STAGING | place | {"OPS_KUBERNETES_NAMESPACE": "valuecanvas-staging"})
    settings.load("staging", root=house)


def test_a_lab_that_is_productions_tunnel_is_refused(house, production):
    describe(house, "production", production)
    describe(house, "lab", production | {"OPS_ENVIRONMENT": "lab"})
    assert "DATABASE_URL: leads to the same place as .env.production" in loaded(house, "lab")


def test_a_lab_folder_that_holds_productions_description_is_refused(house, production, monkeypatch):
    (house / "lab").mkdir()
    (house / "lab" / "target.env").write_text("".join(f"{name}={value}\n" for name, value in production.items()))
    monkeypatch.setenv("OPS_LAB", str(house / "lab"))
    with pytest.raises(SettingsError, match="describes production, but lab was asked for"):
        runner.run(NOTEBOOK, (), "lab", house / "archive")


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "OPS_READ_AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"])
def test_a_lab_without_keys_of_its_own_does_not_borrow_those_of_the_shell(house, lab, production, monkeypatch, name):
    export(monkeypatch, production)
    described = (lab.folder / "target.env").read_text()
    (house / ".env.lab").write_text(re.sub(rf"(?m)^{name}=.*\n", "", described))
    assert f"{name}: missing (the lab uses its own" in loaded(house, "lab")


LOOKS = """
import sys
from pathlib import Path
from opslib import settings
from opslib.probes.questions import question
from opslib.systems.target import ReadTarget, WriteTarget
described = settings.load("lab", lab=Path(sys.argv[1]))
target = WriteTarget(described, "test")
print(target.database.ask(question("backups/origin")), target.backups.list("none/"), target.backup_store.list("none/"))
print(target.cache.ask("PING"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has 127.0.0.2 without being told")
def test_variables_and_files_of_the_client_libraries_lead_nobody_away(house, lab, production):
    elsewhere = Counting("127.0.0.2", lab.settings.read_database_url.port)
    endpoint = production["AWS_ENDPOINT_URL"]
    keys = "aws_access_key_id = canary-prod-id\naws_secret_access_key = canary-prod-key"
    (house / "aws").write_text(f"[profile production]\nendpoint_url = {endpoint}\n{keys}\n")
    (house / "services").write_text("[production]\nhost=127.0.0.2\nhostaddr=127.0.0.2\n")
    shell = os.environ | {
        "PGHOSTADDR": "127.0.0.2",
        "PGHOST": "127.0.0.2",
        "PGDATABASE": "other",
        "PGPORT": "1",
        "PGSERVICE": "production",
        "PGSERVICEFILE": str(house / "services"),
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_PROFILE": "production",
        "AWS_CONFIG_FILE": str(house / "aws"),
    }
    command = [sys.executable, "-c", LOOKS, str(lab.folder / "target.env")]
    done = subprocess.run(command, cwd=ROOT, env=shell, capture_output=True, text=True, check=False)
    elsewhere.close()
    assert (done.returncode, elsewhere.visits) == (0, 0), done.stderr
    assert done.stdout.splitlines()[1] == "PONG"


@pytest.mark.parametrize(
    ("made_for", "typed"),
    [("production", "lab"), ("production", "staging"), ("staging", "production"), ("lab", "production")],
)
def test_a_plan_is_for_the_environment_that_it_was_made_for(house, production, monkeypatch, made_for, typed):
    export(monkeypatch, production)
    saved = saved_plan(made_for, "0" * 64)
    (house / "plan.json").write_bytes(saved.encode())
    with pytest.raises(Refused, match=f"The plan is for {made_for}, not for {typed}"):
        agreement.apply(str(house / "plan.json"), typed, house / "archive")
    assert not (house / "archive" / "runs").exists()


def test_a_plan_for_another_description_of_production_is_refused(house, production, monkeypatch):
    export(monkeypatch, production)
    (house / "plan.json").write_bytes(saved_plan("production", "0" * 64).encode())
    with pytest.raises(Refused, match="The target's description changed since the plan was made"):
        agreement.apply(str(house / "plan.json"), "production", house / "archive")


def saved_plan(environment, target) -> SavedPlan:
    return make_plan(
        notebook=NOTEBOOK,
        notebook_sha256=notebooks.find(NOTEBOOK).sha256,
        code_sha256=origin.code_sha256(),
        environment=environment,
        target=target,
        parameters={"environment": environment},
    )


@pytest.mark.parametrize("again", [undo, resume])
def test_a_run_is_not_taken_back_or_gone_on_with_elsewhere(house, production, monkeypatch, again):
    where = production["DATABASE_URL"].partition("@")[2].partition("/")[0]
    export(monkeypatch, STAGING)
    was = settings.load("staging", root=house).public()
    run = archived(house, "staging", was)
    export(monkeypatch, production)
    with pytest.raises(SettingsError, match="describes production, but staging was asked for"):
        again(run, house / "archive")
    export(monkeypatch, variables("staging", where, "canary-stag"))
    with pytest.raises(
        Refused, match=r"was done elsewhere: read_database_url, database_url.* of staging changed since"
    ):
        again(run, house / "archive")


@pytest.mark.parametrize("again", [undo, resume])
def test_a_run_on_production_is_left_alone_from_a_shell_of_staging(house, production, monkeypatch, again):
    export(monkeypatch, production)
    run = archived(house, "production", settings.load("production", root=house).public())
    export(monkeypatch, STAGING)
    with pytest.raises(SettingsError, match="describes staging, but production was asked for"):
        again(run, house / "archive")
    export(monkeypatch, STAGING | {"OPS_ENVIRONMENT": "production"})
    with pytest.raises(Refused, match="was done elsewhere"):
        again(run, house / "archive")


def archived(house, environment, target):
    """Seal a run that changed something and was broken off; returns its id."""
    run = f"20261123T130614Z-runbooks-look-around-{environment[:3]}a1b"
    archive = Archive(house / "archive")
    asked = {"run": run, "notebook": NOTEBOOK, "environment": environment, "target": target, "parameters": {}}
    asked["notebook_sha256"] = notebooks.find(NOTEBOOK).sha256
    folder = archive.open(asked)
    journal = Journal(folder / "journal.jsonl", Redactor())
    journal.append("planned", step="a", plan={"action": "take-backup", "parameters": {}, "effect": "change"})
    journal.append("intent", step="a", action="take-backup", digest="x")
    journal.append("applied", step="a", values={})
    journal.close()
    archive.close(run, Redactor())
    return run


def test_a_session_on_the_lab_does_not_become_one_on_production(house, production):
    code = (
        "from opslib import begin\nfrom opslib.errors import Refused\nrun = begin('lab')\n"
        "try:\n    begin('production')\nexcept Refused as error:\n    print(error)\nrun.finish()"
    )
    shell = os.environ | production | {"JPY_SESSION_NAME": f"notebooks/{NOTEBOOK}.ipynb"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=shell, capture_output=True, text=True, check=True)
    assert "This process works on lab already" in done.stdout
