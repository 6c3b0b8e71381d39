# SPDX-License-Identifier: Apache-2.0
#
# The Python package; included by the Makefile.

PYTHON_DIR   := bindings/python
PYTHON_BUILD := $(BUILD)/python
PYTHON_VENV  := $(PYTHON_BUILD)/venv
PYTHON_SRC   := $(filter-out %__pycache__,$(wildcard $(PYTHON_DIR)/aimdb/*)) $(wildcard $(PYTHON_DIR)/*.py $(PYTHON_DIR)/*.toml $(PYTHON_DIR)/*.md)
WHEEL        := $(PYTHON_BUILD)/wheel.stamp

.PHONY: lint-python test-python wheel test-wheel

# Debian's python3 comes without what makes a venv.
NEED_python := python3=python3 module:ensurepip=python3-venv gcc=gcc
NEED_lint-python := $(NEED_python)
NEED_test-python := $(NEED_python)
NEED_test-wheel  := $(NEED_python)

$(PYTHON_VENV)/ready: $(wildcard $(PYTHON_DIR)/requirements-*.txt) | need-python
	rm -rf $(PYTHON_VENV)
	"$$($(PYTHON_DIR)/pythons.sh | tail -1)" -m venv $(PYTHON_VENV)
	$(PYTHON_VENV)/bin/pip install -q --disable-pip-version-check \
	    -r $(PYTHON_DIR)/requirements-test.txt -r $(PYTHON_DIR)/requirements-lint.txt
	touch $@

PYTHON_LINT := cd $(PYTHON_DIR) && $(abspath $(PYTHON_VENV))/bin
PYTHON_ALL  := --no-cache --config pyproject.toml . ../../bench/python ../../tests/inject

lint-python: $(PYTHON_VENV)/ready ## ruff and mypy
	$(PYTHON_LINT)/ruff check $(PYTHON_ALL)
	$(PYTHON_LINT)/ruff format --check $(PYTHON_ALL)
	$(PYTHON_LINT)/mypy --cache-dir $(abspath $(PYTHON_BUILD))/mypy

test-python: lint-python lib ## the Python package, and what lint-python says; 30 s
	cd $(PYTHON_DIR) && PYTHONPATH=. AIMDB_LIBRARY=$(abspath $(LIB)) PYTHONDONTWRITEBYTECODE=1 \
	    $(abspath $(PYTHON_VENV))/bin/python -m pytest

$(WHEEL): $(PYTHON_SRC) $(LIB) | $(PYTHON_VENV)/ready
	rm -rf $(PYTHON_BUILD)/wheel $(PYTHON_DIR)/build
	AIMDB_LIBRARY=$(abspath $(LIB)) $(PYTHON_VENV)/bin/pip wheel -q --disable-pip-version-check \
	    --no-deps -w $(PYTHON_BUILD)/wheel ./$(PYTHON_DIR)
	touch $@

wheel: $(WHEEL) ## a wheel that carries the library, in build/python/wheel
	@ls $(PYTHON_BUILD)/wheel/*.whl

test-wheel: wheel ## the wheel in a new venv of each CPython at hand, 3.9 to 3.13; 3 minutes
	$(PYTHON_DIR)/test-wheel.sh $(PYTHON_BUILD)/wheel $(PYTHON_BUILD)/wheel-test

PYTHON_BENCH   := $(PYTHON_BUILD)/bench
PYTHON_SYSTEMS := aimdb-python queue simplequeue asyncio-queue pyzmq iceoryx2-python
PYTHON_SCENES  := py_cross_thread_64 py_batch_64 py_asyncio_64 py_wake_1ms_p50

.PHONY: bench-python-programs bench-python

$(PYTHON_BENCH)/ready: bench/python/requirements.txt | need-python
	rm -rf $(PYTHON_BENCH)
	python3 -m venv $(PYTHON_BENCH)
	while read -r package; do $(PYTHON_BENCH)/bin/pip install -q --disable-pip-version-check "$$package" \
	    || echo "bench: without $$package"; done <$<
	touch $@

# For bench/run.py: a program for each system, in build/bench.
bench-python-programs: $(PYTHON_BENCH)/ready lib
	bench/python/programs.sh $(BUILD)/bench $(abspath $(PYTHON_BENCH))/bin/python $(abspath $(LIB))

bench-python: bench-python-programs ## one round of the Python scenarios with each system
	@for scene in $(PYTHON_SCENES); do for system in $(PYTHON_SYSTEMS); do \
	    $(BUILD)/bench/$$system $$scene || [ $$? = 77 ] || exit 1; done; done
