# Targets for the development of Strata itself.
.PHONY: test-prerequisites debian-packages s3-server cluster-jars bench fuzz lock release unrelease test-cluster test-faults audit cluster-up cluster-status cluster-down cluster-clean

# The S3 server of the tests' cluster, built by Go.
VERSITYGW := github.com/versity/versitygw/cmd/versitygw@v1.8.0

# What a command is given to that only root may run.
AS_ROOT := $$([ "$$(id -u)" = 0 ] || echo sudo --preserve-env)
# Installs packages of Debian's.
INSTALL := $(AS_ROOT) apt-get update --quiet && $(AS_ROOT) apt-get install --yes --quiet --no-install-recommends

# Runs tests of a cluster, where they are not left out.
define on-the-cluster
@if [ -n "$$STRATA_WITHOUT_CLUSTER" ]; then echo "$(1) is left out: STRATA_WITHOUT_CLUSTER is set."; else $(BIN)/pytest $(1); fi
endef

# CI makes its parts at a time: most of each is to wait for the network, or for one core.
test-prerequisites: setup debian-packages s3-server cluster-jars ## Install what the tests need beside Python, Java, make and git (Debian's Chromium and PostgreSQL, an S3 server)

debian-packages:
	@packages=; command -v chromedriver >/dev/null || packages="chromium chromium-driver"; \
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages="$$packages postgresql"; \
	if [ -n "$$packages" ]; then $(INSTALL) $$packages; fi

s3-server:
	@if [ -n "$$STRATA_WITHOUT_CLUSTER" ] || [ -x $(BIN)/versitygw ]; then :; \
	elif command -v go >/dev/null; then echo "Building the S3 server (once; some minutes)"; \
		GOBIN="$(CURDIR)/$(BIN)" go install $(VERSITYGW); \
	else echo "Go is not there: install it, for the tests' S3 server is built by it, or leave the cluster's tests out by STRATA_WITHOUT_CLUSTER=1."; exit 1; \
	fi

cluster-jars: setup
	@[ -n "$$STRATA_WITHOUT_CLUSTER" ] || $(BIN)/python -m strata.jars --cluster

test-cluster: test-prerequisites ## Run the tests of a real Spark cluster (STRATA_WITHOUT_CLUSTER=1 leaves them out)
	$(call on-the-cluster,tests/cluster)

test-faults: test-prerequisites ## Kill commands and parts of a cluster, fill the disk, take rights and so on, as root (KILLS=60 KILL_SEED=1)
	@command -v faketime >/dev/null || { $(INSTALL) faketime; }
	@$(AS_ROOT) env "PATH=$$PATH" $(BIN)/pytest -n 2 tests/python/faults
	$(call on-the-cluster,tests/cluster/faults)

cluster-up: setup ## Start a Spark cluster on this machine, with S3 and PostgreSQL (docs/cluster.md)
	@PYTHONPATH=python $(BIN)/python tools/cluster.py up

cluster-status: setup ## Say what of the cluster runs where
	@PYTHONPATH=python $(BIN)/python tools/cluster.py status

cluster-down: setup ## Stop the cluster, and keep its data
	@PYTHONPATH=python $(BIN)/python tools/cluster.py down

cluster-clean: setup ## Stop the cluster, and remove its data
	@PYTHONPATH=python $(BIN)/python tools/cluster.py clean

bench: setup ## Measure beside the same done otherwise, two hours or more (BENCH='--only nothing-new'; STRATA_WITHOUT_CLUSTER=1)
	@PYTHONPATH=python $(BIN)/python bench/run.py $(BENCH)

fuzz: setup ## Land mutated files and look for what breaks (FUZZ='--seconds 3600 --seed 7 --files 300')
	@$(BIN)/python tests/python/fuzz.py $(FUZZ)

lock: setup ## Pin the newest versions that requirements/*.in allow, with hashes
	@for name in uv lock development; do $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
		--no-header --no-emit-index-url requirements/$$name.in --output-file requirements/$$name.txt || exit 1; done
	@$(BIN)/python -m strata.jars --lock

audit: setup ## Ask PyPI for known faults of what is pinned; it must be in reach
	@for name in lock development; do $(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/$$name.txt || exit 1; done

release: setup ## Release main (BUMP=major or patch, DRY_RUN=1 shows it, CHECK='make test'); see tools/releases.md
	@PYTHONPATH=python $(BIN)/python tools/release.py release

unrelease: setup ## Take a release back (VERSION=0.2.0); see tools/releases.md
	@PYTHONPATH=python $(BIN)/python tools/release.py unrelease
