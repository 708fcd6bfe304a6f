# Targets for the development of Strata itself.
.PHONY: test-prerequisites bench fuzz lock release unrelease cluster-up cluster-status cluster-down cluster-clean

test-prerequisites: ## Install what the tests need beside Python, Java, make and git: Debian's Chromium, where none is
	@command -v chromedriver >/dev/null || { \
		as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$as_root apt-get update --quiet && $$as_root apt-get install --yes --quiet --no-install-recommends chromium chromium-driver; \
	}

cluster-up: setup ## Start a Spark cluster on this machine, with S3 and PostgreSQL (docs/cluster.md)
	@PYTHONPATH=python $(BIN)/python tools/cluster.py up

cluster-status: setup ## Say what of the cluster runs where
	@PYTHONPATH=python $(BIN)/python tools/cluster.py status

cluster-down: setup ## Stop the cluster, and keep its data
	@PYTHONPATH=python $(BIN)/python tools/cluster.py down

cluster-clean: setup ## Stop the cluster, and remove its data
	@PYTHONPATH=python $(BIN)/python tools/cluster.py clean

bench: setup ## Measure beside the same done plainly (BENCH='--events 100000 --no-days --purchases 0.1 --sensors 0.1')
	@$(BIN)/strata bench $(BENCH)

fuzz: setup ## Land mutated files and look for what breaks (FUZZ='--seconds 3600 --seed 7 --files 300')
	@$(BIN)/python tests/python/fuzz.py $(FUZZ)

lock: setup ## Pin the newest versions that requirements/*.in allow, with hashes
	@for name in uv lock development; do $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
		--no-header --no-emit-index-url requirements/$$name.in --output-file requirements/$$name.txt || exit 1; done
	@$(BIN)/python -m strata.jars --lock

release: setup ## Release main (BUMP=major or patch, DRY_RUN=1 shows it, CHECK='make test'); see tools/releases.md
	@PYTHONPATH=python $(BIN)/python tools/release.py release

unrelease: setup ## Take a release back (VERSION=0.2.0); see tools/releases.md
	@PYTHONPATH=python $(BIN)/python tools/release.py unrelease
