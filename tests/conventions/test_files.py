"""Files that must agree with each other: lock and environment.yml, README and Makefile, CI and README."""

import re
import tomllib
from pathlib import Path

import yaml

from tools import tidy

ROOT = Path(__file__).resolve().parents[2]


def locked():
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return {(p["name"], p["version"]) for p in packages if "editable" not in p["source"]}


def test_environment_yml_holds_exactly_what_the_lock_holds():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    pinned = {tuple(line.split(";")[0].strip().split("==")) for line in pip if "==" in line}
    assert pinned == locked()
    assert (ROOT / "environment.yml").read_text() == tidy.environment()


def test_every_direct_dependency_is_locked_within_its_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    direct = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    direct += project["project"]["optional-dependencies"]["lab"]
    names = {name for name, _ in locked()}
    missing = [line for line in direct if re.split(r"[\[><=]", line)[0].lower() not in names]
    assert missing == []


def test_the_ci_runs_the_readmes_test_command_and_nothing_else():
    script = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")]
    assert script == ["exec make test"]
    assert "make test" in (ROOT / "README.md").read_text()
    assert "make demo" in (ROOT / "README.md").read_text()


def test_make_alone_lists_every_target_in_one_line_each():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split())
    described = set(re.findall(r"^([a-z][a-z-]*):.*## .+$", makefile, re.M))
    assert described == targets
    assert ".DEFAULT_GOAL := help" in makefile


def test_the_example_description_names_every_setting():
    assert (ROOT / ".env.example").read_text() == tidy.example()
