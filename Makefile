# The same commands for people and CI. `make serve` is all that a fresh machine needs.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
SERVE_STAMP := $(VENV)/.serve
DEV_STAMP := $(VENV)/.dev
NATIVE := $(shell find models/native -name '*.[ch]pp' -o -name CMakeLists.txt)
PIP := $(RUN)/pip install --quiet -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.DEFAULT_GOAL := help
.PHONY: help serve test check format bench clean compiler python

help:  ## what there is to run
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

serve: $(SERVE_STAMP)  ## install what is missing and serve the default model on 127.0.0.1:8000
	$(RUN)/ostinato serve

test: $(DEV_STAMP)  ## the whole suite
	$(RUN)/pytest -n auto

check: $(DEV_STAMP)  ## lint, format, types
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

format: $(DEV_STAMP)  ## put the format right
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

bench: $(DEV_STAMP)  ## time per sample of every sampler and model, into the README's table and picture
	$(RUN)/ostinato bench --table README.md --streams-picture models/pictures/streams.png

clean:  ## forget the environment and all builds
	rm -rf $(VENV) build

compiler:
	@command -v $${CXX:-c++} >/dev/null || command -v g++ >/dev/null || { \
	  echo "make: no C++ compiler found; the native kernel needs one."; \
	  echo "  Debian, Ubuntu:  apt-get install g++"; \
	  echo "  Fedora:          dnf install gcc-c++"; \
	  echo "  macOS:           xcode-select --install"; exit 1; }

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: $(PYTHON) is missing or older than 3.11; name another as PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "make: $(PYTHON) has no venv; on Debian: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; \
	  sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || { \
	  echo "make: $(PYTHON) has no headers; on Debian: apt-get install python3-dev"; exit 1; }

$(SERVE_STAMP): pyproject.toml constraints.txt $(NATIVE) | compiler python
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing and compiling; the first time takes some minutes"
	$(PIP) -e .
	@touch $@

$(DEV_STAMP): pyproject.toml constraints.txt $(NATIVE) | compiler python
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[dev]'
	@touch $@ $(SERVE_STAMP)
