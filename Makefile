# Everything that people and CI run. `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
SET_UP := .venv/.set-up

.DEFAULT_GOAL := help
.PHONY: help setup sample build test unit lint bench fuzz docs lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(SET_UP) ## Install what the project needs into .venv and dbt_packages, once

$(SET_UP): requirements/uv.txt requirements/lock.txt requirements/development.txt pyproject.toml conf/jars.txt packages.yml $(shell find offline_packages -type f)
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install Python 3.11 or newer, or name one with 'make PYTHON=...'."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python %d.%d: install Python 3.11 or newer, or name one with make PYTHON=python3.11." % sys.version_info[:2])'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make environments: install its venv module (on Debian the package python3-venv)."; exit 1; }
	@PYTHONPATH=python $(PYTHON) -m strata.java
	@echo "Setting up .venv (once; some minutes)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes \
		--requirement requirements/lock.txt --requirement requirements/development.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m strata.jars
	@$(BIN)/python -m strata.packages
	@$(BIN)/python -m strata.class_archive
	@touch $(SET_UP)

sample: setup ## Put a small sample of each source into the default landing folder, where it holds none
	@$(BIN)/strata sample

build: sample ## Set up, land the sample, run dbt build, catch up with purchases and show their history
	@$(BIN)/dbt build
	@$(BIN)/strata catch-up
	@$(BIN)/dbt --quiet show --limit 20 --inline "select purchase_id, product_id, version, valid_from, valid_to, \
		recorded_on from {{ ref('purchases') }} order by purchase_id, version"

test: lint unit ## Run every check and test there is

# Two files of tests at a time: a Spark on little data keeps one core busy.
unit: setup
	@$(BIN)/pytest -n 2 --dist loadfile

lint: setup ## Check SQL, Python, YAML and white space, as the pre-commit hooks do
	@$(BIN)/pre-commit run --all-files

bench: setup ## Measure beside the same done plainly (BENCH='--events 100000 --no-days --purchases 0.1 --sensors 0.1')
	@$(BIN)/strata bench $(BENCH)

fuzz: setup ## Land mutated files and look for what breaks (FUZZ='--seconds 3600 --seed 7 --files 300')
	@$(BIN)/python tests/python/fuzz.py $(FUZZ)

docs: setup ## Build dbt's documentation and serve it
	@$(BIN)/dbt docs generate && $(BIN)/dbt docs serve

lock: setup ## Pin the newest versions that requirements/*.in allow, with hashes
	@for name in uv lock development; do $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
		--no-header --no-emit-index-url requirements/$$name.in --output-file requirements/$$name.txt || exit 1; done
	@$(BIN)/python -m strata.jars --lock

clean: ## Remove what dbt and Spark made, the lake and the sample excepted
	rm -rf target logs
