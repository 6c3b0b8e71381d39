/* SPDX-License-Identifier: Apache-2.0 */
#include <aimdb.h>
#include <stdio.h>

int main(void) {
    aimdb_t *db;
    aimdb_record_t *record;
    if (aimdb_abi_version() != AIMDB_ABI_VERSION) {
        fprintf(stderr, "compiled for another library than %s\n", aimdb_version());
        return 1;
    }
    if (aimdb_create(NULL, &db) != AIMDB_OK) return 1;
    aimdb_status_t status = aimdb_register(db, "no spaces", NULL, &record);
    if (status < 0) printf("%s\n", aimdb_strerror(status)); /* the kind of error */
    if (status < 0) fprintf(stderr, "%s\n", aimdb_last_error()); /* which argument, which rule */
    return aimdb_destroy(db) != AIMDB_OK;
}

/* Prints:
bad key
*/
