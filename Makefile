# Two commands are all that is needed: `make app` runs SkinLens, `make check` runs every check there is.
# Each makes its virtual environment first, if that is missing or older than the requirements.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8501
JOBS ?= 3

PYTHON := $(VENV)/bin/python
PIP_INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check
GENERATED := README.md docs/model-card.md docs/performance.md docs/reliability.md docs/architecture.md docs/how-to/score-an-archive.md docs/decisions/README.md
BENCHMARKS := $(filter-out benchmarks/avx2.py benchmarks/machine.py benchmarks/explain_sides.py benchmarks/photos.py,$(wildcard benchmarks/*.py))

# The first Python that is new enough and really starts; 3.11 is the one that the requirements are tested with.
FIND_PYTHON = for candidate in python3.11 python3 python3.12 python3.13; do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then echo "$$candidate"; break; fi; \
	done

# Where it is set, every run compiles the tests and what they check anew: half of the time of collecting them.
unexport PYTHONDONTWRITEBYTECODE

# Whole files to each worker process, which share what they set up, in the order that conftest.py gives. Each computes on
# one thread; one worker more than two cores, as tests with a browser or another process wait for much of their time.
PYTEST = OMP_NUM_THREADS=1 $(PYTHON) -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart=0

# Its theme announces another program on every run, in red.
SITE := NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict

.PHONY: help app check check-fast format lint types imports docs-check test test-fast docs screenshot bench sbom known-weaknesses clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

app: $(VENV)/app.stamp ## Serve the app on 127.0.0.1:8501 with the shipped weights
	@$(PYTHON) -m skinlens app --host $(HOST) --port $(PORT)

check: lint ## Run the whole gate: format, lint, types, imports, documents, tests
	@# The types keep one processor busy for a minute: the checks that are no tests run beside them.
	$(MAKE) --no-print-directory types & types=$$!
	failed=0
	$(MAKE) --no-print-directory imports docs-check || failed=1
	wait "$$types" || failed=1
	if ((failed)); then exit 1; fi
	$(MAKE) --no-print-directory test

check-fast: lint imports ## Check in about a minute: all but the tests that are slow, or need a browser or the data
	@$(MAKE) --no-print-directory types & types=$$!
	failed=0
	$(MAKE) --no-print-directory test-fast || failed=1
	wait "$$types" || failed=1
	exit $$failed

format: $(VENV)/check.stamp ## Format the code and mend what the linter can mend
	@$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lint: $(VENV)/check.stamp ## Check the format and the lint rules
	@echo "== ruff format"
	$(PYTHON) -m ruff format --check .
	echo "== ruff check"
	$(PYTHON) -m ruff check .

types: $(VENV)/check.stamp ## Check the types of skinlens/
	@echo "== mypy --strict"
	$(PYTHON) -m mypy --strict skinlens

imports: $(VENV)/check.stamp ## Check that imports follow the photo's journey
	@echo "== import-linter"
	$(VENV)/bin/lint-imports --no-logo

docs-check: $(VENV)/check.stamp ## Check that the figures in the documents are those that were measured
	@echo "== cog --check"
	$(PYTHON) -m cogapp -I docs --verbosity=1 --check --diff --check-fail-msg='Run `make docs`.' $(GENERATED)
	echo "== mkdocs build --strict"
	$(SITE) --quiet --site-dir .site-check
	rm -rf .site-check

test: $(VENV)/check.stamp ## Run the tests; skipped ones say why
	@echo "== pytest"
	$(PYTEST)

test-fast: JOBS = 2 # that wait for nothing: a third would collect them all once more
test-fast: $(VENV)/check.stamp
	@echo "== pytest, the fast tests"
	$(PYTEST) -m "not slow and not browser and not data"

docs: $(VENV)/check.stamp ## Paste the measured figures into the documents, and build them as a site in site/
	@$(PYTHON) docs/picture.py
	$(PYTHON) -m cogapp -I docs --verbosity=1 -r $(GENERATED)
	$(SITE) --quiet
	echo "Open site/index.html."

screenshot: $(VENV)/check.stamp ## Make the picture of the README anew, with the drawn example
	@PYTHONPATH=. $(PYTHON) docs/screenshot.py

bench: $(VENV)/check.stamp ## Run the benchmarks, about an hour; each writes benchmarks/results/NAME.json
	@failed=0
	for script in $(BENCHMARKS); do
		echo "== $$script"
		PYTHONPATH=. $(PYTHON) "$$script" || failed=1
	done
	exit $$failed

sbom: $(VENV)/app.stamp ## Write the bill of materials (CycloneDX) and the list of licences to artefacts/
	@PYTHONPATH=. $(PYTHON) deploy/sbom.py artefacts

known-weaknesses: $(VENV)/app.stamp ## Ask the public databases for known weaknesses of the pinned packages (needs the network)
	@$(PYTHON) -m venv artefacts/pip-audit
	artefacts/pip-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	artefacts/pip-audit/bin/python deploy/known_weaknesses.py

clean: ## Remove the virtual environment and the caches; cases, runs and weights stay
	@rm -rf $(VENV) site .site-check .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Without these lines two runs of make side by side would install into one environment at once.
.NOTPARALLEL:

$(PYTHON):
	@python=$$($(FIND_PYTHON))
	if [ -z "$$python" ]; then
		echo "SkinLens needs Python 3.11 or later; none was found on the PATH. Install it, then run make again." >&2
		exit 1
	fi
	echo "Making $(VENV) with $$("$$python" --version) ..."
	if ! "$$python" -m venv $(VENV); then
		rm -rf $(VENV)
		echo "The virtual environment could not be made. On Debian and Ubuntu, install python3-venv first." >&2
		exit 1
	fi

$(VENV)/app.stamp: requirements.txt | $(PYTHON)
	@echo "Installing what the app needs into $(VENV) (about 2 GB; some minutes, this once) ..."
	$(PIP_INSTALL) -r requirements.txt
	touch $@

# Nothing is compiled at once: of these 2 GB the checks import a small part, and compile that as they go.
$(VENV)/check.stamp: requirements.txt requirements-dev.txt requirements-ray.txt requirements-teacher.txt | $(PYTHON)
	@echo "Installing what the app and its checks need into $(VENV) (about 2 GB; some minutes, this once) ..."
	$(PIP_INSTALL) --no-compile -r requirements-dev.txt
	$(PIP_INSTALL) --no-compile --no-deps -r requirements-teacher.txt
	touch $@
