# SPDX-License-Identifier: Apache-2.0
#
# The direct door and arm64: included by the Makefile.

ARM64 := $(BUILD)/cross/arm64
QEMU  := qemu-aarch64 -L /usr/aarch64-linux-gnu

.PHONY: test-door test-collection test-conformance test-arm64

NEED_test-door  := go=golang gcc=gcc aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu
NEED_test-arm64 := qemu-aarch64=qemu-user

test-door: | need-test-door ## what the direct door runs, in machine code, and models of the orderings; 30 s
	go test ./tests/door ./tests/models

test-collection: | need-lib ## Go's collections beside threads that come out of Go and sleep; a minute
	tests/c/collection.sh $(BUILD)

test-conformance: $(BUILD)/conformance ## the rules, over the C ABI, in all columns; a part of test-c
	tests/conformance/columns.sh $(BUILD)/conformance

$(ARM64)/conformance: $(wildcard tests/conformance/*.[ch]) capi/aimdb.h $(ARM64)/libaimdb.so
	aarch64-linux-gnu-gcc -std=gnu11 $(CFLAGS) $(STRICT) -Icapi $(filter %.c,$^) -o $@ \
	    -L$(ARM64) -laimdb -Wl,-rpath,'$$ORIGIN' -lpthread -lm

$(ARM64)/door: tests/c/door.c tests/c/test.h capi/aimdb.h $(ARM64)/libaimdb.so
	aarch64-linux-gnu-gcc -std=gnu11 $(CFLAGS) $(STRICT) -Icapi $< -o $@ \
	    -L$(ARM64) -laimdb -Wl,-rpath,'$$ORIGIN' -lpthread -lm

# qemu orders memory as the machine below it does, so this shows nothing of arm64's
# orderings: tests/models does. What hangs is told from what is slow after five
# minutes.
test-arm64: $(ARM64)/conformance $(ARM64)/door | need-test-arm64 ## the rules on arm64, emulated, through both doors
	for door in direct cgo; do \
	    export AIMDB_DOOR=$$door AIMDB_TEST_WATCHDOG=300; \
	    $(QEMU) $(ARM64)/conformance || exit 1; \
	    AIMDB_COLLECT=1 $(QEMU) $(ARM64)/door storm || exit 1; \
	    $(QEMU) $(ARM64)/door fork || exit 1; \
	    $(QEMU) $(ARM64)/door bad_pointer; test $$? = 42 || exit 1; \
	done
	AIMDB_DOOR=direct $(QEMU) $(ARM64)/door say_door; test $$? = 1
