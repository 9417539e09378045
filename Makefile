# make demo   the main job on one kernel: no key, no GPU needed
# make test   the tests             make check   lint, types, published tables
PYTHON ?= python3
export PYTHONPATH := $(CURDIR)/src:$(PYTHONPATH)

.PHONY: setup demo check test gpu clean
setup:
	@PYTHON="$(PYTHON)" tools/setup kernels llm

setup-dev:
	@PYTHON="$(PYTHON)" tools/setup kernels dev test-llm

demo: setup
	$$(tools/setup --python) run_multiturn_optimization.py --kernel level2/2_10.py --model none \
	    --max-iterations 2 --tune-budget 8 --max-wall 150 --fail-on rejected

test: setup-dev
	$$(tools/setup --python) -m pytest -q

check: setup-dev
	$$(tools/setup --python) -m ruff check .
	$$(tools/setup --python) -m ruff format --check .
	$$(tools/setup --python) -m mypy
	$$(tools/setup --python) -m benchmarks.tables --check

gpu: setup-dev
	$$(tools/setup --python) -m pytest -q -m gpu

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
