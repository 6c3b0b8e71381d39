/* SPDX-License-Identifier: Apache-2.0
 *
 * What tools/build-lib.sh makes of names inside Go's objects, so that the library
 * decides when Go starts and what it does to the process. Weak: cgo looks at the
 * objects of C before there are those of Go. */
#ifndef AIMDB_GO_H
#define AIMDB_GO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Go's entry, _rt0_ARCH_linux_lib, taken out of the constructors. */
void aimdb__go_entry(int argc, char **argv) __attribute__((weak));

/* runtime.sigtable: what Go does about each signal. */
enum { GO_SIGNALS = 65, GO_SIGNAL_FLAGS = 0xfff };
struct go_signal {
    int32_t flags;
    const char *name;
    intptr_t length;
};
extern struct go_signal aimdb__go_signals[GO_SIGNALS] __attribute__((weak));

/* runtime.scavenger: the beginning of what Go 1.25 and 1.26 know of the goroutine that
 * gives memory back bit by bit (mgcscavenge.go). */
struct go_scavenger {
    uintptr_t lock;
    const void *goroutine, *timer;
    uint32_t wanted;
    bool parked;
};
extern struct go_scavenger aimdb__go_scavenger __attribute__((weak));

/* What cgo calls in place of pthread's functions, and malloc and free. */
int aimdb__go_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                     void *argument);
int aimdb__go_stack(const pthread_attr_t *attributes, size_t *size);
void *aimdb__go_malloc(size_t size);
void aimdb__go_free(void *memory);
int aimdb__go_key(pthread_key_t *key, void (*destructor)(void *));

#endif
