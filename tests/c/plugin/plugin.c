// SPDX-License-Identifier: Apache-2.0
//
// A plugin with a copy of the library in it (libaimdb.a): tests/c/plugins.c loads it.

#include <aimdb.h>
#include <stdatomic.h>

static int count(aimdb_emitter_t *emitter, const aimdb_message_t *m, void *user) {
    (void)emitter, (void)m;
    atomic_fetch_add((_Atomic int *)user, 1);
    return 0;
}

/* How many of the values were delivered. */
__attribute__((visibility("default"))) int plugin_run(int values) {
    _Atomic int delivered = 0;
    aimdb_t *db;
    aimdb_record_t *r;
    aimdb_consumer_config_t config = AIMDB_CONSUMER_CONFIG_INIT;
    config.fn = count;
    config.user = &delivered;
    if (aimdb_create(NULL, &db) || aimdb_register(db, "r", NULL, &r)) return -1;
    if (aimdb_subscribe(r, &config, NULL) || aimdb_start(db)) return -2;
    for (int i = 0; i < values; i++)
        if (aimdb_produce(r, &i, sizeof i)) return -3;
    if (aimdb_close(db, AIMDB_FOREVER) || aimdb_destroy(db)) return -4;
    return delivered;
}

#ifdef IN_CONSTRUCTOR
__attribute__((constructor)) static void first_call(void) { plugin_run(1); }
#endif
