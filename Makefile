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

.PHONY: help lib demo test lint header symbols test-go test-race test-faults test-harness test-c \
        lib-asan lib-tsan lib-named lib-valgrind test-asan test-tsan coverage soak clean toolchain

help: ## what there is
	@sed -n 's/^\([a-z0-9 -]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 26

lib: $(LIB) ## build/libaimdb.so

demo: $(BUILD)/gateway ## the gateway on this machine's own figures: 10 s at 1 kHz
	$(BUILD)/gateway --seconds 10 --rate 1000 --require-lag

TESTS := lint header abi test-go test-race test-door test-collection test-c test-cpp test-install test-docs test-faults \
         test-harness test-random test-faultinjection test-asan test-tsan test-python test-wheel test-musl \
         test-cross

test: $(TESTS) ## everything
	@echo "all tests passed"

toolchain:
	@tools/need.sh go=golang gcc=gcc

$(LIB): $(SOURCES) | toolchain
	tools/build-lib.sh $(BUILD)

$(BUILD)/gateway: $(wildcard examples/c/gateway.c examples/c/gateway/*) capi/aimdb.h $(LIB)
	$(CC) -std=gnu11 $(CFLAGS) $(STRICT) -Icapi -Iexamples/c \
	    $(filter %.c,$^) -o $@ $(LINK)

$(BUILD)/hello: examples/c/hello.c capi/aimdb.h $(LIB)
	$(CC) -std=c11 $(CFLAGS) $(STRICT) -Icapi $< -o $@ $(LINK)

$(STATICCHECK):
	GOBIN=$(abspath $(@D)) go install honnef.co/go/tools/cmd/staticcheck@v0.8.2

lint: $(STATICCHECK) ## gofmt, go vet, staticcheck
	@tools/need.sh gcc=gcc
	@unformatted=$$(gofmt -l capi core tests); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...

header: ## aimdb.h as C99, C11 and C++17
	@tools/need.sh gcc=gcc g++=g++
	for std in c99 c11; do gcc -std=$$std $(STRICT) -Icapi -fsyntax-only tests/header/header.c || exit 1; done
	g++ -std=c++17 $(STRICT) -Icapi -fsyntax-only -x c++ tests/header/header.c

symbols: $(LIB) ## what the library exports
	@tools/need.sh nm=binutils
	tools/symbols.sh $(LIB)

test-go: ## the Go packages
	go test ./core/...

test-race: ## the Go packages under the race detector
	go test -race -tags aimdb_poison ./core/...

# CMake builds and runs what is written in C.
test-c: lib ## the C tests, by CMake and CTest
	@tools/need.sh cmake=cmake gcc=gcc g++=g++ python3=python3
	cmake -S . -B $(BUILD)/cmake -DCMAKE_BUILD_TYPE=RelWithDebInfo
	cmake --build $(BUILD)/cmake -j 2
	ctest --test-dir $(BUILD)/cmake --output-on-failure -j 2

$(BUILD)/conformance: $(wildcard tests/conformance/*.[ch]) capi/aimdb.h $(LIB)
	$(CC) -std=gnu11 $(CFLAGS) $(STRICT) -Icapi $(filter %.c,$^) -o $@ $(LINK)

$(FAULTS:%=$(BUILD)/faults/%/libaimdb.so): $(BUILD)/faults/%/libaimdb.so: $(SOURCES)
	tools/build-lib.sh $(@D) -tags $*

test-faults: $(BUILD)/conformance $(FAULTS:%=$(BUILD)/faults/%/libaimdb.so) ## planted faults must be found
	tests/conformance/faults.sh

test-harness: lib $(BUILD)/faults/fault_panic/libaimdb.so ## every function and status, from another Go runtime
	AIMDB_LIBRARY=$(abspath $(BUILD))/libaimdb.so.0 go test ./tests/harness

lib-asan lib-tsan: lib-%: ## build/asan, build/tsan: the library, its C side under a sanitizer
	tools/build-sanitized.sh $* $(BUILD)/$*

lib-named: ## build/named: the library with the names of its functions, for gdb and perf
	AIMDB_GO_LDFLAGS= tools/build-lib.sh $(BUILD)/named

lib-valgrind: ## build/valgrind: likewise, and tells valgrind of Go's stacks
	AIMDB_GO_LDFLAGS= tools/build-lib.sh $(BUILD)/valgrind -tags valgrind

test-asan: lib ## the C tests under AddressSanitizer
	tests/c/sanitize.sh asan

test-tsan: lib ## the C tests under ThreadSanitizer
	tests/c/sanitize.sh tsan

include tests/door/door.mk tests/random/random.mk bench/bench.mk bindings/python/python.mk tests/inject/inject.mk

coverage: ## what of capi and core the tests run, and why not the rest
	@tools/need.sh go=golang gcc=gcc gcov=gcc
	tests/coverage/run.sh

soak: ## the race detector and the fuzzers, for long
	go test -race -count 20 -timeout 60m ./core/...
	for f in Ring Latest Mailbox; do go test -run '^$$' -fuzz "^Fuzz$$f$$" -fuzztime 5m ./core/buffers || exit 1; done

clean: ## remove build/
	rm -rf $(BUILD)

include tools/abi.mk tools/cpp.mk tools/cross.mk tools/install.mk tools/docs.mk tools/deb.mk tools/musl.mk
