# The targets a reader needs. Everything installs itself into .venv first.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never

.PHONY: help demo serve test check bench lint types contracts sql lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.venv/.ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

lock: ## Resolve the dependencies again into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --upgrade --quiet -o requirements.lock
