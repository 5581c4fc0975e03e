# Two commands are all a newcomer needs: `make demo` and `make test`. Both set up what they need, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_READY := $(VENV)/.demo
PIP := $(BIN)/pip --quiet --disable-pip-version-check

# $(call step,what,command) prints what is done and how many seconds it took, in one line.
step = @printf '%-64s' '$(1)'; start=$$(date +%s); $(2) || exit; echo "$$(($$(date +%s) - start)) s"

.DELETE_ON_ERROR:
.PHONY: package package-charts package-wheel package-image help demo kind-try test lint chaos soak chart dashboard-check fuzz fuzz-chart bench e2e lock clean

help:
	@echo 'demo        run values/hello-world on this machine and print a result'
	@echo 'test        lint, and run every test'
	@echo 'lint        ruff, mypy, the layers of imports, and what is generated'
	@echo 'chaos       many requests while dispatchers are killed and AWS is faulty'
	@echo 'soak        mixed load for SOAK_MINUTES (5): fails when a process grows'
	@echo 'kind-try    hello-world in a cluster made by kind, without AWS'
	@echo 'bench       calls, CPU, latency and memory against their budgets'
	@echo 'dashboard-check  the panels and alerts against a real Prometheus; draws the panels'
	@echo 'e2e         the suites on a cluster: make e2e KUBECONFIG=file IMAGE=image-of-the-glue'
	@echo 'chart       generate what follows from schemas/values.schema.json'
	@echo 'fuzz        200,000 generated request heads, messages and ids'
	@echo 'fuzz-chart  render the chart with 10,000 generated values files'
	@echo 'package     dist/: the charts and the wheel; and the image of the glue, by docker, podman or buildah'
	@echo 'lock        resolve the dependencies anew'
	@echo 'clean       remove what was set up and generated'

# After `make test` it needs nothing; alone, it installs only what local mode needs.
demo: $(if $(wildcard $(READY)),$(READY),$(DEMO_READY))
	$(BIN)/cortex-async local values/hello-world/values.yaml --once '{"name": "world"}'

# hello-world in a cluster made by kind, with an emulator of S3 and SQS in the release; needs kind and docker.
kind-try: | $(BIN)/pip
	@{ command -v kind && command -v docker; } > /dev/null || { echo 'kind-try needs kind and docker on PATH'; exit 1; }
	$(call step,cluster cortex-try,kind get clusters | grep -qx cortex-try || kind create cluster --quiet --name cortex-try)
	$(call step,image of the glue with the emulator,docker build --quiet --target emulator --tag cortex-async:$(VERSION) glue)
	$(call step,image of hello-world,docker build --quiet --tag hello-world:1.0.0 values/hello-world)
	$(call step,images into the cluster,kind load docker-image --name cortex-try cortex-async:$(VERSION) hello-world:1.0.0)
	$(call step,release hello-world,$$(PYTHONPATH=glue $(HELM)) upgrade --install hello-world charts/cortex-async $(TRY) --wait --timeout 5m)
	$$(PYTHONPATH=glue $(HELM)) test hello-world --kube-context kind-cortex-try --logs
	@echo 'kind delete cluster --name cortex-try takes it away again'

VERSION := $(shell sed -n 's/^appVersion: //p' charts/cortex-async/Chart.yaml)
TRY := --kube-context kind-cortex-try --values values/hello-world/values.yaml --set emulator.enabled=true

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
	$(BIN)/python schemas/bundle.py --check

# What follows from schemas/values.schema.json: the chart's copy, its values.yaml and its README.
chart: $(READY)
	$(BIN)/python charts/generate.py
	$(BIN)/python schemas/bundle.py

# As `make test` does with 100 each: heads of requests, messages of the queue, and ids. FUZZ=10000 for fewer.
fuzz: $(READY)
	FUZZ_EXAMPLES=$(or $(FUZZ),200000) $(BIN)/pytest tests/unit/test_fuzz.py

# As `make test` does with 200 sets of values, but with 10,000.
fuzz-chart: $(READY)
	FUZZ_EXAMPLES=10000 $(BIN)/pytest -n auto tests/chart/test_generated_values.py

# Requests while dispatchers are killed and AWS is faulty: prints what was lost (nothing), and fails otherwise.
# `make chaos CHAOS="--requests 2000 --seed 7"` for another run; --help names the options.
chaos: $(READY)
	PYTHONPATH=tests $(BIN)/python -m chaos $(CHAOS)

# Mixed load of good and bad clients for SOAK_MINUTES (5): fails when memory, descriptors, threads or tasks grow.
soak: $(READY)
	PYTHONPATH=tests $(BIN)/python -m soak --minutes $(or $(SOAK_MINUTES),5)

# What a request costs, against its budgets; on an otherwise idle machine. BENCH=--quick takes a minute.
bench: $(READY)
	PYTHONPATH=tests $(BIN)/python -m bench $(BENCH)

# Every query of the dashboard and the alerts, asked of a real Prometheus (Debian's package) that scrapes a running API.
dashboard-check: $(READY)
	PYTHONPATH=tests $(BIN)/python -m dashboard $(or $(PICTURE),charts/cortex-async/dashboard.svg)

# The suites on a cluster, whose nodes must have the images: tests/e2e/README.md. E2E= for more options of pytest.
IMAGE ?= cortex-async:$(VERSION)
e2e: $(READY)
	@test -n "$(KUBECONFIG)" || { echo 'name a cluster: make e2e KUBECONFIG=<file> IMAGE=<image of the glue>' >&2; exit 2; }
	$(BIN)/pytest tests/e2e -p pytest_helm_charts.plugin -W 'ignore:cannot discover fixture' \
		--kubeconfig "$(KUBECONFIG)" --glue-image "$(IMAGE)" $(E2E)

# Set-up: packages from the lock, by hash; then the project itself, in place; then helm.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one by: make PYTHON=python3.11")'
	$(call step,$(VENV): a virtual environment,$(PYTHON) -m venv $(VENV))

$(DEMO_READY): glue/requirements-local.txt pyproject.toml | $(BIN)/pip
	$(call step,$(VENV): the packages of local mode,$(PIP) install --no-compile --require-hashes -r $<)
	$(call step,$(VENV): the command cortex-async,$(EDITABLE))
	$(call step,$(VENV): helm,$(HELM) > $@)

$(READY): tests/requirements.txt pyproject.toml glue/requirements.in glue/requirements-local.in glue/requirements-tools.in glue/requirements-operator.in glue/requirements-otel.in glue/cortex/pyproject.toml | $(BIN)/pip
	$(call step,$(VENV): the packages of all tools and tests,$(PIP) install --require-hashes -r $<)
	$(call step,$(VENV): the commands cortex-async and cortex,$(EDITABLE) --editable glue/cortex)
	$(call step,$(VENV): helm,$(HELM) > $@)

EDITABLE = $(PIP) install --no-deps --no-build-isolation --editable .
HELM = $(BIN)/python -m cortex_async_tools.chart.helm

# What a release is made of; the release workflow uses the same targets.
# `make package-image IMAGE=<your registry>/cortex-async:0.1.0 ENGINE=podman` names the image and what builds it;
# TARGET=emulator, otel or operator another one of the Dockerfile's.
TARGET ?= glue
ENGINE ?= $(firstword $(foreach each,docker podman buildah,$(if $(shell command -v $(each)),$(each))))
package: package-charts package-wheel package-image

# With SOURCE_URL=<URL of the repository> the charts say where they are from.
package-charts: | $(BIN)/pip
	@rm -rf build/charts && mkdir -p build && cp -r charts build/charts
	@for each in $(CHARTS); do if [ -n '$(SOURCE_URL)' ]; then \
		printf 'home: %s\nsources: ["%s"]\n' '$(SOURCE_URL)' '$(SOURCE_URL)' >> build/$$each/Chart.yaml; fi; done
	$(call step,dist: the charts,$$(PYTHONPATH=glue $(HELM)) package $(addprefix build/,$(CHARTS)) --destination dist > /dev/null)

CHARTS := charts/cortex-async charts/cortex-operator

package-wheel: $(READY)
	$(call step,dist: the wheel,$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .)

package-image:
	@test -n '$(ENGINE)' || { echo 'package-image needs docker, podman or buildah on PATH'; exit 1; }
	$(ENGINE) build $(ENGINE_OPTIONS) --target $(TARGET) --build-context chart=charts/cortex-async --tag $(IMAGE) glue

UV_COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-annotate --no-header
lock: $(READY)
	$(UV_COMPILE) glue/requirements.in -o glue/requirements.txt
	$(UV_COMPILE) glue/requirements.in glue/requirements-operator.in -o glue/requirements-operator.txt
	$(UV_COMPILE) glue/requirements.in glue/requirements-otel.in -o glue/requirements-otel.txt
	$(UV_COMPILE) --group dev --extra otel pyproject.toml -o tests/requirements.txt
	$(UV_COMPILE) --group build glue/requirements.in glue/requirements-local.in -c tests/requirements.txt -o glue/requirements-local.txt

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
