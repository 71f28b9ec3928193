# Everything a fresh machine with Python 3.11+ and make needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
UV     := $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export UV_PYTHON_DOWNLOADS := never

# uv takes a fifth of pip's time and is fetched where it is not installed. Where it cannot work (no build of it for this
# machine, an index that pip alone is set up for), pip does the same, slowly.
FAST_INSTALL = { test -x "$(UV)" || $(PIP) --no-deps --require-hashes -r requirements/installer.txt; } \
  && $(UV) pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements/all.txt \
  && $(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
PLAIN_INSTALL = { $(PIP) --no-deps --require-hashes -r requirements/all.txt && $(PIP) --no-deps --no-build-isolation -e .; }

.PHONY: help setup rehearse test test-pythons test-busy test-long check bench mutants pictures lock schema faults clean
help:            ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*## */\t/' | expand -t 14

setup: $(STAMP)  ## make .venv with everything in it

$(STAMP): pyproject.toml requirements/all.txt requirements/installer.txt
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(FAST_INSTALL) || $(PLAIN_INSTALL)
	@$(BIN)/python -m compileall -q cockpit probes
	@touch $@

SCENARIO ?= smooth
SPEED ?= 30
rehearse: setup  ## open the cockpit on a rehearsed cutover (SCENARIO=smooth SPEED=30)
	@$(BIN)/cockpit rehearse $(SCENARIO) --speed $(SPEED)

# Each worker would rewrite every assert for its details, which takes as long as 300 tests: what failed is run once more, with them.
AGAIN = $(BIN)/python -m pytest --last-failed --last-failed-no-failures=none --maxfail=20
test: setup      ## the tests; whole nights are of test-long
	@$(BIN)/python -m compileall -q cockpit probes tests
	@$(BIN)/python -m pytest -n 3 --assert=plain || { $(AGAIN); exit 1; }

test-pythons: setup ## import everything, read a plan and play a story on each other Python from 3.11 to 3.13 that is here
	@.ci/other-pythons

test-busy: setup ## every test, three times, while four other processes keep the machine busy
	@$(BIN)/python tests/support/busy.py 3 $(BIN)/python -m pytest -n 4

test-long: setup ## whole nights; files of hundreds of megabytes; workers killed over 24,000 documents
	@$(BIN)/python -m pytest -m long
	@PYTHONPATH=tests $(BIN)/python tests/migration/crash_driver.py --documents 4000 --seeds 6
	@PYTHONPATH=tests $(BIN)/python tests/migration/worst_night.py --documents 20000 --seeds 3

check: setup     ## ruff, mypy (strict), import-linter
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: setup     ## benchmarks: ratios measured side by side in one run
	@for file in tests/bench/*_bench.py; do PYTHONPATH=tests $(BIN)/python $$file || exit 1; done
	@PYTHONPATH=tests $(BIN)/python tests/bench/migration.py --quick

pictures: setup  ## export the screens to docs/
	@$(BIN)/python -m cockpit.commands.pictures docs

schema: setup    ## regenerate the JSON Schemas of plans and stories, and docs/probes.md
	@$(BIN)/python -m cockpit.plan.document.json_schema
	@$(BIN)/python -m cockpit.plan.document.probe_pages
	@$(BIN)/python -m cockpit.stories.story_schema

faults: setup    ## regenerate docs/faults.md: what one fault changes
	@PYTHONPATH=tests $(BIN)/python tests/rehearsal/test_fault_table.py

MUTANTS ?= cockpit.decide.*
SAMPLE ?= 0
SEED ?= 1
mutants:         ## change the pure core in small ways, and list what its tests do not see (hours; MUTANTS="cockpit.decide.latch.*" for a part, SAMPLE=300 SEED=1 for a random one)
	@test -d $(VENV)-mutants || $(PYTHON) -m venv $(VENV)-mutants
	@{ test -x "$(UV)" && $(UV) pip install --quiet --python $(VENV)-mutants/bin/python --require-hashes -r requirements/mutants.txt; } \
	  || $(VENV)-mutants/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	@PYTHONPATH=tests $(VENV)-mutants/bin/python -m mutants.make_changes > .mutants.log 2>&1 || { tail -c 3000 .mutants.log; exit 1; }
	@PYTHONPATH=tests $(VENV)-mutants/bin/python -m mutants.survivors "$(MUTANTS)" $(SAMPLE) $(SEED)

lock: setup      ## pin requirements with hashes, no addresses
	@for extra in "" rehearsal serve; do \
	  name=$${extra:-run}; \
	  $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 $${extra:+--extra $$extra} pyproject.toml -o requirements/$$name.txt; done
	@printf 'hatchling\neditables\n' | $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  --extra rehearsal --extra serve --extra dev pyproject.toml - -o requirements/all.txt
	@printf 'uv\n' | $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 - -o requirements/installer.txt
	@printf 'hatchling\neditables\nmutmut\n' | $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --python-version 3.11 --extra rehearsal --extra serve --extra dev -c requirements/all.txt pyproject.toml - -o requirements/mutants.txt

clean:           ## remove what was made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
