// SPDX-License-Identifier: Apache-2.0
//
// A process that does nothing but say its own resident memory, in KiB: what
// rss_idle is measured against.

#include "common.h"

#include <stdio.h>

int main(void) {
    printf("%lu\n", (unsigned long)resident());
    return 0;
}
