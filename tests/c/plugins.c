// SPDX-License-Identifier: Apache-2.0
//
// Plugins that libaimdb.a is in are loaded, used and closed again, also when a
// constructor makes the first call, and by threads that come and go. AIMDB_PLUGINS:
// where plugin_a.so, plugin_b.so and plugin_constructor.so lie.

#define _GNU_SOURCE
#include <dlfcn.h>

#include "parts.h"

static void path_of(char *path, const char *name) {
    snprintf(path, 4096, "%s/plugin_%s.so", getenv("AIMDB_PLUGINS"), name);
}

static void *load_use_and_close(void *name) {
    char path[4096];
    path_of(path, name);
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!plugin) fprintf(stderr, "%s\n", dlerror());
    REQUIRE(plugin);
    int (*run)(int);
    *(void **)&run = dlsym(plugin, "plugin_run");
    REQUIRE(run && run(100) == 100);
    REQUIRE(dlclose(plugin) == 0);
    return NULL;
}

static int closed_and_loaded_again(void) {
    for (int i = 0; i < 3; i++) {
        load_use_and_close("a");
        load_use_and_close("b");
    }
    usleep(100000); /* their threads would touch what is gone */
    return 0;
}

static int by_threads_that_end(void) {
    for (int i = 0; i < 6; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, load_use_and_close, i % 2 ? "a" : "b") == 0);
        pthread_join(thread, NULL);
    }
    usleep(100000);
    return 0;
}

static int the_first_call_in_a_constructor(void) {
    for (int i = 0; i < 3; i++) load_use_and_close("constructor");
    return 0;
}

static int closed_without_a_call(void) {
    char path[4096];
    path_of(path, "a");
    for (int i = 0; i < 3; i++) {
        void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        REQUIRE(plugin && dlclose(plugin) == 0);
    }
    REQUIRE(!dlopen(path, RTLD_NOW | RTLD_NOLOAD)); /* nothing keeps it */
    return 0;
}

int main(int argc, char **argv) {
    static const struct part parts[] = {
        PART(closed_and_loaded_again, 0),
        PART(by_threads_that_end, 0),
        PART(the_first_call_in_a_constructor, 0),
        PART(closed_without_a_call, 0),
    };
    if (!getenv("AIMDB_PLUGINS")) return puts("AIMDB_PLUGINS is not set"), 1;
    return RUN_PARTS(argc, argv, parts);
}
