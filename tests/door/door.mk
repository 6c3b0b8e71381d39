# SPDX-License-Identifier: Apache-2.0
#
# The direct door and arm64: included by the Makefile.

ARM64 := $(BUILD)/arm64
QEMU  := qemu-aarch64 -L /usr/aarch64-linux-gnu

.PHONY: test-door test-collection test-conformance test-arm64

test-door: ## what the direct door runs, in machine code, and models of the orderings
	@tools/need.sh go=golang gcc=gcc aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu
	go test ./tests/door ./tests/models

test-collection: ## Go's collections beside threads that come out of Go and sleep
	@tools/need.sh go=golang gcc=gcc
	tests/c/collection.sh $(BUILD)

test-conformance: $(BUILD)/conformance ## the rules, over the C ABI, in all columns; a part of test-c
	tests/conformance/columns.sh $(BUILD)/conformance

$(ARM64)/libaimdb.so: $(SOURCES)
	@tools/need.sh go=golang aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu
	GOARCH=arm64 CC=aarch64-linux-gnu-gcc tools/build-lib.sh $(ARM64)

$(ARM64)/conformance: $(wildcard tests/conformance/*.[ch]) capi/aimdb.h $(ARM64)/libaimdb.so
	aarch64-linux-gnu-gcc -std=gnu11 $(CFLAGS) $(STRICT) -Icapi $(filter %.c,$^) -o $@ \
	    -L$(ARM64) -laimdb -Wl,-rpath,'$$ORIGIN' -lpthread -lm

$(ARM64)/door: tests/c/door.c tests/c/test.h capi/aimdb.h $(ARM64)/libaimdb.so
	aarch64-linux-gnu-gcc -std=gnu11 $(CFLAGS) $(STRICT) -Icapi $< -o $@ \
	    -L$(ARM64) -laimdb -Wl,-rpath,'$$ORIGIN' -lpthread -lm

# qemu orders memory as the machine below it does, so this shows nothing of arm64's
# orderings: tests/models does. What hangs is told from what is slow after five
# minutes.
test-arm64: $(ARM64)/conformance $(ARM64)/door ## the rules on arm64, emulated, through both doors
	@tools/need.sh qemu-aarch64=qemu-user
	for door in direct cgo; do \
	    export AIMDB_DOOR=$$door AIMDB_TEST_WATCHDOG=300; \
	    $(QEMU) $(ARM64)/conformance || exit 1; \
	    AIMDB_COLLECT=1 $(QEMU) $(ARM64)/door storm || exit 1; \
	    $(QEMU) $(ARM64)/door fork || exit 1; \
	    $(QEMU) $(ARM64)/door bad_pointer; test $$? = 42 || exit 1; \
	done
	AIMDB_DOOR=direct $(QEMU) $(ARM64)/door say_door; test $$? = 1
