# The two commands of the README, and the checks. `make help` lists them.
#   make train ARGS="--epochs 5"       arguments for the example
#   make train DATA=mnist              its data set
#   make test ARGS="-k linear"         arguments for pytest
#   make test WORKERS=0                in one process (on a GPU, that is what happens)
#   make gpu BUDGET=480 OUT=folder     seconds for everything; the folder for the results
#   make gpu DEVICE=simulator          a rehearsal without a GPU
#   make train PYTHON=python3.12       another Python for .venv

PYTHON ?= python3
VENV ?= .venv
DATA ?=
ARGS ?=
BUDGET ?= 480
OUT ?= build/gpu
DEVICE ?= cuda
SMALL ?= $(filter simulator,$(DEVICE))
WORKERS ?= $(if $(findstring cuda,$(ARGS)),0,auto)

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_DOCS := $(VENV)/.installed-docs

# The CUDA version of the NVIDIA driver, if there is one, chooses the extra: 12 -> cuda12, 13 and later -> cuda13.
CUDA_MAJOR = $(shell nvidia-smi 2>/dev/null | sed -n 's/.*CUDA[A-Za-z ]*Version: *\([0-9][0-9]*\).*/\1/p' | head -n 1)
CUDA_EXTRA = $(shell v="$(CUDA_MAJOR)"; if [ -n "$$v" ] && [ "$$v" -ge 13 ]; then echo ,cuda13; \
	elif [ "$$v" = 12 ]; then echo ,cuda12; fi)

.PHONY: help train test gpu lint types check docs clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

train: $(INSTALLED) ## train a two-layer network on handwritten digits, print its test accuracy
	$(BIN)/python examples/train_digits.py $(if $(DATA),--data $(DATA)) $(ARGS)
	@echo
	@echo "Next:"
	@echo "  source $(BIN)/activate"
	@echo "  gpugrad train examples/digits.toml --out runs/digits   # from a configuration"
	@echo "                                                         # Ctrl-C stops it, the same command resumes it"
	@echo "  gpugrad init mine                                      # a configuration of your own"

test: $(INSTALLED) ## the whole test suite
	OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

# Nothing is installed: the Python of .venv where it runs, else PYTHON, with the packages that it has.
gpu: ## check a GPU within BUDGET seconds: kernels, races, the suite, speed; results go into the folder OUT
	@python=$(BIN)/python; "$$python" -c 'import numpy' 2>/dev/null || python=$(PYTHON); set -x; \
		"$$python" tools/gpu --device $(DEVICE) --budget $(BUDGET) --out $(OUT) $(if $(SMALL),--small) $(ARGS)

lint: $(INSTALLED_DEV) ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED_DEV) ## mypy, strict
	$(BIN)/mypy

check: lint types test ## all of the above checks

docs: $(INSTALLED_DOCS) ## the site, into build/site; nothing is loaded from anywhere else
	GPUGRAD_DEVICE=cpu NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --clean $(ARGS)
	$(BIN)/python tools/check_site.py build/site

clean: ## remove the environment, caches and results
	rm -rf $(VENV) build dist runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "gpugrad needs Python 3.11 or later, $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing)." \
			"Name another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# Installed again only when pyproject.toml changes.
$(INSTALLED): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[test$(CUDA_EXTRA)]"
	@$(BIN)/python -m pip install --quiet --only-binary llvmlite --editable ".[cpu]" || \
		echo "There is no llvmlite for this machine: kernels on the CPU run on NumPy, slower."
	@touch $@

$(INSTALLED_DEV): pyproject.toml | $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

$(INSTALLED_DOCS): pyproject.toml | $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	@touch $@
