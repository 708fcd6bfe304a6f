# Everything that people and CI run. `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
SET_UP := .venv/.set-up
ARCHIVED := .venv/.archived
# A project made by `strata init` has Strata as a wheel; its own checkout is Strata.
WHEEL := $(wildcard wheels/*.whl)
PINS := $(wildcard requirements/*.txt)
# What `make state` keeps of a build, and `make slim` goes by.
STATE := target/state.tar.gz
# What dbt does not compare: variables, packages, pins, Python.
UNCOMPARED := $(sort dbt_project.yml packages.yml $(PINS) $(WHEEL) $(shell find conf python -type f ! -name '*.pyc' 2>/dev/null))

.DEFAULT_GOAL := help
.PHONY: help setup sample build state slim daily weekly test unit lint docs docs-site clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(ARCHIVED) ## Install what the project needs into .venv and dbt_packages, once

$(SET_UP): $(PINS) $(WHEEL) $(wildcard pyproject.toml) conf/jars.txt packages.yml $(shell find offline_packages -type f)
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install Python 3.11 or newer, or name one with 'make PYTHON=...'."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python %d.%d: install Python 3.11 or newer, or name one with make PYTHON=python3.11." % sys.version_info[:2])'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make environments: install its venv module (on Debian the package python3-venv)."; exit 1; }
	@PYTHONPATH=$(or $(WHEEL),python) $(PYTHON) -m strata.java
	@echo "Setting up .venv (once; some minutes)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes $(PINS:%=--requirement %)
	$(if $(WHEEL),,@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .)
	@$(BIN)/python -m strata.jars
	@$(BIN)/python -m strata.packages
	@touch $(SET_UP)

# What lets Java start faster, by a first build.
$(ARCHIVED): $(SET_UP)
	@$(BIN)/python -m strata.class_archive
	@touch $(ARCHIVED)

sample: setup ## Put a small sample of each source into the default landing folder, where it holds none
	@$(BIN)/strata sample

build: sample ## Set up, land the sample, run dbt build, catch up with purchases and show their history
	@$(BIN)/dbt build
	@$(BIN)/strata catch-up
	@$(BIN)/dbt --quiet show --limit 20 --inline "select purchase_id, product_id, version, valid_from, valid_to, \
		recorded_on from {{ ref('purchases') }} order by purchase_id, version"

state: build ## Build, and keep the manifest with lake and landing in $(STATE), for make slim
	@rm -rf target/state && mkdir target/state
	@$(BIN)/dbt --quiet parse --target-path target/state
	@ln -s "$$(cd "$${STRATA_LAKE:-lake}" && pwd)" target/state/lake
	@ln -s "$$(cd "$${STRATA_LANDING:-landing}" && pwd)" target/state/landing
	@cat $(UNCOMPARED) | cksum > target/state/uncompared
	@tar --format pax -czf $(STATE) -C target/state manifest.json uncompared lake/. landing/.

# Of a manifest alone, a `.json`, the lake is the one that STRATA_LAKE names: there main has been built.
slim: setup ## Build what differs from STATE and what follows it, in schemas STRATA_SCHEMA_PREFIX_*, the rest read from there
	@if [ ! -e $(STATE) ]; then \
		echo "There is no $(STATE) to compare with: everything is built."; \
		exec $(MAKE) --no-print-directory build; \
	fi; \
	rm -rf target/slim && mkdir -p target/slim || exit 1; \
	case $(STATE) in \
		*.json) cp $(STATE) target/slim/manifest.json || exit 1 ;; \
		*) tar -xzf $(STATE) -C target/slim || exit 1; \
			export STRATA_LAKE=target/slim/lake STRATA_LANDING=target/slim/landing ;; \
	esac; \
	select="--select state:modified+ --defer --state target/slim"; \
	if [ -e target/slim/uncompared ] && [ "$$(cat $(UNCOMPARED) | cksum)" != "$$(cat target/slim/uncompared)" ]; then \
		echo "What dbt does not compare differs (variables, packages, pins or Python): everything is built."; select=; \
	fi; \
	$(BIN)/dbt build --target dev $$select --vars '{history: catch-up}'

daily: setup ## Say what is late, load what has landed, test it, and take every pending day of the histories
	@failed=0; $(BIN)/dbt source freshness || failed=1; $(BIN)/dbt build --exclude-resource-type unit_test || failed=1; $(BIN)/strata catch-up || failed=1; exit $$failed

weekly: setup ## Run every data test, whatever has passed before
	@$(BIN)/dbt test --exclude-resource-type unit_test --vars '{test_everything: true}'

test: lint unit ## Run every check, and every test but those of a cluster and of faults

# Strata's own tests go two files at a time, for a Spark on little data keeps one core busy. A project made by
# `strata init` has none of them: all of its models, data and unit tests are built in an empty lake aside.
unit: setup ## Run the tests, without the linters
ifneq ($(wildcard tests/python),)
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 25
else
	@rm -rf target/aside && mkdir -p target/aside/landing
	@STRATA_LANDING=target/aside/landing STRATA_LAKE=target/aside/lake $(BIN)/dbt build
endif

lint: setup ## Check SQL, Python, YAML and white space, as the pre-commit hooks do
	@$(BIN)/pre-commit run --all-files

docs: setup ## Build dbt's documentation and serve it
	@$(BIN)/dbt docs generate && $(BIN)/dbt docs serve

docs-site: setup ## Build the documentation as one file, target/static_index.html
	@$(BIN)/dbt docs generate --static

clean: ## Remove what dbt and Spark made, the lake and the sample excepted
	rm -rf target logs

# What Strata is developed with; a project made by `strata init` has none of it.
-include development.mk
