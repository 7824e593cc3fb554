# Every target makes the virtual environment when there is none: uv where it is installed, else venv and pip.
VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= python3
NAME   ?=
SEEDS  ?= 1000000
FIRST  ?= 1
EXECUTIONS ?= 5000
KILLS  ?= 60
OUTAGE ?= 60
RATE   ?= 4

.PHONY: demo up test test-aws soak soak-kills soak-outage soak-rollups check format bench bench-peers stubs manifests images lock clean

$(VENV)/.ready: pyproject.toml constraints.txt
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv -q --allow-existing --python $(PYTHON) $(VENV) && uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else \
	  test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	  $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'; \
	fi
	@$(BIN)/python -m compileall -q sdk functions analytics_api examples  # as pip does with what is not editable
	@touch $@

demo: $(VENV)/.ready  ## Twenty orders through the whole platform, from zero and back
	@$(BIN)/python examples/order-fulfilment/demo.py

up: $(VENV)/.ready  ## The platform on this machine, until Ctrl-C
	@$(BIN)/lowtide up

test: $(VENV)/.ready  ## All tests; much of their time is spent waiting, so five files are run at once
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder  # each reads what one compiled

test-aws: $(VENV)/.ready  ## What needs S3, on moto and on LocalStack, each in an environment of its own
	@$(BIN)/python -m tests.aws

soak: $(VENV)/.ready  ## make soak SEEDS=1000000 FIRST=1: simulated worlds on all processors; tells which seeds fail
	@$(BIN)/python -m tests.simulation --soak $(SEEDS) $(FIRST)

soak-kills: $(VENV)/.ready  ## make soak-kills EXECUTIONS=5000 KILLS=60: the whole platform while its processes are killed
	@$(BIN)/python -m tests.kills --executions $(EXECUTIONS) --kills $(KILLS)

soak-outage: $(VENV)/.ready  ## make soak-outage OUTAGE=60 RATE=4: PostgreSQL hangs, then is away, under a steady load; in numbers
	@$(BIN)/python -m tests.outages --seconds $(OUTAGE) --rate $(RATE)

soak-rollups: $(VENV)/.ready  ## make soak-rollups EXECUTIONS=5000 KILLS=60: rollups against rows while ingest is killed
	@$(BIN)/python -m tests.rollups --executions $(EXECUTIONS) --kills $(KILLS)

check: $(VENV)/.ready  ## Format, lint, types, layers
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy --num-workers 2
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache

format: $(VENV)/.ready  ## Put the code into its form
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

bench: $(VENV)/.ready  ## make bench NAME=cold_start
	@test -n "$(NAME)" || { echo "name one of: $$(ls benchmarks | sed -n 's/\.py$$//p' | tr '\n' ' ')"; exit 2; }
	@$(BIN)/python -m benchmarks.$(NAME)

bench-peers: build/peers/.ready  ## What the benchmark `durability` compares with, in an environment of its own

build/peers/.ready:
	@$(PYTHON) -m venv build/peers/venv
	@build/peers/venv/bin/python -m pip install -q --disable-pip-version-check 'dbos==3.4.*' restate-sdk hypercorn uvicorn httptools
	@npm install --silent --no-fund --no-audit --prefix build/peers/npm '@restatedev/restate-server@1.7'
	@touch $@

stubs: $(VENV)/.ready  ## Generate the gRPC stubs from the .proto files
	@$(BIN)/python -m grpc_tools.protoc -I sdk --python_out=sdk --pyi_out=sdk --grpc_python_out=sdk sdk/lowtide/rpc/v1/ingest.proto

manifests: $(VENV)/.ready  ## Render the Triggers from the table of who gets which event
	@$(BIN)/python knative/render.py

images:  ## Build the four images as knative/overlays/local names them
	@for part in execute ingest orchestrate analytics; do \
	  docker build -q --target $$part -t dev.local/lowtide-$$part:dev . || exit 1; \
	done

lock: $(VENV)/.ready  ## Renew constraints.txt
	@$(BIN)/python -m pip freeze --exclude-editable | grep -v '^lowtide' > constraints.txt

clean:  ## Remove what the other targets made
	@rm -rf $(VENV) .lowtide .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
