# The words of the project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# A run: make learn MINUTES=3 ROBOT=minitaur SEED=1
MINUTES ?= 10
ROBOT ?= a1
SEED ?= 0
# make crash TRIALS=1000: kills at random moments; a tenth as many of the whole learner
TRIALS ?= 1000
# make fuzz STEPS=1000000, make mutants SAMPLE=100
STEPS ?= 100000000
SAMPLE ?=
# More words for quad-learner learn, or for pytest: make learn ARGS=--help, make test ARGS='-k safety'
ARGS ?=

BENCHES := learner_throughput control_latency simulation_speed estimator_accuracy get_up

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# setuptools 80 dropped what colcon uses; wheels of the simulator are there for Python 3.10 and 3.11.
SETUPTOOLS := 'setuptools<80'
# One thread a process: the nodes share the cores, and more threads only wait for each other.
export OMP_NUM_THREADS ?= 1

.PHONY: help venv learn test crash faults soak fuzz mutants check format lint type contracts bench docs clean

help:  ## list these words
	@echo 'make <word>, with Python 3.11 (or 3.10) and nothing else installed:'
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo 'make learn takes MINUTES=$(MINUTES) ROBOT=$(ROBOT) SEED=$(SEED) and ARGS=…; then: $(BIN)/quad-learner --help'

venv: $(READY)  ## make .venv and install what is pinned in requirements/

$(READY): requirements/runtime.txt requirements/sim.txt requirements/dev.txt setup.py setup.cfg
	@python=; for name in $${PYTHON:-python3.11 python3.10 python3}; do \
	    if "$$name" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))' \
	        2>/dev/null; then python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then \
	    echo 'make venv: no Python 3.11 or 3.10 found, and the simulator has wheels for those alone.'; \
	    echo 'Install one (Debian 12: apt install python3 python3-venv) or name it: make venv PYTHON=/path/to/python3.11'; \
	    exit 1; fi; \
	if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
	    echo "make venv: $$python lacks the module venv or ensurepip."; \
	    echo 'Install it (Debian 12: apt install python3-venv) and call make again.'; \
	    exit 1; fi; \
	test -x $(BIN)/python || "$$python" -m venv $(VENV)
	@echo 'Installing what requirements/ pins into $(VENV); the first time takes some minutes.'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(SETUPTOOLS) wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --no-deps --no-build-isolation --editable .
	@touch $@

learn: $(READY)  ## learn to walk from scratch, MINUTES of robot time; results in runs/latest
	@$(BIN)/python -m quad_learner.cli learn \
	    --minutes $(MINUTES) --robot $(ROBOT) --seed $(SEED) $(ARGS)

test: $(READY)  ## run all tests in random order; the slowest ten are listed
	$(BIN)/python -m pytest -p no:junitxml --durations=10 $(ARGS)

crash: $(READY)  ## kill the learner TRIALS times, cut the power, turn bits over: is anything lost?
	$(BIN)/python benchmarks/crash.py --trials $(TRIALS) --training $$(($(TRIALS) / 10)) $(ARGS)

faults: $(READY)  ## play every fault of the table, with its defence and without: which are met?
	PYTHONPATH=.:test $(BIN)/python -m faults --live --seed $(SEED) $(ARGS)

soak: $(READY)  ## a run that something befalls each minute, for MINUTES by the clock; does it go on, does it grow?
	$(BIN)/python benchmarks/soak.py --minutes $(MINUTES) --seed $(SEED) $(ARGS)

fuzz: $(READY)  ## try the safety layer at random, STEPS steps (1e8: hours, in several sittings) and a million examples
	QUAD_LEARNER_BUDGET=fuzz $(BIN)/python -m pytest -p no:junitxml -s --timeout=0 \
	    test/safety/test_limits.py test/robot/test_sink.py -k 'all_limits or harmless'
	PYTHONPATH=. $(BIN)/python test/tools/fuzz.py --steps $(STEPS) --seed $(SEED) \
	    --journal runs/fuzz.jsonl

mutants: $(READY)  ## plant mistakes in the safety layer, SAMPLE=100 of them or all; tests must see each
	PYTHONPATH=. $(BIN)/python test/tools/mutants.py $(if $(SAMPLE),--sample $(SAMPLE)) --seed $(SEED)

check: $(READY)  ## format, lint, spelling, types, import contracts, tests: all that is asked of a change
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory lint type contracts test

format: $(READY)  ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --select I .

lint: $(READY)  ## look for mistakes and misspellings
	$(BIN)/ruff check .
	$(BIN)/codespell

type: $(READY)  ## check the types
	$(BIN)/mypy

contracts: $(READY)  ## check who imports whom
	$(BIN)/lint-imports

bench: $(READY)  ## run the benchmarks (not learning, peers, ablations: hours); tables here, JSON in runs/benchmarks
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/bench.txt
	@mkdir -p runs/benchmarks; set -e -o pipefail; for name in $(BENCHES); do echo "== $$name"; \
	    $(BIN)/python benchmarks/$$name.py | tee runs/benchmarks/$$name.txt; \
	    tail -n 1 runs/benchmarks/$$name.txt > runs/benchmarks/$$name.json; done

docs: $(READY)  ## write docs/parameters.md and docs/faults.md anew from the code, config/ and the table of faults
	$(BIN)/python -m quad_learner.parameter_table docs/parameters.md
	PYTHONPATH=.:test $(BIN)/python -m faults.document

clean:  ## remove what tools leave behind; .venv and runs stay
	rm -rf build install log .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
	    .coverage coverage.xml *.egg-info
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
