# `make` shows what there is. Needed: make, and Python 3.11, 3.12 or 3.13. All else is installed into .venvs/, from locked files.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Shells that set this would make every start of a function compile all its modules.
unexport PYTHONDONTWRITEBYTECODE
export SAM_CLI_TELEMETRY := 0

PORT ?= 4580
STREAM_PORT ?= 4581
CONFORMANCE_PORT ?= 9999
WEBHOOK_PORT ?= 9293
PARAMETERS ?=
AGENT ?=
WORKFLOW ?=
STREAMING ?=
DEMO ?=
FROM ?=
RECEIVER ?=
TESTS ?= tests

# The first Python that runs: a name on PATH may be a shim that only says that its version is not installed.
USABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
    if $$name -c '$(USABLE)' >/dev/null 2>&1; then $$name -c 'import sys; print(sys.executable)'; break; fi; done)

# What only some machines can have: a kit that needs a newer Python, and a client that needs Node.
TESTBED = $(shell $(PYTHON) -c 'import sys; print("testbed" if sys.version_info >= (3, 12) else "")' 2>/dev/null)
JS = $(if $(shell command -v npm),.venvs/js/.lock)

bin = .venvs/$(1)/bin
installed = $(patsubst %,.venvs/%/.lock,$(1))
# The same for every command that takes template parameters: make up PARAMETERS="PushNotifications=false LogLevel=DEBUG"
parameters = $(patsubst %,--parameter '%',$(PARAMETERS) $(if $(AGENT),AgentModule=$(AGENT)) $(if $(WORKFLOW),WorkflowType=$(WORKFLOW)) \
    $(if $(STREAMING),Streaming=true))

# What Express cannot run is refused before anything is deployed. It takes the environment that has all of the layer.
express = $(findstring WorkflowType=EXPRESS,$(parameters))
fits = $(if $(express),@$(call bin,dev)/python tools/check_agent.py $(parameters))

# The scenario of the demo agent is known: not one of its steps may go unseen.
seed = $(if $(AGENT)$(findstring AgentModule,$(PARAMETERS)),,--agent-steps 3)

.PHONY: help
help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1	\2/' | expand -t 21
	@echo
	@echo '  Another agent: make demo AGENT=approval_agent DEMO="--message \"3 laptops\" --answer yes".'
	@echo '  Template parameters: make up PARAMETERS="PushNotifications=false", make demo WORKFLOW=EXPRESS.  Streams: make demo STREAMING=1.  Another Python: make … PYTHON=/path/to/python'

# ---------------------------------------------------------------------------------------------------------------- use it

.PHONY: demo new-agent check-agent up down conformance status invoke receiver
demo: $(call installed,local sam demo $(if $(express),dev)) ## run the push scenario on a local AWS that lives as long as it
	$(fits)
	@$(call bin,local)/python local/local_aws.py run --needs-port $(WEBHOOK_PORT) $(parameters) \
	    $(call bin,demo)/python demo/push_demo.py --url '{endpoint}' --listen 127.0.0.1:$(WEBHOOK_PORT) $(seed) $(if $(STREAMING),--stream) $(DEMO)

new-agent: .venvs/tools/.lock ## make an agent and its test: make new-agent NAME=invoice_agent (FROM=a2a-sdk, strands, pydantic-ai, langgraph)
	@$(call bin,tools)/python tools/new_agent.py '$(NAME)' --from '$(or $(FROM),steps)'

check-agent: $(call installed,dev) ## whether an agent can be deployed: make check-agent AGENT=invoice_agent WORKFLOW=EXPRESS
	@$(call bin,dev)/python tools/check_agent.py --packages $(parameters)

up: $(call installed,local sam $(if $(express),dev)) ## start the local AWS (PORT=4580), deploy or update the template there, and leave it running
	$(fits)
	@$(call bin,local)/python local/local_aws.py up --port $(PORT) $(if $(STREAMING),--stream-port $(STREAM_PORT)) $(parameters)

conformance: $(call installed,local sam) ## start the conformance agent for test kits (CONFORMANCE_PORT=9999) until Ctrl-C
	@$(call bin,local)/python local/conformance_stack.py --port $(CONFORMANCE_PORT) $(parameters)

down: $(call installed,local) ## stop what make up started
	@$(call bin,local)/python local/local_aws.py down

status: $(call installed,local) ## show where make up answers
	@$(call bin,local)/python local/local_aws.py status

invoke: $(call installed,local sam) ## call one function of it: make invoke FUNCTION=rpc EVENT=events/….json
	@if [ -z "$(FUNCTION)" ] || [ -z "$(EVENT)" ]; then echo 'usage: make invoke FUNCTION=rpc EVENT=events/….json' >&2; exit 2; fi
	@$(call bin,local)/python local/local_aws.py invoke '$(FUNCTION)' '$(EVENT)'

receiver: .venvs/demo/.lock ## show what the local AWS pushes to http://localhost:9293/webhook (RECEIVER=--misbehave)
	@$(call bin,demo)/python demo/receiver.py --port $(WEBHOOK_PORT) \
	    --agent 'http://127.0.0.1:$(PORT)/_aws/execute-api/a2a/$$default' $(RECEIVER)

.PHONY: client smoke
client: .venvs/demo/.lock ## the push scenario against any stack: make client URL=https://… DEMO="--webhook-url https://… --sigv4"
	@if [ -z "$(URL)" ]; then echo 'usage: make client URL=https://… DEMO="--webhook-url https://…/webhook --sigv4"' >&2; exit 2; fi
	@$(call bin,demo)/python demo/push_demo.py --url '$(value URL)' $(DEMO)

smoke: $(call installed,demo) ## prove a stack that has SmokeInbox=true: make smoke STACK=a2a-agent (a2a: that of make up) SMOKE="--failures 2"
	@$(call bin,demo)/python tools/smoke.py $(if $(filter-out a2a,$(STACK)),--stack '$(STACK)',--local) $(SMOKE)

probe-stream: $(call installed,probe) ## how late a deployed stack's streams are: make probe-stream URL=https://… (PROBE=--sigv4)
	@if [ -z "$(URL)" ]; then echo 'usage: make probe-stream URL=https://… [PROBE="--sigv4" or PROBE="--bearer TOKEN"]' >&2; exit 2; fi
	@$(call bin,probe)/python tools/probe_stream.py '$(URL)' $(PROBE)

.PHONY: ops console probe-stream
ops: $(call installed,ops) ## look at a stack and act on it: make ops DO="status" STACK=… (default: the one of make up)
	@$(call bin,ops)/python -m ops $(if $(filter-out a2a,$(STACK)),--stack '$(STACK)') $(or $(DO),--help)

console: $(call installed,ops) ## the same as a page on this machine: make console STACK=… (CONSOLE="--write --port 8787")
	@$(call bin,ops)/python -m ops $(if $(filter-out a2a,$(STACK)),--stack '$(STACK)') console $(CONSOLE)

# --------------------------------------------------------------------------------------------------------------- test it

# Tests on the local AWS mostly wait, so the others run beside them.
beside = $(if $(filter tests,$(TESTS)),--numprocesses=3 --dist=loadfile)

.PHONY: lint check test prices bench test-frameworks validate coldstart crash-table chaos chaos-local throughput isolation isolation-local loops streams
lint: $(call installed,dev) ## format, lint and types
	@$(call bin,dev)/ruff check .
	@$(call bin,dev)/ruff format --check .
	@$(call bin,dev)/mypy

test-frameworks: $(call installed,dev frameworks) ## Strands, ADK, LangGraph and Pydantic AI as agents, each with a stand-in for its model
	@$(call bin,frameworks)/pytest -q --durations=3 tests/frameworks

check: lint ## the fast gate: lint, unit and template tests
	@$(call bin,dev)/pytest -q --numprocesses=2 --dist=loadfile tests/unit tests/template tests/adapters

test: $(call installed,dev local sam compat $(TESTBED)) $(JS) .venvs/browser/.lock ## all tests, those on the local AWS too (TESTS=tests/… for some)
	@$(call bin,dev)/pytest -q --durations=5 $(beside) $(TESTS)

validate: $(call installed,sam checkov) ## lint the template for all regions, and ask it what an auditor would ask
	@AWS_DEFAULT_REGION=us-east-1 $(call bin,sam)/sam validate --lint
	@$(call bin,sam)/python tools/lint_regions.py template.yaml
	@$(call bin,checkov)/checkov -f template.yaml --config-file .checkov.yaml --compact --quiet --skip-download

crash-table: $(call installed,dev) ## what becomes of a task when any one of its calls of AWS goes wrong
	@PYTHONPATH=layers/common:layers/agents:tests/support $(call bin,dev)/python tests/support/crash_table.py

chaos: $(call installed,dev) ## what receivers get while everything fails (SEEDS="1 2 3" TASKS=2000)
	@PYTHONPATH=layers/common:tests/support $(call bin,dev)/python tests/chaos/campaign.py \
	    $(if $(SEEDS),--seeds $(SEEDS)) $(if $(TASKS),--tasks $(TASKS))
	@PYTHONPATH=layers/common:tests/support $(call bin,dev)/python tests/chaos/campaign.py --moto --seeds 1 --tasks 40
	@$(MAKE) chaos-local

chaos-local: $(call installed,dev local sam) ## its short run on the local AWS, three minutes to six (LOCAL_TASKS=28)
	@PYTHONPATH=layers/common:tests/support:demo:local $(call bin,dev)/python tests/chaos/local_campaign.py \
	    $(if $(LOCAL_TASKS),--tasks $(LOCAL_TASKS))

throughput: $(call installed,dev) ## notifications per second against the official SDK's sender
	@PYTHONPATH=layers/common:benchmarks $(call bin,dev)/python benchmarks/throughput.py

isolation: $(call installed,dev) ## how much bad webhooks of all kinds delay the healthy ones (PROFILES="new third")
	@PROFILES="$(PROFILES)" PYTHONPATH=layers/common:benchmarks $(call bin,dev)/python benchmarks/isolation.py

isolation-local: $(call installed,dev local sam) ## the same on the local AWS, in two minutes or three
	@PYTHONPATH=layers/common:demo:local:benchmarks $(call bin,dev)/python benchmarks/isolation_local.py

loops: $(call installed,dev local sam ric) ## CPU and memory of the loop that streams, beside AWS's own for Python
	@PYTHONPATH=local:tests/support $(call bin,dev)/python benchmarks/loops.py

streams: $(call installed,dev local sam) ## how late streams are, alone and fifty at once, and webhooks meanwhile
	@PYTHONPATH=local:demo:tests/support $(call bin,dev)/python benchmarks/streams.py

coldstart: $(call installed,dev peer) ## what a start and an event cost, beside the official SDK (TREE=/path/to/another/tree, ROUNDS=7)
	@$(call bin,dev)/python benchmarks/imports.py
	@$(call bin,dev)/python benchmarks/coldstart.py $(if $(TREE),--tree '$(TREE)') $(if $(ROUNDS),--rounds $(ROUNDS)) $(COLDSTART)

bench: $(call installed,dev bench peer local sam ric) ## measure everything, and write docs/performance.md (PARTS=growth,prices for some)
	@PYTHONPATH=layers/common:layers/agents:tests/support:benchmarks $(call bin,bench)/python benchmarks/bench.py '$(PARTS)'

prices: $(call installed,dev) ## count what a demo task calls, and write its price into README.md
	@PYTHONPATH=layers/common:layers/agents:tests/support:benchmarks $(call bin,dev)/python benchmarks/prices.py

# -------------------------------------------------------------------------------------------------------------- build it

.PHONY: build lock lock-agent clean
build: $(call installed,sam) ## build for AWS, as plain `sam build` does: make build PARAMETERS="Architecture=x86_64"
	@PIP_PYTHON='$(CURDIR)/$(call bin,tools)/python' $(call bin,sam)/sam build $(if $(PARAMETERS),--parameter-overrides $(PARAMETERS))

lock: .venvs/tools/.lock ## take the newest versions into requirements/*.txt and the layer
	@$(call lock,requirements/layer.in,layers/common/requirements.txt)
	@$(foreach name,uv demo local ops sam checkov dev compat frameworks ric probe bench peer,$(call lock,requirements/$(name).in,requirements/$(name).txt);)
	@$(call lock,requirements/testbed.in,requirements/testbed.txt,3.12)

	@$(MAKE) lock-agent UPGRADE=1

lock-agent: .venvs/tools/.lock ## lock the packages of layers/agents/requirements.in beside the common layer's (UPGRADE=1: the newest)
	@$(call bin,tools)/python tools/lock_agent.py $(if $(UPGRADE),--upgrade)

lock = echo $(2); $(call bin,tools)/uv pip compile --quiet --upgrade --universal --python-version $(or $(3),3.11) --generate-hashes \
    --no-header --no-emit-index-url --no-emit-find-links $(1) --output-file $(2) >/dev/null

clean: ## stop the local AWS and remove all that make made
	@if [ -x $(call bin,local)/python ]; then $(call bin,local)/python local/local_aws.py down; fi
	rm -rf .venvs .local .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis

# ---------------------------------------------------------------------------------------------------------- environments
# One each for: dev (tests), sam (its pins hold others back), local (the emulator; functions run in it), demo (the client),
# ops (the operator's command), compat (the SDK of A2A 0.3), frameworks (for agents), ric (AWS's loop, to be measured),
# peer (what starts are measured beside), probe (HTTP/2), testbed (a conformance kit), js (the JavaScript SDK).
# uv installs them in seconds. Where it cannot be had, or cannot reach what pip is configured for, pip does it.

.venvs/tools/.lock: requirements/uv.txt
	@if ! $(or $(PYTHON),false) -c '$(USABLE)' 2>/dev/null; then \
	    echo 'error: $(if $(PYTHON),$(PYTHON) is not a,no) working Python 3.11, 3.12 or 3.13 with its venv module$(if $(PYTHON),, found). Install one (Debian: python3-venv too),' \
	        'or say where it is: make … PYTHON=/path/to/python' >&2; exit 1; fi
	@echo 'Using $(PYTHON)'
	@$(PYTHON) -m venv --clear .venvs/tools
	@$(call bin,tools)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< \
	    || echo 'uv is not to be had here; pip does its work, only slower.'
	@cp $< $@

.venvs/js/.lock: tests/conformance/js/package-lock.json
	@echo 'Installing .venvs/js (once, until $< changes)'
	@mkdir -p .venvs/js
	@cp tests/conformance/js/package.json $< .venvs/js/
	@cd .venvs/js && npm ci --silent --no-audit --no-fund --ignore-scripts
	@cp $< $@

# The console is tried in a browser where there is one. Whoever may install one here (root, Debian) gets it; all others go on without.
.venvs/browser/.lock:
	@mkdir -p $(@D)
	@if ! command -v chromedriver >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo 'Installing chromium, for the tests of the console (once)'; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends chromium chromium-driver; } \
	        >/dev/null 2>&1 || echo 'chromium is not to be had here; the tests in a browser are left out.'; fi
	@touch $@

# What agents need is there for their tests too: over the rest, because it is what is deployed.
.venvs/dev/.lock: layers/agents/requirements.in $(wildcard layers/agents/requirements.txt)

.venvs/%/.lock: requirements/%.txt .venvs/tools/.lock
	@$(if $(filter dev,$*),$(call bin,tools)/python layers/locked.py layers/agents)
	@echo 'Installing .venvs/$* (once, until $< changes)'
	@[ -x $(call bin,$*)/python ] || $(call bin,tools)/python -m venv --without-pip .venvs/$*
	@if ! { [ -x $(call bin,tools)/uv ] && $(call bin,tools)/uv pip sync --quiet --require-hashes --python $(call bin,$*)/python $<; }; then \
	    $(call bin,tools)/python -m pip --python $(call bin,$*)/python install --quiet --disable-pip-version-check --require-hashes -r $<; fi
	@$(if $(filter dev,$*),$(over))
	@cp $< $@

agents := layers/agents/requirements.txt
over = if [ -f $(agents) ] && ! { [ -x $(call bin,tools)/uv ] && \
    $(call bin,tools)/uv pip install --quiet --no-deps --require-hashes --python $(call bin,dev)/python -r $(agents); }; then \
    $(call bin,tools)/python -m pip --python $(call bin,dev)/python install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(agents); fi
