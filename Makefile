# The two commands of the README are `make demo` and `make test`. Each does its own set-up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.synced
# uv where the machine has it; else pip puts it into the project's own environment.
UV     := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)
UV_PIN := $(shell sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/\1/p;}' uv.lock)

# Tests start hundreds of processes: without compiled modules each of them would compile what it loads.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup browser demo lab test suite bench nightly coverage mutants lint style types tidy clean

help: ## list these targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

setup: $(STAMP) ## install the locked dependencies into .venv

$(STAMP): uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "opslib needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@command -v $(UV) >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv==$(UV_PIN)
	$(UV) sync --frozen --all-extras --quiet
	@touch $@

# The tests that open a report as its reader would need a browser, and no wheel brings one. Where every test must count
# (CI), Debian's is installed; a person's machine is left as it is until its owner asks for it.
BROWSER := $(or $(shell command -v chromium),$(shell command -v chromium-browser),$(shell command -v google-chrome))

browser: ## install Debian's chromium, for the tests that open reports
	@test -n "$(BROWSER)" || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; } || \
	  { echo "no browser, and apt-get could not install one: put chromium or google-chrome on PATH"; exit 1; }

# The Supabase CLI and picomatch come by npm. Where there is none, the tests with it are skipped; where every test must count they fail.
NPM := $(shell command -v npm)
CLI := tests/npm/node_modules/.package-lock.json

$(CLI): tests/npm/package-lock.json
	@$(NPM) ci --prefix tests/npm --ignore-scripts --no-audit --no-fund --silent && touch $@ || test -z "$(CI)"

demo: $(STAMP) ## start the lab, run the notebooks, archive and verify them, say where to look
	@$(BIN)/ops demo

ENVIRONMENT ?= lab

lab: $(STAMP) ## start the lab and JupyterLab, opened on the map of the guide (ENVIRONMENT=staging: on that)
	@$(BIN)/ops jupyter --environment $(ENVIRONMENT)

# Types are checked while the tests run: one process does that, on a machine that has more cores.
test: $(STAMP) $(if $(CI),browser) $(if $(NPM),$(CLI)) style ## check style and types, run every test
	@$(MAKE) --no-print-directory -j2 types suite

suite: $(STAMP) ## run every test, and check nothing else
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

bench: $(STAMP) ## measure each figure beside its peers; fails when one is missed (BENCH="--only cold --rounds 3")
	$(BIN)/python -m benchmarks $(BENCH)

nightly: $(STAMP) browser $(if $(NPM),$(CLI)) lint ## run every test with its whole count (hours)
	OPS_NIGHTLY=1 $(BIN)/pytest

coverage: $(STAMP) ## line and branch coverage of what decides and records
	$(BIN)/coverage run -m pytest tests/runs tests/archive tests/test_canonical.py tests/test_sshsig.py \
	  tests/systems/test_lease.py tests/systems/test_claim_store.py tests/systems/test_deadline.py \
	  tests/headless/test_agreement.py tests/headless/test_asked.py tests/headless/test_loop.py tests/headless/test_undo.py \
	  tests/headless/test_notebooks.py tests/headless/test_parameters.py tests/headless/test_origin.py \
	  tests/headless/test_schedule_running.py tests/headless/test_schedule_table.py tests/headless/test_schedule_queue.py \
  tests/headless/test_mandated.py \
	  tests/test_settings_guard.py tests/test_redaction*.py \
	  --ignore-glob='*/test_report*' --ignore tests/archive/test_damage.py
	$(BIN)/coverage report -m --fail-under=100

mutants: $(STAMP) ## small faults in what decides and records that its tests must find
	$(BIN)/python tools/mutants.py

lint: style types ## check style and types

style: $(STAMP) ## check style alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## check types alone
	$(BIN)/mypy

tidy: $(STAMP) ## format code and notebooks, rewrite environment.yml from the lock
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .
	$(BIN)/python tools/tidy.py

clean: ## stop the lab and remove what was built
	@test ! -x $(BIN)/ops || $(BIN)/ops lab down
	rm -rf $(VENV) .lab .pytest_cache .ruff_cache .mypy_cache .hypothesis
