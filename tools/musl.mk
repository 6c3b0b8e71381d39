# SPDX-License-Identifier: Apache-2.0
#
# make musl: the static library for programs linked with musl. docs/musl.md says
# what works there.

MUSL := $(BUILD)/musl

NEED_test-musl := musl-gcc=musl-tools

.PHONY: musl test-musl

musl: $(MUSL)/libaimdb.a ## build/musl/libaimdb.a, for musl

# Debian's musl has no headers of the kernel: those of the machine's own libc do.
$(MUSL)/include: | need-lib need-test-musl
	mkdir -p $@
	ln -sfn /usr/include/linux /usr/include/asm-generic /usr/include/$$(gcc -print-multiarch)/asm $@

$(MUSL)/libaimdb.a: $(SOURCES) capi/symbols.txt | $(MUSL)/include
	CC=musl-gcc CGO_CFLAGS="-O2 -idirafter $(abspath $(MUSL))/include" KIND=static tools/build-lib.sh $(MUSL)

test-musl: musl ## the conformance suite as a static musl program; 30 s
	musl-gcc -std=c11 $(STRICT) -static -Icapi examples/c/hello.c -o $(MUSL)/hello $(MUSL)/libaimdb.a
	musl-gcc -std=c11 $(STRICT) -Icapi examples/c/hello.c -o $(MUSL)/hello_dynamic $(MUSL)/libaimdb.a
	$(MUSL)/hello with arguments > $(MUSL)/log
	env -i $(MUSL)/hello_dynamic | diff $(MUSL)/log -
	musl-gcc -std=gnu11 -O2 -static -Icapi -idirafter $(MUSL)/include tests/conformance/*.c -o $(MUSL)/conformance $(MUSL)/libaimdb.a
	$(MUSL)/conformance > $(MUSL)/log || { cat $(MUSL)/log; exit 1; }
	@tail -n 1 $(MUSL)/log
