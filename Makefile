# Restage. `make demo` and `make test` do all the set-up they need, on a fresh machine with Python 3.11 or newer,
# and are quick the second time: what is installed is installed again only when pyproject.toml changes.

VENV := .venv
BIN := $(VENV)/bin
# The first Python here that is new enough; `make demo PYTHON=/path/to/python3` chooses another one.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	if $$name -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then echo $$name; break; fi; done)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint format clean
.NOTPARALLEL:

help:
	@echo "make demo    the whole node on four synthetic patients, on this machine; results in demo/"
	@echo "make test    style, types and every test; tests of programs that are not installed skip, with the reason"
	@echo "make lint    style and types alone"
	@echo "make format  put the code into the project's style"
	@echo "make clean   remove .venv, demo/ and caches; never data/"

demo: $(VENV)/installed
	$(BIN)/restage demo --out demo

# Workers, a file each (tests/conftest.py says which files share a minute's work, and which come first): four for two cores,
# since tests that start nodes, archives and viewers often wait for them.
# One thread of arithmetic for each worker: more of them than cores only wait for each other.
test: export OMP_NUM_THREADS = 1
test: lint
	$(BIN)/python -m pytest -n 4 --dist loadgroup --no-loadscope-reorder

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find node pipelines dicom_templates tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then \
		echo "Restage needs Python 3.11 or newer, and finds here: $$($(or $(PYTHON),python3) --version 2>&1 || echo none)." >&2; \
		echo "Install one (Debian 12: apt-get install python3 python3-venv), or name one: make demo PYTHON=..." >&2; \
		exit 1; \
	fi
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

# The stamp is older than pyproject.toml after a change of dependencies. The first installation takes some minutes.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --editable '.[dev]'
	@touch $(VENV)/installed $@
