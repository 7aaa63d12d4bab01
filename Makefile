# Every target works on a fresh clone with Python 3.11 to 3.13 and make; none needs another one first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all lint types check bench bench-calibration format dist clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 20

install: $(READY)  ## make .venv with the tested versions (constraints.txt)

# torch first: a range that another package asks for would bring a build of several gigabytes.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,dask,s3]'
	@touch $@

demo: install  ## split, fit, sample and validate the sample data
	$(BIN)/synthcli split -c configs/flights.yaml
	$(BIN)/synthcli fit -c configs/flights.yaml
	$(BIN)/synthcli sample -c configs/flights.yaml --seed 7
	$(BIN)/synthcli validate -c configs/flights.yaml

test: install  ## run the quick tests
	$(BIN)/python -m pytest -q -n $(WORKERS) -m 'not slow'

test-all: install  ## run every test, and name those that were skipped
	$(BIN)/python -m pytest -n $(WORKERS) -ra

lint: install  ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install  ## check types
	$(BIN)/mypy

check: lint types test  ## lint, types and quick tests

bench: install  ## measure speed and memory; prints a table
	$(BIN)/python -m benchmarks

bench-calibration: install  ## measure how often the default gates err; writes docs/calibration.md (under an hour)
	$(BIN)/python -m benchmarks.calibration

format: install  ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dist: install  ## build wheel and sdist into dist/
	rm -rf dist
	$(BIN)/python -m hatchling build

clean:  ## remove what the targets made, except .venv
	rm -rf artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
