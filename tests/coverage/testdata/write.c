// SPDX-License-Identifier: Apache-2.0

/* The counters of the Go side are written when a program ends, as gcov writes
 * those of the C side. */

#include "_cgo_export.h"
#include "side.h"

__attribute__((destructor)) static void write_coverage(void) {
    if (!side_forked()) goWriteCoverage();
}
