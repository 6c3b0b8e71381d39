/* SPDX-License-Identifier: Apache-2.0
 *
 * The first call when the system gives no threads. Prints its status. The library
 * under test is the one named. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "aimdb.h"

int main(int argc, char **argv) {
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    aimdb_status_t (*create)(const aimdb_config_t *, aimdb_t **);
    *(void **)&create = dlsym(library, "aimdb_create");
    struct rlimit none;
    getrlimit(RLIMIT_NPROC, &none);
    none.rlim_cur = 1;
    if (getuid() == 0 && setresuid(65533, 65533, 65533) != 0) return 2; /* root is under no limit */
    if (setrlimit(RLIMIT_NPROC, &none) != 0) return 2;
    aimdb_t *db;
    printf("%d\n", (int)create(NULL, &db));
    return 0;
}
