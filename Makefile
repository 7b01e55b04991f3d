# Every target sets up what it needs; see scripts/setup.sh.
.PHONY: setup bpf demo test check lint fix docs bench lock

PY := .venv/bin/python
# Two workers for two cores; the tests of a group (tests/conftest.py) run on one of them.
PYTEST := $(PY) -m pytest -n 2 --dist loadscope --no-loadscope-reorder
# Tests that start no server and no container.
PURE := tests/events tests/hunts tests/image tests/kql tests/policy tests/verdict tests/wire $(wildcard tests/test_*.py)

setup:
	@scripts/setup.sh

bpf: setup
	@$(PY) hatch_build.py

demo: setup bpf
	@$(PY) -m scripts.demo

lint: setup
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

fix: setup
	@.venv/bin/ruff check --fix . ; .venv/bin/ruff format .

test: lint bpf
	@$(PYTEST)

check: lint
	@$(PYTEST) -q $(PURE)

docs: setup
	@$(PY) -m scripts.docs

bench: setup bpf
	@for each in exec_latency throughput alert_latency image_index policy blocking ingest fleet policy_delivery large_store; do $(PY) -m bench.$$each || exit 1; done

lock:
	@.venv/bin/uv pip compile --quiet --universal --generate-hashes --all-extras --group dev --no-emit-find-links -o requirements.lock pyproject.toml
