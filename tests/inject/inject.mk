# SPDX-License-Identifier: Apache-2.0
#
# Faults on purpose: included by the Makefile.

INJECT  := $(BUILD)/inject
WRAPPED := create close close_with register subscribe reader_open reader_fd produce produce_batch emit
WRAPS   := -Wl,--wrap=main $(WRAPPED:%=-Wl,--wrap=aimdb_%)

.PHONY: test-faultinjection

$(INJECT)/libaimdb.so: $(SOURCES)
	tools/build-lib.sh $(INJECT) -tags aimdb_inject

$(INJECT)/conformance: $(wildcard tests/conformance/*.[ch]) tests/inject/again.c capi/inject.h capi/aimdb.h $(INJECT)/libaimdb.so
	$(CC) -std=gnu11 $(CFLAGS) $(STRICT) -Icapi -Itests/conformance $(filter %.c,$^) -o $@ $(WRAPS) \
	    -L$(INJECT) -laimdb -Wl,-rpath,'$$ORIGIN' -lpthread -lm

PYTHON_CORE := $(foreach part,lifecycle produce reader consumer close,tests/test_$(part).py)
PYTEST_WITH := cd $(PYTHON_DIR) && PYTHONPATH=.:$(abspath tests/inject) PYTHONDONTWRITEBYTECODE=1 \
    AIMDB_LIBRARY=$(abspath $(INJECT))/libaimdb.so.0
EVERY_THIRD_SLEEP_INTERRUPTED := 4:1:3:4611686018427387904:4

# ALL=1: every fault in every test, by hand, an hour or so; SEED=n: a sample again.
test-faultinjection: $(INJECT)/conformance $(PYTHON_VENV)/ready ## what the library takes fails, call by call: a sample; ALL=1: all; 100 s
	python3 tests/inject/run.py $(INJECT)/conformance $(if $(ALL),--all) $(SEED:%=--seed %)
	$(PYTEST_WITH) AIMDB_INJECT_SECONDS=$(if $(ALL),,15) AIMDB_INJECT_SEED=$(SEED) \
	    $(abspath $(PYTHON_VENV))/bin/python -m pytest -p python_again $(PYTHON_CORE)
	$(PYTEST_WITH) AIMDB_INJECT=$(EVERY_THIRD_SLEEP_INTERRUPTED) \
	    $(abspath $(PYTHON_VENV))/bin/python -m pytest $(PYTHON_CORE)
