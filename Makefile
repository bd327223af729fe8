# Ladepunkt. `make help` lists the targets; each sets up what it needs in build/.
PYTHON ?= python3
VENV   := build/venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
BOARD  ?= qemu_mps2
# the tests wait for most of their time
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() * 3 // 2)')
# pytest takes more words from here: make test T="-k boot -x"
T      ?=

.DEFAULT_GOAL := help
.PHONY: help run update emulate package test powercut lint bench clean firmware flash provision shell logs test-board

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

run: $(READY) ## a station against a local backend; BACKEND=ws://… ID=… for another one
	@$(BIN)/python -m tools.run --link build/run.sock $(if $(BACKEND),--backend "$(BACKEND)") $(if $(ID),--id "$(ID)")

update: $(READY) ## an update of the station of a make run beside it, or of one of its own; PACKAGE=… VERSION=…
	@$(BIN)/python -m tools.update $(if $(PACKAGE),--package "$(PACKAGE)") $(if $(VERSION),--version "$(VERSION)")

emulate: $(READY) ## the same on the emulated 32-bit board; fetches what make firmware BOARD=qemu_mps2 does
	@$(BIN)/python -m tools.run --board qemu_mps2 $(if $(BACKEND),--backend "$(BACKEND)") $(if $(ID),--id "$(ID)")

package: $(READY) ## a signed package for updates: DESCRIPTION=… KEY=… [OUT=…]; python -m tools.pack makes keys
	@test -n "$(DESCRIPTION)" -a -n "$(KEY)" || { echo 'make package DESCRIPTION=package.toml KEY=key.pem'; exit 2; }
	@$(BIN)/python -m tools.pack make "$(DESCRIPTION)" --key "$(KEY)" $(if $(OUT),--out "$(OUT)")

test: $(READY) lint ## lint, then every test in host_tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --ignore=host_tests/board host_tests $(T)

test-board: $(READY) ## the tests of the emulated board; fetches a compiler, QEMU and MicroPython's sources
	@$(BIN)/python -m pytest -n auto --dist loadgroup host_tests/board $(T)

firmware: $(READY) ## an image of a board: make firmware BOARD=qemu_mps2
	@$(BIN)/python -m tools.firmware $(BOARD)

flash: $(READY) ## the firmware onto a board that runs MicroPython: make flash BOARD=esp32_eth PORT=/dev/ttyUSB0
	@$(BIN)/python -m tools.flash $(BOARD) $(PORT) $(if $(SOFT),--soft)

provision: $(READY) ## a board's provisioning file: make provision BOARD=… PORT=… FILE=station.json [CA=ca.pem]
	@$(BIN)/python -m tools.provision $(BOARD) "$(PORT)" "$(FILE)" $(if $(CA),--ca "$(CA)")

shell: $(READY) ## MicroPython's prompt on a board: make shell PORT=…
	@$(BIN)/python -m tools.shell $(PORT) $(if $(RUN),--run '$(RUN)')

logs: $(READY) ## a board's log, until Ctrl-C: make logs PORT=…
	@$(BIN)/python -m tools.shell $(PORT) --log

powercut: $(READY) ## the power cut at every program and erase; make test takes a sample of them
	@$(BIN)/python -m pytest host_tests/faults --cuts all $(T)

lint: $(READY) ## ruff, and the types of firmware/ against the MicroPython stubs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m tools.typecheck

bench: $(READY) ## the figures, printed and written to build/bench.json; BOARD=qemu_mps2 for the emulated board's
	@$(BIN)/python -m tools.bench $(if $(findstring command,$(origin BOARD)),$(BOARD))

clean: ## removes build/
	@rm -rf build
