# SPDX-License-Identifier: Apache-2.0

BUILD   := build
LIB     := $(BUILD)/libaimdb.so
FAULTS  := fault_nofence fault_norecheck fault_nobaton fault_lagoffbyone fault_freetwice fault_panic
SOURCES := go.mod go.sum $(shell find capi core -name '*.go' ! -name '*_test.go' -o -name '*.[chs]') \
           capi/libaimdb.map tools/build-lib.sh
CFLAGS  ?= -O2 -g
STRICT  := -Wall -Wextra -Wpedantic -Werror
LINK    := -L$(BUILD) -laimdb -Wl,-rpath,'$$ORIGIN' -lpthread -lm

STATICCHECK := $(BUILD)/tools/staticcheck

.PHONY: help lib demo test test-tools test-short lint header symbols test-go test-race test-faults test-harness test-c \
        lib-asan lib-tsan lib-named lib-valgrind test-asan test-tsan coverage soak clean check

help: ## what there is
	@sed -n 's/^\([a-z0-9 -]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 26

lib: $(LIB) ## build/libaimdb.so

demo: $(BUILD)/gateway ## the gateway on this machine's own figures: 10 s at 1 kHz
	$(BUILD)/gateway --seconds 10 --rate 1000 --require-lag

# What a target needs besides make stands in NEED_target, and need-target sees that
# it is there: tools/need.sh. `make test` sees to all of it at its beginning.
TESTS := lint header abi test-tools test-go test-race test-door test-collection test-c test-cpp test-install \
         test-docs test-faults test-harness test-random test-faultinjection test-asan test-tsan test-python test-wheel test-musl \
         test-cross
CHECKS := lint header abi test-tools test-go test-short test-python

NEED_lib      := go=golang gcc=gcc
NEED_test-tools := gcc=gcc python3=python3
NEED_header   := gcc=gcc g++=g++
NEED_test-c   := cmake=cmake gcc=gcc g++=g++ python3=python3
NEED_coverage := go=golang gcc=gcc gcov=gcc cmake=cmake g++=g++ python3=python3
NEED_test      = $(sort $(foreach target,lib $(TESTS),$(NEED_$(target))))
NEED_check     = $(sort $(foreach target,lib $(CHECKS),$(NEED_$(target))))

need-%:
	@tools/need.sh $(or $(NEED_$*),$(error no NEED_$* is stated))

# Each in turn, with the time it takes.
test check: %: need-% ## everything, 20 minutes; what is quick, 2 minutes
	@for target in $(if $(filter test,$@),$(TESTS),$(CHECKS)); do \
	    began=$$(date +%s); \
	    $(MAKE) --no-print-directory $$target || exit; \
	    echo "make $$target: passed in $$(($$(date +%s) - began)) s"; \
	done
	@echo "make $@: all passed"

$(LIB): $(SOURCES) | need-lib
	tools/build-lib.sh $(BUILD)

$(BUILD)/gateway: $(wildcard examples/c/gateway.c examples/c/gateway/*) capi/aimdb.h $(LIB)
	$(CC) -std=gnu11 $(CFLAGS) $(STRICT) -Icapi -Iexamples/c \
	    $(filter %.c,$^) -o $@ $(LINK)

$(BUILD)/hello: examples/c/hello.c capi/aimdb.h $(LIB)
	$(CC) -std=c11 $(CFLAGS) $(STRICT) -Icapi $< -o $@ $(LINK)

$(STATICCHECK): | need-lib
	GOBIN=$(abspath $(@D)) go install honnef.co/go/tools/cmd/staticcheck@v0.8.2

lint: $(STATICCHECK) lint-python ## gofmt, go vet, staticcheck; ruff, mypy
	@unformatted=$$(gofmt -l capi core tests); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...

header: | need-header ## aimdb.h as C99, C11 and C++17
	for std in c99 c11; do gcc -std=$$std $(STRICT) -Icapi -fsyntax-only tests/header/header.c || exit 1; done
	g++ -std=c++17 $(STRICT) -Icapi -fsyntax-only -x c++ tests/header/header.c

symbols: $(LIB) ## what the library exports
	tools/symbols.sh $(LIB)

test-tools: | need-test-tools ## what installs what a target needs
	tests/tools/need.sh

test-go: | need-lib ## the Go packages
	go test ./core/...

test-race: | need-lib ## the Go packages under the race detector, at the end in a crowd; 45 s
	go test -race -tags aimdb_poison ./core/...
	go test -race -tags aimdb_poison -c -o $(BUILD)/core-race.test ./core
	tools/crowded.sh 6 $(BUILD)/core-race.test -test.run Beside -test.count 4

# CMake builds and runs what is written in C.
test-c: lib static | need-test-c ## the C tests, by CMake and CTest; 2 minutes
	cmake -S . -B $(BUILD)/cmake -DCMAKE_BUILD_TYPE=RelWithDebInfo -DAIMDB_BUILT=$(abspath $(BUILD))
	cmake --build $(BUILD)/cmake -j 2
	ctest --test-dir $(BUILD)/cmake --output-on-failure -j 2

$(BUILD)/conformance: $(wildcard tests/conformance/*.[ch]) capi/aimdb.h $(LIB)
	$(CC) -std=gnu11 $(CFLAGS) $(STRICT) -Icapi $(filter %.c,$^) -o $@ $(LINK)

$(FAULTS:%=$(BUILD)/faults/%/libaimdb.so): $(BUILD)/faults/%/libaimdb.so: $(SOURCES)
	tools/build-lib.sh $(@D) -tags $*

test-short: $(BUILD)/conformance $(BUILD)/random ## a part of the rules' columns, and a few random calls; 30 s
	tests/conformance/columns.sh --two $(BUILD)/conformance
	tests/random/run.sh $(BUILD)/random 2 $(RANDOM_PROFILES)

test-faults: $(BUILD)/conformance $(FAULTS:%=$(BUILD)/faults/%/libaimdb.so) ## planted faults must be found; 90 s
	tests/conformance/faults.sh

test-harness: lib $(BUILD)/faults/fault_panic/libaimdb.so ## every function and status, from another Go runtime
	AIMDB_LIBRARY=$(abspath $(BUILD))/libaimdb.so.0 go test ./tests/harness

lib-asan lib-tsan: lib-%: ## build/asan, build/tsan: the library, its C side under a sanitizer
	tools/build-sanitized.sh $* $(BUILD)/$*

lib-named: ## build/named: the library with the names of its functions, for gdb and perf
	AIMDB_GO_LDFLAGS= tools/build-lib.sh $(BUILD)/named

lib-valgrind: ## build/valgrind: likewise, and tells valgrind of Go's stacks
	AIMDB_GO_LDFLAGS= tools/build-lib.sh $(BUILD)/valgrind -tags valgrind

test-asan: lib ## the C tests under AddressSanitizer; 70 s
	tests/c/sanitize.sh asan

test-tsan: lib ## the C tests under ThreadSanitizer; 15 s
	tests/c/sanitize.sh tsan

include tests/door/door.mk tests/random/random.mk bench/bench.mk bindings/python/python.mk tests/inject/inject.mk

coverage: | need-coverage ## what of capi and core the tests run, and why not the rest; 15 minutes
	tests/coverage/run.sh

soak: ## the race detector and the fuzzers, for long
	go test -race -count 20 -timeout 60m ./core/...
	for f in Ring Latest Mailbox; do go test -run '^$$' -fuzz "^Fuzz$$f$$" -fuzztime 5m ./core/buffers || exit 1; done

clean: ## remove build/
	rm -rf $(BUILD)

include tools/abi.mk tools/cpp.mk tools/cross.mk tools/install.mk tools/docs.mk tools/deb.mk tools/musl.mk
