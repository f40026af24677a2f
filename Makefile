# damagediff. Needs Python >= 3.11 and make; everything else is put into $(VENV) on the first call.

PYTHON ?= python3
VENV ?= .venv
DATA ?= ../shared/data
# Versions and hashes of all packages. `make LOCK= ...` takes the newest that setup.cfg allows instead.
LOCK ?= requirements.lock
BENCH ?= $(sort $(basename $(notdir $(wildcard benchmarks/[!_]*.py))))

FUZZ ?= --cases 10000 --minutes 30

BIN := $(VENV)/bin
BASE := $(VENV)/.installed-base
TEST := $(VENV)/.installed-test

PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# A package whose hash is not the one in the lock, or not in it, ends the set-up; one that this machine cannot have does not.
INSTALL_PINNED = { $(PIP) --require-hashes --only-binary :all: -r $(PINS) 2>$(VENV)/pins.log \
        && $(PIP) --no-deps --no-build-isolation -e .; } \
    || { cat $(VENV)/pins.log >&2; ! grep -Eq 'DO NOT MATCH THE HASHES|require-hashes mode' $(VENV)/pins.log || exit 1; \
        echo "make: $(PINS) cannot be installed here (see above). The newest versions are taken instead"; false; }
INSTALL_NEWEST = $(PIP) -e '.$(EXTRAS)'

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs fuzz pictures audit release

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/  make \1\t\2/p' Makefile
	@echo "Variables: PYTHON=$(PYTHON)  VENV=$(VENV)  DATA=$(DATA) (image pairs for bench)  BENCH=\"name name\""

demo: $(BASE)  ## compare the synthetic sample pair and write a report into reports/demo
	$(BIN)/damagediff demo

test: $(TEST)  ## run the tests, a file on each core
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(TEST)  ## ruff, mypy, the floors (who may import whom), and the tool's vocabulary
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_floors.py tests/test_wording.py

bench: $(BASE)  ## run the commands under benchmarks/ on DATA (one of them: BENCH=name)
	@test -n "$(BENCH)" || { echo "make bench: there are no commands under benchmarks/"; exit 1; }
	@test -d "$(DATA)" || { echo "make bench: no image pairs at $(DATA). Name the folder: make bench DATA=..."; exit 1; }
	@set -e; for name in $(BENCH); do \
	    echo "== benchmarks/$$name.py --data $(DATA)"; $(BIN)/python benchmarks/$$name.py --data "$(DATA)"; done

fuzz: $(TEST)  ## broken pictures without number through info and compare (FUZZ="--cases 10000 --minutes 30")
	$(BIN)/python tests/fuzz.py $(FUZZ)
	HYPOTHESIS_PROFILE=new $(BIN)/python -m pytest -q -m hypothesis

pictures: $(TEST)  ## show what figures and PDF pages changed (reports/pictures.html), and approve them
	$(BIN)/python tests/approved.py --approve

audit: $(TEST)  ## ask the vulnerability service of the package index about the locked versions (needs the network)
	$(PIP) 'pip-audit>=2.9'
	$(BIN)/pip-audit --disable-pip --require-hashes -r requirements-test.lock

release: $(TEST)  ## sdist and wheel into dist, built twice and compared (needs the network for build and twine)
	$(PIP) 'build>=1.2' 'twine>=6' wheel
	$(BIN)/python docs/release.py --try

docs: $(TEST)  ## build the documentation into build/site, and run every command of its tutorials
	$(BIN)/python -m sphinx -q --fail-on-warning --keep-going -c docs -d build/doctrees . build/site
	$(BIN)/python -m pytest -q tests/test_docs.py tests/test_site.py tests/test_tutorials.py
	@echo "The site: build/site/index.html"

$(TEST): EXTRAS := [test,docs]
$(TEST): PINS := $(LOCK:.lock=-test.lock)
$(BASE): PINS := $(LOCK)
$(BASE) $(TEST): setup.cfg pyproject.toml $(wildcard requirements*.lock)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "$(PYTHON) is missing or older than Python 3.11. Name another: make PYTHON=python3.12"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(if $(PINS),$(INSTALL_PINNED) || )$(INSTALL_NEWEST)
	@touch $@
