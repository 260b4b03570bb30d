# Every target makes what it needs first: `make demo` and `make test` work on a fresh clone.
# Paths stay relative and arguments quoted, so that the clone may lie in "My Documents".
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
DATA ?=
PYTEST_ARGS ?=
# Of Qt: pyqt6 or pyside6, each in an environment of its own.
BINDING ?= pyqt6
GUI := $(if $(filter pyqt6,$(BINDING)),gui,$(BINDING))
VENV := .venv$(if $(filter pyqt6,$(BINDING)),,-$(BINDING))
BIN := $(VENV)/bin
SETUP := pyproject.toml constraints.txt tools/environment

.PHONY: demo test windows lint manifest wheel docs release-check bench clean help

demo: $(VENV)/gui.stamp ## segment the built-in sample, write demo/, open napari where there is a display
	"$(BIN)/napari-unet" demo

test: lint manifest wheel ## everything that CI checks: lint, types, manifest, wheel, tests on a virtual display
	tools/display "$(BIN)/python" -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile $(PYTEST_ARGS)

windows: $(VENV)/test.stamp ## the tests of docks and windows alone; with BINDING=pyside6 on PySide6
	tools/display "$(BIN)/python" -m pytest tests/widgets $(PYTEST_ARGS)

lint: $(VENV)/test.stamp ## ruff and mypy
	"$(BIN)/python" -m ruff check .
	"$(BIN)/python" -m ruff format --check .
	"$(BIN)/python" -m mypy --strict src

manifest: $(VENV)/test.stamp ## is napari.yaml valid, and does every command in it import?
	tools/display "$(BIN)/npe2" validate --imports napari-unet-nuclei

wheel: $(VENV)/test.stamp ## build sdist and wheel, and look into them
	"$(BIN)/python" tools/check_wheel.py

docs: $(VENV)/docs.stamp ## the documentation as a site, in site/; warnings are errors
	NO_MKDOCS_2_WARNING=1 "$(BIN)/mkdocs" build --strict

release-check: $(VENV)/release.stamp ## the wheel in an empty environment: metadata, demo, first click, all docks
	"$(BIN)/python" tools/release_check.py

bench: $(VENV)/gui.stamp ## figures of speed; with DATA=folder of images and labels also of accuracy
	"$(BIN)/python" benchmarks/speed.py
	if [ -n "$(DATA)" ]; then "$(BIN)/python" benchmarks/accuracy.py "$(DATA)"; fi

clean: ## remove the environments and everything else that was made here
	rm -rf .venv .venv-pyside6 build dist demo site .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

$(VENV)/gui.stamp: $(SETUP)
	PYTHON="$(PYTHON)" tools/environment "$(VENV)" $(GUI)
	touch "$@"

$(VENV)/docs.stamp: $(SETUP)
	PYTHON="$(PYTHON)" tools/environment "$(VENV)" docs
	touch "$@"

# What the tests need holds what the demo needs.
$(VENV)/test.stamp: $(SETUP)
	PYTHON="$(PYTHON)" tools/environment "$(VENV)" $(GUI),test
	touch "$(VENV)/gui.stamp" "$@"

$(VENV)/release.stamp: $(SETUP)
	PYTHON="$(PYTHON)" tools/environment "$(VENV)" $(GUI),test,release
	touch "$(VENV)/gui.stamp" "$(VENV)/test.stamp" "$@"
