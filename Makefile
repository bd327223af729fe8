# Ladepunkt. `make help` lists the targets; each sets up what it needs in build/.
PYTHON ?= python3
VENV   := build/venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# pytest takes more words from here: make test T="-k boot -x"
T      ?=

.DEFAULT_GOAL := help
.PHONY: help run package test powercut lint bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

run: $(READY) ## a station against a local backend; BACKEND=ws://… ID=… for another one
	@$(BIN)/python -m tools.run $(if $(BACKEND),--backend "$(BACKEND)") $(if $(ID),--id "$(ID)")

package: $(READY) ## a signed package for updates: DESCRIPTION=… KEY=… [OUT=…]; python -m tools.pack makes keys
	@test -n "$(DESCRIPTION)" -a -n "$(KEY)" || { echo 'make package DESCRIPTION=package.toml KEY=key.pem'; exit 2; }
	@$(BIN)/python -m tools.pack make "$(DESCRIPTION)" --key "$(KEY)" $(if $(OUT),--out "$(OUT)")

test: $(READY) lint ## lint, then every test in host_tests
	@$(BIN)/python -m pytest -n auto --dist loadfile host_tests $(T)

powercut: $(READY) ## the power cut at every program and erase; make test takes a sample of them
	@$(BIN)/python -m pytest host_tests/faults --cuts all $(T)

lint: $(READY) ## ruff, and the types of firmware/ against the MicroPython stubs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m tools.typecheck

bench: $(READY) ## the figures, printed and written to build/bench.json
	@$(BIN)/python -m tools.bench

clean: ## removes build/
	@rm -rf build
