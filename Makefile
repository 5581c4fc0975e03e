# Two commands are all a newcomer needs: `make demo` and `make test`. Both set up what they need, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test lint chaos chart fuzz-chart bench e2e lock clean

help:
	@echo 'demo        run values/hello-world on this machine and print a result'
	@echo 'test        lint, and run every test'
	@echo 'lint        ruff, mypy, the layers of imports, and what is generated'
	@echo 'chaos       many requests while dispatchers are killed and AWS is faulty'
	@echo 'bench       calls, CPU, latency and memory against their budgets'
	@echo 'e2e         the suites on a cluster: make e2e KUBECONFIG=file IMAGE=image-of-the-glue'
	@echo 'chart       generate what follows from schemas/values.schema.json'
	@echo 'fuzz-chart  render the chart with 10,000 generated values files'
	@echo 'lock        resolve the dependencies anew'
	@echo 'clean       remove what was set up and generated'

demo: $(READY)
	$(BIN)/cortex-async local values/hello-world/values.yaml --once '{"name": "world"}'

test: $(READY) lint
	$(BIN)/python -m cortex_async_tools.chart.helm --version 4.3.1
	$(BIN)/python -m cortex_async_tools.chart.helm --version 3.19.0
	$(BIN)/pytest -n 5 --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python charts/generate.py --check

# What follows from schemas/values.schema.json: the chart's copy, its values.yaml and its README.
chart: $(READY)
	$(BIN)/python charts/generate.py

# As `make test` does with 200 sets of values, but with 10,000.
fuzz-chart: $(READY)
	FUZZ_EXAMPLES=10000 $(BIN)/pytest -n auto tests/chart/test_generated_values.py

# Requests while dispatchers are killed and AWS is faulty: prints what was lost (nothing), and fails otherwise.
# `make chaos CHAOS="--requests 2000 --seed 7"` for another run; --help names the options.
chaos: $(READY)
	PYTHONPATH=tests $(BIN)/python -m chaos $(CHAOS)

# What a request costs, against its budgets; on an otherwise idle machine. BENCH=--quick takes a minute.
bench: $(READY)
	PYTHONPATH=tests $(BIN)/python -m bench $(BENCH)

# The suites on a cluster, whose nodes must have the images: tests/e2e/README.md. E2E= for more options of pytest.
IMAGE ?= cortex-async:0.1.0
e2e: $(READY)
	@test -n "$(KUBECONFIG)" || { echo 'name a cluster: make e2e KUBECONFIG=<file> IMAGE=<image of the glue>' >&2; exit 2; }
	$(BIN)/pytest tests/e2e -p pytest_helm_charts.plugin -W 'ignore:cannot discover fixture' \
		--kubeconfig "$(KUBECONFIG)" --glue-image "$(IMAGE)" $(E2E)

# Set-up: every package from the lock, by hash; then the project itself, in place; then helm.
$(READY): tests/requirements.txt pyproject.toml glue/requirements.in glue/requirements-tools.in
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one by: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m cortex_async_tools.chart.helm
	touch $@

UV_COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-annotate --no-header
lock: $(READY)
	$(UV_COMPILE) glue/requirements.in -o glue/requirements.txt
	$(UV_COMPILE) --group dev pyproject.toml -o tests/requirements.txt

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
