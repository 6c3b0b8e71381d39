# SPDX-License-Identifier: Apache-2.0
#
# The library for other machines, with Debian's cross compilers:
#   make cross ARCH=arm64       build/cross/arm64/libaimdb.so and .a
#   make test-cross             runs the tests for ARCH under qemu; without ARCH,
#                               for a 64-bit and a 32-bit one

CROSS_ARCHS := arm64 armhf riscv64
TESTED      := arm64 armhf

triplet_arm64   := aarch64-linux-gnu
triplet_armhf   := arm-linux-gnueabihf
triplet_riscv64 := riscv64-linux-gnu
qemu_arm64      := qemu-aarch64
qemu_armhf      := qemu-arm
qemu_riscv64    := qemu-riscv64

.PHONY: cross test-cross $(CROSS_ARCHS:%=cross-%) $(CROSS_ARCHS:%=test-cross-%)

cross: $(addprefix cross-,$(or $(ARCH),$(CROSS_ARCHS))) ## ARCH=arm64|armhf|riscv64: the library for it

test-cross: ## the tests for other machines, under qemu; 135 s
	+@$(MAKE) --no-print-directory -j 2 $(addprefix test-cross-,$(or $(ARCH),$(TESTED)))

# For one machine, $(1).
define machine
cross-$(1): $(BUILD)/cross/$(1)/libaimdb.so $(BUILD)/cross/$(1)/libaimdb.a

NEED_cross-$(1)      := go=golang $(triplet_$(1))-gcc=gcc-$(triplet_$(1)) $(triplet_$(1))-g++=g++-$(triplet_$(1))
NEED_test-cross-$(1) := $(qemu_$(1))=qemu-user

$(BUILD)/cross/$(1)/libaimdb.so: $(SOURCES) | need-cross-$(1)
	CC=$(triplet_$(1))-gcc tools/build-lib.sh $$(@D)

$(BUILD)/cross/$(1)/libaimdb.a: $(SOURCES) capi/symbols.txt | need-cross-$(1)
	CC=$(triplet_$(1))-gcc KIND=static tools/build-lib.sh $$(@D)

test-cross-$(1): cross-$(1) | need-test-cross-$(1)
	tests/cross.sh $(triplet_$(1)) $(qemu_$(1)) $(BUILD)/cross/$(1)
endef
$(foreach a,$(CROSS_ARCHS),$(eval $(call machine,$(a))))
NEED_test-cross := $(foreach a,$(or $(ARCH),$(TESTED)),$(NEED_cross-$(a)) $(NEED_test-cross-$(a)))
