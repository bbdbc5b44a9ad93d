# Every target starts with `setup`, so that a fresh clone needs only Python 3.11 or newer and make.
PYTHON ?= $(firstword $(foreach python,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(python) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(python))))
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup serve test check interop fuzz audit sbom soak bench backtest lock docs

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/locked ## Create .venv from the lockfile and install the project into it

.venv/locked: requirements-dev.lock pyproject.toml
	@test -z "$(PYTHON)" || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "PYTHON=$(PYTHON): Python 3.11 or newer is needed; found: $$($(PYTHON) --version 2>&1 | head -1)" >&2; exit 1; }
	@test -n "$(PYTHON)" || { echo "No Python 3.11+ with venv found. Install it (Debian: python3-venv) or run: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test ! -L .venv || { echo ".venv is a link to $$(readlink -f .venv), which other checkouts may use, so it is not rebuilt from here. Run make setup there, or remove the link" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

serve: setup ## Serve on http://127.0.0.1:8080 (another port: CDS_PORT=8081 make serve)
	$(BIN)/cds-service serve

# One process per core. `check` runs the slow tests (CONTRIBUTING.md, "How we test").
test: setup ## Run the fast tests (under 3 minutes on two cores)
	$(BIN)/python -m pytest -m 'not slow' --numprocesses auto --maxprocesses 4 --dist worksteal $(PYTEST_OPTIONS)

# All tests in one process, for full coverage. CI, which runs `make test` first, sets CHECK_TESTS='-m slow'.
CHECK_TESTS := --cov --cov-report=term

check: setup ## Run linters, types, import rules, the content check, and every test; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/cds-service check
	$(BIN)/python -m pytest $(CHECK_TESTS) $(PYTEST_OPTIONS)

interop: setup ## Run tests against other software: HAPI FHIR, Medplum, Chromium (docs/interop.md)
	tests/interop/install
	$(BIN)/python -m pytest tests/interop

fuzz: setup ## Send 100,000 generated calls in each profile; none may break the service
	$(BIN)/python -m tests.fuzz --examples 100000 --seconds 3600
	$(BIN)/python -m tests.fuzz --profile production --examples 100000 --seconds 3600

# Needs the advisory service behind the package index, which some networks block, so `check` does not include it. Without --strict
# it would skip packages that it cannot look up, and report success.
audit: setup ## Check the locked packages for known vulnerabilities
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

# From the lockfile only, without network access. Dependencies between packages are not included.
sbom: setup ## Write a CycloneDX SBOM of the locked packages, dist/sbom.cdx.json
	@mkdir -p dist
	$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
		--output-reproducible --output-file dist/sbom.cdx.json

# It checks statuses, cards, and memory, not times, so other programs may run at the same time.
SOAK_MINUTES := 20

soak: setup ## Run a node at half load for 20 minutes: statuses, memory, lost cards (shorter: SOAK_MINUTES=1)
	$(BIN)/python -m bench.soak --minutes $(SOAK_MINUTES)

bench: setup ## Measure calls, starts, and fetches, and compare with the targets (8 minutes)
	$(BIN)/python -m bench

backtest: setup ## Backtest the sample export of fixtures/bulk_export, into ./backtest-result (docs/backtest.md)
	rm -rf backtest-result
	$(BIN)/cds-service backtest fixtures/bulk_export --from 2025-01-01 --to 2025-12-31 --output backtest-result

docs: setup ## Update the table in docs/configuration.md
	$(BIN)/python -m cds_service.settings.reference docs/configuration.md

lock: setup ## Resolve the dependencies in pyproject.toml into the three lockfiles
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip compile pyproject.toml $(LOCK) --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --constraint requirements.lock $(LOCK) --output-file requirements-dev.lock
	$(BIN)/uv pip compile --group build --constraint requirements-dev.lock $(filter-out --all-extras,$(LOCK)) --output-file requirements-build.lock

# The lockfiles do not name a package index: pip uses the one it is configured for, such as a hospital's mirror, and checks the hashes.
# Extras are kept (`coverage[toml]==...`): without them pip picks a newer release for the extra and rejects it as not pinned.
LOCK := --quiet --all-extras --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate
