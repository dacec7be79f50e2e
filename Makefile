# The two that a new user needs: `make demo` and `make test`. Both set up what they need, below .local and target only.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

stack := target/debug/local-stack
# Tools of the tests, from PyPI, as dev/requirements.txt names them.
python_stamp := .local/venv/installed
# Finds dependencies that nothing uses. Built once, from crates.io.
machete := .local/tools/cargo-machete-0.9.2/bin/cargo-machete

# Microsoft's emulator of Azure's blobs. Needs Node; nothing else here does.
azurite := .local/tools/azurite-3.37.0/node_modules/.bin/azurite-blob

.PHONY: help demo up down status clean-local test test-azure test-vespa lint deps unused rustdoc sizes openapi compose-check picture python-tools \
        bench-delete bench-deletes bench-ledger bench-memory bench-purge bench-reads bench-limits bench-sync chaos-purge mutations ci \
        build build-all build-release run-tests not-run-here need-cargo need-lints need-python

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## Set everything up and show a deletion from start to receipt
	@$(stack) demo

up: build ## Start PostgreSQL, RabbitMQ, the Vespa stand-in and the services in the background
	@$(stack) up

down: ## Stop what `make up` started
	@if [[ -x $(stack) ]]; then $(stack) down; else echo "Nothing has been built, so nothing runs."; fi

# Succeeds only if everything runs.
status: ## Say what runs, what is down, how often it was started again, and how to reach it
	@if [[ -x $(stack) ]]; then $(stack) status; else echo "Nothing has been built, so nothing runs."; exit 3; fi

clean-local: ## Remove the data of `make up`
	@if [[ -x $(stack) ]]; then $(stack) clean; fi

test: build-all compose-check run-tests ## Set everything up and run every test
	@$(stack) not-run-here

test-azure: need-cargo $(azurite) ## Run the tests of the object stores on Azure against Azurite, from npm
	AZURITE=$(CURDIR)/$(azurite) cargo test -p shared-stores --test main -- --ignored --test-threads 2 _azure::

# docs/fidelity.md says how such a server is set up.
test-vespa: need-cargo ## Run the tests of Vespa's client against the real one at VESPA_URL
	@[[ -n "$${VESPA_URL:-}" ]] || { echo "Say where it is: make test-vespa VESPA_URL=http://localhost:8081" >&2; exit 1; }
	TEST_VESPA_URL=$$VESPA_URL cargo test -p shared-stores --test main -- --test-threads 4 vespa_search:: vespa_standin::

lint: need-lints ## Check format and lints
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings

deps: need-cargo need-python ## Check who depends on whom: crates, and files within a crate
	@bash dev/check-dependencies.sh
	@python3 -B -m unittest discover --quiet --start-directory dev/checks
	@python3 -B dev/checks/circles.py

unused: $(machete) ## Check that every dependency is used
	@$(machete)

# Private items are shown too, so links to them are right; and texts of `--help` are doc comments, with bare URLs.
rustdoc: need-cargo ## Check the documentation of the code, private parts too
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links -A rustdoc::bare-urls" \
	  cargo doc --workspace --no-deps --document-private-items

sizes: need-python ## List the largest files; one of more than 500 lines, or a long line in docs or comments, fails
	@python3 -B dev/checks/file_sizes.py
	@python3 -B dev/checks/doc_lines.py

openapi: need-cargo ## Renew docs/openapi.json from the code
	cargo build -p api-gateway
	target/debug/api-gateway openapi > docs/openapi.json

picture: build $(python_stamp) ## Renew docs/pictures/demo.svg from a run of the demo
	@.local/venv/bin/python -B dev/pictures/demo.py

python-tools: $(python_stamp) ## Install the Python tools of the tests into .local/venv

compose-check: $(python_stamp) ## Check docker-compose.yml against the Compose specification
	.local/venv/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

bench-delete: build-release ## Measure the time from DELETE to its answer
	@$(stack) exec -- cargo bench --workspace --bench delete

bench-deletes: build-release ## Measure DELETEs a second beside the same statements in plain SQL
	@$(stack) exec -- cargo bench --workspace --bench deletes

bench-limits: build-release ## Measure what counting a request costs
	@$(stack) exec -- cargo bench --workspace --bench rate_limits

bench-memory: build-release ## Measure the gateway's peak for the largest answers, and the size of the index
	@$(stack) exec -- cargo bench --workspace --bench memory

# All of the corpora are in memory, if there is room: some 10 GB. SCALE=100 makes everything a hundredth of the size.
bench-purge: build-release $(python_stamp) ## Measure what purges cost Vespa, processor and memory (long; SCALE=100 is short)
	@TMPDIR=$$([[ -w /dev/shm ]] && echo /dev/shm || echo "$${TMPDIR:-/tmp}") PURGE_SCALE=$${SCALE:-1} \
	  $(stack) exec -- cargo bench --workspace --bench purge -- $(PARTS)

bench-ledger: build-release ## Measure a ledger of a million entries (long; SCALE=100 is short)
	@TMPDIR=$$([[ -w /dev/shm ]] && echo /dev/shm || echo "$${TMPDIR:-/tmp}") LEDGER_SCALE=$${SCALE:-1} \
	  $(stack) exec -- cargo bench --workspace --bench ledger

bench-reads: build-release ## Measure GET and LIST with 10 000 connections
	@$(stack) exec -- cargo bench --workspace --bench reads

bench-sync: build-release $(python_stamp) ## Measure a sync beside `vespa feed` of the same documents (long)
	@TMPDIR=$$([[ -w /dev/shm ]] && echo /dev/shm || echo "$${TMPDIR:-/tmp}") \
	  $(stack) exec -- cargo bench --workspace --bench sync

chaos-purge: build-all ## Purge PURGES syncs while everything goes wrong, chosen by SEED (long)
	@PURGES=$${PURGES:-1000} SEED=$${SEED:-1} $(stack) exec -- \
	  cargo test --workspace --test main -- purge_chaos --nocapture

mutations: build need-python ## Check that each invariant's tests notice a change that breaks it (long)
	@$(stack) exec -- python3 dev/mutations.py

# The tests come last: what reads the outcome reads the closing lines.
ci: lint deps unused sizes rustdoc build-all compose-check not-run-here run-tests ## Everything that must hold before a change is taken

build: need-cargo
	cargo build --workspace

build-all: need-cargo
	cargo build --workspace --all-targets

# What is measured is what users run. Benches beside the binaries, so that both are compiled with the same features.
build-release: build
	cargo build --release --workspace --bins --bench delete --bench deletes --bench ledger --bench memory --bench purge --bench rate_limits --bench reads --bench sync

run-tests: build-all $(python_stamp)
	@VESPA_CLI=$(CURDIR)/.local/venv/bin/vespa CLIENTS_PYTHON=$(CURDIR)/.local/venv/bin/python bash dev/run-tests.sh

not-run-here: build-all
	@$(stack) not-run-here

need-cargo:
	@command -v cargo > /dev/null || { echo "The Rust toolchain is missing: see https://rustup.rs" >&2; exit 1; }
	@command -v cc > /dev/null || { echo "A C compiler is missing: install build-essential" >&2; exit 1; }

need-lints: need-cargo
	@cargo fmt --version > /dev/null && cargo clippy --version > /dev/null || \
	  { echo "rustfmt or clippy is missing: rustup component add rustfmt clippy" >&2; exit 1; }

need-python:
	@python3 -c 'import venv, ensurepip' 2> /dev/null || \
	  { echo "Python's venv is missing: install python3 and python3-venv" >&2; exit 1; }

# The file says that everything has been installed completely.
$(python_stamp): dev/requirements.txt | need-python
	@rm -rf .local/venv
	python3 -m venv .local/venv
	.local/venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(azurite):
	@command -v npm > /dev/null || { echo "npm is missing: install Node.js, 18 or newer" >&2; exit 1; }
	npm install --silent --no-fund --no-audit --prefix .local/tools/azurite-3.37.0 azurite@3.37.0

$(machete): | need-cargo
	cargo install cargo-machete --quiet --locked --debug --version =0.9.2 --root .local/tools/cargo-machete-0.9.2
