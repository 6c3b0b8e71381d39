/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}
struct limits {
    double low, high;
};

int main(void) {
    const struct limits given = {10, 30};
    struct limits now;
    aimdb_t *db;
    aimdb_record_t *record, *same;
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    aimdb_record_info_t info = {.struct_size = sizeof info};
    aimdb_record_config_t config = AIMDB_RECORD_CONFIG_INIT;
    config.buffer = AIMDB_LATEST, config.type_name = "limits";
    config.payload_max = config.exact_size = sizeof(struct limits);
    check(aimdb_create(NULL, &db));
    check(aimdb_register(db, "config.limits", &config, &record));
    check(aimdb_start(db));
    check(aimdb_produce(record, &given, sizeof given));

    /* Elsewhere in the program, which knows the key and the type: */
    check(aimdb_open(db, "config.limits", "limits", sizeof(struct limits), &same));
    check(aimdb_record_info(same, &info));
    check(aimdb_peek(same, &now, sizeof now, &message));
    printf("%s: %.0f to %.0f\n", info.key, now.low, now.high);

    check(aimdb_close(db, AIMDB_SECOND));
    check(aimdb_destroy(db));
    return 0;
}

/* Prints:
config.limits: 10 to 30
*/
