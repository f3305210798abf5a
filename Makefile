# Everything here works on a fresh machine with Python 3.11 or newer and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
JOBS   ?= auto

.PHONY: help tour test check format docs pictures bench growth profile weeks mutate clean

help:            ## this list
	@sed -n 's/^\([a-z]*\): .*## /  make \1\t/p' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "buckia needs Python 3.11 or newer; say: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

tour: $(READY)   ## see buckia do its job, in a folder of its own
	@$(BIN)/buckia tour

test: $(READY)   ## the whole suite that needs no root
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check: $(READY)  ## format, lint, types, import layers, generated pages
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.reference --check

format: $(READY) ## put the code into shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(READY)   ## write the generated pages anew, and build the site into build/site
	@$(BIN)/python -m tests.reference
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "The documentation is in build/site/index.html"

pictures: $(READY) ## make the pictures of the README anew; wants Chromium and its driver
	@$(BIN)/python -m tests.illustrations

bench: $(READY)  ## measure; see tests/benchmarks
	@$(BIN)/python -m tests.benchmarks $(SCENARIO) $(if $(SMALL),--small) $(if $(RUNS),--runs $(RUNS))

growth: $(READY) ## how cost grows with files, bytes and latency, each at three sizes
	@$(BIN)/python -m tests.benchmarks.growth $(CURVE) $(if $(SMALL),--small)

profile: $(READY) ## where the CPU of a scenario of `bench` goes: make profile SCENARIO=plan-unchanged
	@$(BIN)/python -m tests.benchmarks.profiled $(SCENARIO) $(if $(SMALL),--small)

weeks: $(READY)  ## a week with 5,000 files on every kind of bucket; see tests/weeks.py
	@$(BIN)/python -m tests.weeks $(BUCKETS)

mutate: $(READY) ## break what decides on purpose, and see that a test fails; see tests/mutation
	@$(BIN)/python -m tests.mutation $(MODULES)

clean:           ## remove what make made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
