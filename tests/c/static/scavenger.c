/* SPDX-License-Identifier: Apache-2.0
 *
 * Linked with libaimdb.a, in which Go's scavenger can be looked at: after the first
 * call it is what capi/go.h says, and waits for nothing that could wake it. What it
 * does otherwise needs a busy machine and luck to be seen (tests/c/host.c looks). */
#include "aimdb.h"
#include "go.h"

#include <stdio.h>

int main(void)
{
    aimdb_t *db;
    if (aimdb_create(NULL, &db) != AIMDB_OK) return 1;
    const struct go_scavenger *s = &aimdb__go_scavenger;
    if (!s->goroutine || !s->timer) {
        puts("Go's scavenger is not what capi/go.h says");
        return 1;
    }
    if (s->parked) {
        puts("Go's scavenger can be woken: it opens Go's poller");
        return 1;
    }
    return aimdb_destroy(db) != AIMDB_OK;
}
