// SPDX-License-Identifier: Apache-2.0

/* Structs that programs with another version of the header pass. */

#include <string.h>

#include "side.h"

enum { LARGEST = 4096, SMALLEST = 2 * sizeof(size_t) };

static size_t size_of(const void *given) {
    size_t size;
    memcpy(&size, given, sizeof size);
    return size;
}

static aimdb_status_t bad_size(const char *name, size_t size) {
    return side_fail(AIMDB_ERR_VERSION, "%s.struct_size: %zu is no size of a version this library serves",
                     name, size);
}

/* Reads a configuration over the defaults in `known`. A smaller struct is an
 * older one; a larger is served if all that is unknown is zero. */
aimdb_status_t side_read(void *known, size_t known_size, const void *given, const char *name) {
    size_t size = size_of(given);
    if (size < SMALLEST || size > LARGEST || size % sizeof(size_t)) return bad_size(name, size);
    const unsigned char *bytes = given;
    for (size_t i = known_size; i < size; i++)
        if (bytes[i])
            return side_fail(AIMDB_ERR_VERSION,
                             "%s.struct_size: byte %zu, unknown to this library, is not zero", name, i);
    memcpy(known, given, size < known_size ? size : known_size);
    return AIMDB_OK;
}

/* Tests the struct_size of an output struct: at least what the first version
 * had. */
aimdb_status_t side_check(const void *out, size_t first_size, const char *name) {
    size_t size = size_of(out);
    if (size < first_size || size > LARGEST || size % sizeof(uint32_t)) return bad_size(name, size);
    return AIMDB_OK;
}

/* Writes an output struct, with zeroes for what this library doesn't know. */
void side_write(void *given, const void *known, size_t known_size) {
    size_t size = size_of(given);
    char *bytes = given;
    size_t common = size < known_size ? size : known_size;
    memcpy(bytes + sizeof size, (const char *)known + sizeof size, common - sizeof size);
    if (size > known_size) memset(bytes + known_size, 0, size - known_size);
}
