# SPDX-License-Identifier: Apache-2.0
#
# Random calls over the whole of aimdb.h: included by the Makefile.

RANDOM_PROFILES := default lifecycle descriptors shared mailbox pipeline

.PHONY: test-random soak-random test-random-faults

$(BUILD)/random: $(wildcard tests/random/*.[ch]) capi/aimdb.h $(LIB)
	$(CC) -std=gnu11 $(CFLAGS) $(STRICT) -Icapi $(filter %.c,$^) -o $@ $(LINK)

test-random: $(BUILD)/random ## a minute of random calls, both doors, seeds that are printed
	tests/random/run.sh $(BUILD)/random 5 $(RANDOM_PROFILES)

# Under AddressSanitizer too.
soak-random: $(BUILD)/random ## random calls for long: HOURS=1
	tests/random/soak.sh $(BUILD) $(or $(HOURS),1) $(RANDOM_PROFILES)

test-random-faults: $(BUILD)/random $(FAULTS:%=$(BUILD)/faults/%/libaimdb.so) ## random calls must find the planted faults
	tests/random/faults.sh $(BUILD)
