# Everything a stranger needs. Each target does its own set-up.
PY := .venv/bin/python
READY := .venv/.ready
PYTEST = $(PY) -m pytest -q -n 2 --dist worksteal
COVERING := tests/wire tests/policies tests/vectors
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test slow check coverage browser lint bench clean lock

$(READY): locks/dev.txt pyproject.toml
	python3 -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r locks/dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)   ## a mission of five nations, played out on this machine
	$(PY) -m clients.cli.main demo

lint: $(READY)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

check: lint      ## format, lint, types and the fast tests
	$(PYTEST) -m "not slow and not long and not browser"

coverage: $(READY) ## wire/ and the decision path of policies/, with every branch taken
	$(PYTEST) -m "not long" --timeout 900 --cov --cov-report=term-missing:skip-covered $(COVERING)

browser: $(READY) ## the audit console in a real Chromium, installed if there is none
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium) \
	  || test -z "$$CI"  # elsewhere than in CI they are skipped, with the reason
	$(PY) -m pytest -q -m browser tests/browser

test: lint coverage browser ## everything that must pass before a change lands
	$(PYTEST) -m "not long and not browser" $(COVERING:%=--ignore=%)

slow: $(READY)   ## what `make test` leaves out, for it takes minutes
	$(PYTEST) --timeout 3600 -m long

bench: $(READY)  ## speed, as ratios to a limit measured in the same run
	$(PY) -m benchmarks

lock:            ## renew the lock files (hashes, no index, no host)
	$(PY) -m pip install --quiet pip-tools
	for extra in clients policy broker report dev; do \
	  flags=""; [ $$extra = clients ] || flags="--extra $$extra"; \
	  [ $$extra = dev ] && flags="--extra dev --extra broker --extra policy --extra report"; \
	  CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile -q --generate-hashes --no-strip-extras --allow-unsafe \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options $$flags -o locks/$$extra.txt pyproject.toml; \
	done

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage demo-run
