# Everything happens in .venv; nothing is installed anywhere else. `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
NODE := tests/node
PEERS := benchmarks/peers
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help serve test test-fast check examples bench lock licences sbom audit migrations clean
.DEFAULT_GOAL := help
# Else each process that tests start compiles the service anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: .venv/.runs ## Set up, migrate, and serve http://127.0.0.1:8000 with an embedded database and mailbox
	@$(BIN)/guichet migrate
	@exec $(BIN)/guichet serve

test: .venv/.develops ## Set up, and run every test, on SQLite and on PostgreSQL
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(PYTEST_OPTIONS)

# Two more than there are cores, since tests also wait: for processes to start and end, and for pages.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)

test-fast: .venv/.develops ## After each save: all tests but those that need PostgreSQL, a browser or processes, import files, or try thousands of cases
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal \
		-m "not postgres and not browser and not process and not imports and not exhaustive" $(PYTEST_OPTIONS)

check: .venv/.develops ## Format, lint, types, who may import whom; locks, licences, documents and CI's own scripts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy .ci/checks/*.py
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest --quiet .ci/checks
	@if [ -d $(NODE)/node_modules ]; then \
		$(NODE)/node_modules/.bin/prettier --check api/pages/files examples/typescript/src $(PEERS) && \
		$(NODE)/node_modules/.bin/tsc -p jsconfig.json; \
	else echo "The pages' scripts were not checked: run npm ci --ignore-scripts --prefix $(NODE)"; fi

examples: examples/python/.venv/.ready examples/typescript/node_modules/.ready ## Set up the example clients

bench: .venv/.develops $(if $(filter peers,$(or $(PARTS),peers)),$(PEERS)/node_modules/.ready) ## Measure, and print the tables of docs/benchmarks.md
	@$(BIN)/python -m benchmarks $(PARTS)

lock: .venv/.develops ## Write the locks anew, with the newest releases that pyproject.toml admits
	$(BIN)/uv pip compile pyproject.toml --upgrade $(LOCK_OPTIONS) -o requirements.lock
	$(BIN)/uv pip compile --group build --upgrade -c requirements.lock $(LOCK_OPTIONS) -o requirements-build.lock
	$(BIN)/uv pip compile pyproject.toml --group dev -c requirements.lock -c requirements-build.lock $(LOCK_OPTIONS) -o requirements-dev.lock
	cd examples/python && ../../$(BIN)/uv pip compile pyproject.toml --group dev --upgrade $(LOCK_OPTIONS) -o requirements.lock

LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --custom-compile-command "make lock"

licences: .venv/.develops ## List the licences of all that the lock pins, in LICENCES.md
	$(BIN)/python .ci/licences.py requirements.lock LICENCES.md

# A lock has no graph of its packages, of which a warning would speak. Where pip finds packages is no part of them.
sbom: .venv/.develops ## Write the parts list, sbom.json, as CycloneDX
	PYTHONWARNINGS=ignore::UserWarning $(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
		--index-url pkg:pypi --output-reproducible --output-file $(SBOM)

SBOM := sbom.json

audit: .venv/.develops ## Ask PyPI for known vulnerabilities of all that the lock pins
	$(BIN)/python .ci/audit.py requirements.lock

migrations: .venv/.develops ## Write a migration for what has changed in the models
	$(BIN)/tortoise -c models.database.connections.DEVELOPMENT makemigrations

clean: ## Remove what was set up and what was served
	rm -rf .venv var examples/python/.venv examples/typescript/node_modules $(NODE)/node_modules $(PEERS)/node_modules

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/.runs: requirements.lock requirements-build.lock pyproject.toml | .venv/bin/python
	$(PIP) install --require-hashes -r requirements.lock -r requirements-build.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.develops: requirements-dev.lock .venv/.runs
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

examples/python/.venv/.ready: examples/python/requirements.lock | .venv/bin/python
	$(PYTHON) -m venv examples/python/.venv
	examples/python/.venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

examples/typescript/node_modules/.ready: examples/typescript/package-lock.json
	npm ci --prefix examples/typescript --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(PEERS)/node_modules/.ready: $(PEERS)/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install it, for example with apt-get install npm"; exit 1; }
	npm ci --prefix $(PEERS) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
