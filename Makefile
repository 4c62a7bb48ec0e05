# make demo: set everything up and forecast a simulated store.   make test: set up, run the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

KERNEL := $(wildcard src/nestcast/kernels/CMakeLists.txt src/nestcast/kernels/src/*)

.PHONY: demo test test-all test-sanitize check format clean

demo: $(INSTALLED)
	$(BIN)/nestcast demo

test: $(INSTALLED)
	$(BIN)/pytest

test-all: $(INSTALLED)
	$(BIN)/pytest -m ""

# The kernel's tests on a build that checks addresses and undefined behaviour. Without `site`, the
# editable installation does not come before that build.
SANITIZED := build/sanitize
SANITIZERS = $(shell $(CXX) -print-file-name=libasan.so) $(shell $(CXX) -print-file-name=libubsan.so)

test-sanitize: $(INSTALLED)
	rm -rf $(SANITIZED)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target $(SANITIZED) \
	  -Ccmake.define.NESTCAST_SANITIZE=ON -Cbuild-dir=build/sanitize-objects .
	LD_PRELOAD="$(SANITIZERS)" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	  PYTHONPATH="$(SANITIZED):$$(echo $(VENV)/lib/python*/site-packages)" \
	  $(BIN)/python -S -m pytest tests/nn/test_kernel.py tests/nn/test_kernel_runs.py \
	  -k "not memory and not environment"

check: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) nestcast-demo build dist

# torch first and alone: asked for through another package, pip might choose another build of it.
$(INSTALLED): pyproject.toml constraints.txt $(KERNEL)
	PYTHON=$(PYTHON) sh tools/venv.sh $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
