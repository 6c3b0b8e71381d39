/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <stdio.h>
#include <stdlib.h>

static void check(aimdb_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s\n", aimdb_strerror(status), aimdb_last_error());
    exit(1);
}

/* Log lines go where the program's own go; any thread may be the one that logs. */
static void log_line(aimdb_log_level_t level, const char *text, void *user) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    if (level <= AIMDB_LOG_DEBUG) fprintf((FILE *)user, "<%s> %s\n", names[level], text);
}

static void log_ended(void *user) { fputs("the log is not used any more\n", (FILE *)user); }

int main(void) {
    aimdb_t *db;
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    config.log = log_line, config.log_level = AIMDB_LOG_WARNING;
    config.user = stdout, config.free = log_ended;
    check(aimdb_create(&config, &db));
    check(aimdb_start(db));
    check(aimdb_close(db, AIMDB_SECOND));
    check(aimdb_destroy(db));
    return 0;
}

/* Prints:
the log is not used any more
*/
