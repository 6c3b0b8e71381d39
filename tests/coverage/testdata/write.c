// SPDX-License-Identifier: Apache-2.0

/* The counters of the Go side are written when a program ends, as gcov writes
 * those of the C side. Go does not have the program's environment. */

#include <stdlib.h>

#include "_cgo_export.h"
#include "side.h"

__attribute__((destructor)) static void write_coverage(void) {
    char *directory = getenv("GOCOVERDIR");
    if (directory && side_go_runs && !side_forked()) goWriteCoverage(directory);
}
