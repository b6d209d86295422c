# What a reader needs, and every gate. The first target that needs it makes .venv, nothing else does.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
# Trust the certificates that this machine trusts, as pip does; a company's mirror may need it.
export UV_SYSTEM_CERTS := true

# Each is a target of its own below; `check` runs them all, whatever fails, and then says which did.
GATES := format lint types contracts sql dead dependencies spelling compose cover torture

.PHONY: help demo serve test check bench mutate schema lock clean $(GATES)

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: .venv/.ready ## An SMS through a gateway to a charge in a merchant's account, shown as tables
	@$(BIN)/obole demo $(ARGS)

serve: .venv/.ready ## API, projections and database together, until Ctrl-C
	@$(BIN)/obole serve $(ARGS)

test: .venv/.ready ## The tests, all but the trials of survival
	@$(BIN)/pytest --numprocesses auto --quiet -m "not torture" $(ARGS)

check: .venv/.ready ## Every gate: what CI runs
	@$(BIN)/python .ci/gates.py $(GATES)

torture: .venv/.ready ## Gate: the trials of survival; ARGS="--only kill --seed 5", --long, --out DIR
	@$(BIN)/python -m tests.torture.main $(ARGS)

bench: .venv/.ready ## Log, intake, import and folds beside their limits, and peers, measured here
	@$(BIN)/obole bench $(ARGS)

mutate: .venv/.mutation ## Small changes to money, decisions and log: does a test notice? ARGS="refund --survivors"
	@$(BIN)/python -m tests.mutation.main $(ARGS)

format: .venv/.ready ## Gate: the layout of Python files
	@$(BIN)/ruff format --check --quiet --diff .

lint: .venv/.ready ## Gate: ruff, all rules
	@$(BIN)/ruff check --quiet .

types: .venv/.ready ## Gate: basedpyright, strict
	@$(BIN)/basedpyright

contracts: .venv/.ready ## Gate: what may import what
	@$(BIN)/lint-imports --no-logo

sql: .venv/.ready ## Gate: the layout of migrations
	@$(BIN)/sqlfluff lint --disable-progress-bar migrations

dead: .venv/.ready ## Gate: code that nothing uses
	@$(BIN)/vulture

dependencies: .venv/.ready ## Gate: what is imported is declared, and the reverse
	@$(BIN)/deptry --no-ansi .

spelling: .venv/.ready ## Gate: codespell
	@$(BIN)/codespell

compose: ## Gate: docker-compose.yml can be read; no daemon is needed
	@if command -v docker-compose >/dev/null; then docker-compose --file docker-compose.yml --profile kannel --profile metrics config --quiet; \
	elif docker compose version >/dev/null 2>&1; then docker compose --file docker-compose.yml --profile kannel --profile metrics config --quiet; \
	else echo "skipped: docker-compose is not installed"; fi

cover: .venv/.ready ## Gate: the tests, with branch coverage; money, decisions and the log apart
	@$(BIN)/coverage erase
	@$(BIN)/pytest --numprocesses auto --quiet -m "not torture" --cov --cov-report=
	@$(BIN)/coverage report --format=total | sed 's/^/branch coverage, all: /;s/$$/ %/'
	@$(BIN)/coverage report --include='ledger/money.py,ledger/decisions/*,ledger/log/*' | sed 's/^/  /'

schema: .venv/.ready ## Write migrations/schema.sql again, after a new migration
	@$(BIN)/python -m api.schema

lock: .venv/.ready ## Resolve the dependencies again into requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group dev --extra archive --extra tracing --universal --generate-hashes --upgrade --quiet -o requirements.lock
	@$(BIN)/uv pip compile --group mutation --constraints requirements.lock --universal --generate-hashes --upgrade --quiet -o requirements-mutation.lock

clean: ## Remove what tools leave behind; never .obole, which holds data and keys
	@rm -rf .coverage .coverage.* .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.venv/.ready: requirements.lock pyproject.toml
	@echo "Installing the locked dependencies into .venv ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Obole needs Python 3.11 or newer: make PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock \
	|| { echo "uv could not; pip can be slower but knows your own settings"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# What only mutation needs, put beside the rest; `sync` takes it away again with each new lock.
.venv/.mutation: .venv/.ready requirements-mutation.lock
	@$(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python --requirement requirements-mutation.lock
	@touch $@
