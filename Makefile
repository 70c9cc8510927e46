# The front door. `make run` and `make test` need Python 3.11 or newer, and nothing else.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed-dev
KILLS ?= 12

.PHONY: help venv run test check bench chaos chaos-live soak lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

venv: $(STAMP)  ## create .venv with everything pinned

$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Causeway needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

run: venv  ## paper-trade the last 30 days of the bundled candles
	$(PY) run.py paper

test: venv  ## every test, in two halves side by side
	$(PY) -m tests

check: venv  ## ruff, mypy, import-linter, schema compatibility, purity of the core
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PY) -m bus_schemas.schema_export --check
	$(PY) -m tests.lint_purity

bench: venv  ## speed, beside its limits, as ratios
	$(PY) -m tests.bench

soak: venv  ## an hour of simulated trading at 60 times the speed, with faults and kills
	$(PY) -m tests.soak --protocol binanceusdm

chaos: venv  ## kill and freeze processes in the middle of a run: make chaos KILLS=200
	$(PY) -m tests.chaos --kills $(KILLS)

chaos-live: venv  ## kill execution and the venue edge at every moment of a trade, with every fault of a venue
	$(PY) -m tests.chaos_live --full --jobs 8

COMPILE := $(VENV)/bin/uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-emit-index-url

lock: venv  ## write both requirements.lock anew from pyproject.toml: ours, and the image's without tools
	$(COMPILE) --quiet --extra dev --output-file requirements.lock
	$(COMPILE) --quiet --constraint requirements.lock --output-file deploy/requirements.lock

clean:  ## remove what was built
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
