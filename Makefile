# Every target begins with `setup`, so that a fresh clone needs Python 3.11 or newer and make, and nothing else.
PYTHON ?= $(firstword $(foreach python,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(python) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(python))))
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup serve test check interop fuzz audit sbom soak bench backtest lock docs

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/locked ## Create .venv from the lockfile and install the project into it

.venv/locked: requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11+ with venv found. Install it (Debian: python3-venv) or say: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test ! -L .venv || { echo ".venv is a link to $$(readlink -f .venv), which others may use: it is not rebuilt from here. Run make setup there, or remove the link" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

serve: setup ## Serve on http://127.0.0.1:8080 (CDS_PORT=8081 make serve: on another port)
	$(BIN)/cds-service serve

# On every core, each with a process of its own; a test that is slow is for `check` (CONTRIBUTING.md, "How we test").
test: setup ## Run the tests that a change needs: all but the slow ones (under 3 minutes on two cores)
	$(BIN)/python -m pytest -m 'not slow' --numprocesses auto --maxprocesses 4 --dist worksteal $(PYTEST_OPTIONS)

# Every test, in one process, so that coverage is that of all of them. CI, which has run `make test`, says CHECK_TESTS='-m slow'.
CHECK_TESTS := --cov --cov-report=term

check: setup ## Run the linters, types, the import rules, the content check and every test; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/cds-service check
	$(BIN)/python -m pytest $(CHECK_TESTS) $(PYTEST_OPTIONS)

interop: setup ## Run against parts not written here: HAPI FHIR, Medplum, Chromium (docs/interop.md)
	tests/interop/install
	$(BIN)/python -m pytest tests/interop

fuzz: setup ## Send 100,000 made-up calls in each profile; none may break the service
	$(BIN)/python -m tests.fuzz --examples 100000 --seconds 3600
	$(BIN)/python -m tests.fuzz --profile production --examples 100000 --seconds 3600

# Asks the advisory service behind the package index, which not every network lets through: so no part of `check`. Without --strict
# it would pass over what it cannot ask about, and say that all is well.
audit: setup ## Ask for known vulnerabilities of what is locked
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

# From the lockfile alone, without the network. What runs is the lock's; `dependencies` between them are not in it.
sbom: setup ## Write what is locked as a CycloneDX SBOM, dist/sbom.cdx.json
	@mkdir -p dist
	$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
		--output-reproducible --output-file dist/sbom.cdx.json

# Beside other work, too: it judges statuses, cards and memory, and no time.
SOAK_MINUTES := 20

soak: setup ## A node under half of its load for 20 minutes: statuses, memory, cards lost (SOAK_MINUTES=1: shorter)
	$(BIN)/python -m bench.soak --minutes $(SOAK_MINUTES)

bench: setup ## Print what calls, starts and fetches cost, as ratios beside their aims (6 minutes)
	$(BIN)/python -m bench

backtest: setup ## Judge the made-up orders of fixtures/bulk_export, into ./backtest-result (docs/backtest.md)
	rm -rf backtest-result
	$(BIN)/cds-service backtest fixtures/bulk_export --from 2025-01-01 --to 2025-12-31 --output backtest-result

docs: setup ## Write the table of docs/configuration.md anew
	$(BIN)/python -m cds_service.settings.reference docs/configuration.md

lock: setup ## Resolve the dependencies of pyproject.toml anew into the three lockfiles
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip compile pyproject.toml $(LOCK) --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --constraint requirements.lock $(LOCK) --output-file requirements-dev.lock
	$(BIN)/uv pip compile --group build --constraint requirements-dev.lock $(filter-out --all-extras,$(LOCK)) --output-file requirements-build.lock

# The locks name no package index: whichever one pip is set up for (a hospital's mirror, too) serves them, and the hashes decide.
# Extras are kept (`coverage[toml]==...`): without them pip takes a newer release for the extra, and refuses it as not pinned.
LOCK := --quiet --all-extras --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate
