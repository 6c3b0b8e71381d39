# SPDX-License-Identifier: Apache-2.0
#
# make bench       this library and its rivals in one run; bench/README.md
#   ROUNDS=5       how often each system runs each scenario
#   SCENARIOS=     only these, such as "wake_* lossless_64"
#   SYSTEMS=       only these, such as "aimdb zeromq"
# make bench-go    the Go packages' own benchmarks

BENCH        := $(BUILD)/bench
BENCH_C      := bench/common.c bench/common.h bench/scenarios.h
BENCH_CC      = $(CC) -std=gnu11 $(CFLAGS) $(STRICT) -Ibench $(filter %.c,$^)
BENCH_OURS   := $(addprefix $(BENCH)/,nothing aimdb c-ring c-ring-locked condvar)
BENCH_RIVALS := zeromq nng tokio iceoryx2

.PHONY: bench bench-rivals bench-figures bench-go

bench: $(BENCH_OURS) bench-rivals bench-python-programs $(BENCH)/venv ## this library and its rivals, about 20 minutes
	$(BENCH)/venv/bin/python -B bench/run.py --programs $(BENCH) --rounds $(or $(ROUNDS),5) \
	    --scenarios "$(SCENARIOS)" --systems "$(SYSTEMS)"

bench-figures: $(BENCH)/venv ## tables and figures again, from bench/results.json
	$(BENCH)/venv/bin/python -B bench/report.py

bench-go: ## the Go packages' own benchmarks
	go test -run '^$$' -bench . -benchmem ./core/...

# A rival that can't be built here is said and left out.
bench-rivals:
	@mkdir -p $(BENCH)
	@for rival in $(BENCH_RIVALS); do \
	    $(MAKE) --no-print-directory $(BENCH)/$$rival >$(BENCH)/$$rival.log 2>&1 || { \
	        rm -f $(BENCH)/$$rival; \
	        echo "bench: without $$rival: $$(grep -m 1 -E 'missing|rror' $(BENCH)/$$rival.log || tail -n 1 $(BENCH)/$$rival.log)"; }; \
	done

$(BENCH)/nothing: bench/nothing.c $(BENCH_C)
	@mkdir -p $(@D)
	$(BENCH_CC) -o $@ -lpthread

$(BENCH)/aimdb: bench/aimdb.c $(BENCH_C) capi/aimdb.h $(LIB)
	@mkdir -p $(@D)
	$(BENCH_CC) -Icapi -o $@ -L$(BUILD) -laimdb -Wl,-rpath,'$$ORIGIN/..' -lpthread

$(BENCH)/c-ring: bench/cring.c $(BENCH_C)
	@mkdir -p $(@D)
	$(BENCH_CC) -o $@ -lpthread

$(BENCH)/c-ring-locked: bench/cring.c $(BENCH_C)
	@mkdir -p $(@D)
	$(BENCH_CC) -DLOCKED -o $@ -lpthread

$(BENCH)/condvar: bench/condvar.c $(BENCH_C)
	@mkdir -p $(@D)
	$(BENCH_CC) -o $@ -lpthread

$(BENCH)/zeromq: bench/zeromq.c $(BENCH_C)
	@tools/need.sh header:zmq.h=libzmq3-dev
	$(BENCH_CC) -o $@ -lzmq -lpthread

$(BENCH)/nng: bench/nng.c $(BENCH_C)
	@tools/need.sh header:nng/nng.h=libnng-dev
	$(BENCH_CC) -o $@ -lnng -lpthread

$(BENCH)/cargo/release/lib%_rival.a: bench/%/Cargo.toml bench/%/Cargo.lock bench/%/src/lib.rs
	@tools/need.sh cargo=cargo
	cargo build --release --locked --manifest-path $< --target-dir $(BENCH)/cargo
	@touch $@

$(BENCH)/tokio $(BENCH)/iceoryx2: $(BENCH)/%: bench/rust.c $(BENCH_C) $(BENCH)/cargo/release/lib%_rival.a
	$(BENCH_CC) -DBENCH_VERSION="\"$$(sed -n '/^name = "$*"/{n;s/version = "\(.*\)"/\1/p}' bench/$*/Cargo.lock)\"" \
	    -o $@ $(filter %.a,$^) -lpthread -lm -ldl

$(BENCH)/venv: bench/requirements.txt | need-python
	python3 -m venv --clear $@
	$@/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@
