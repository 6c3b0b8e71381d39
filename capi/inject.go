// SPDX-License-Identifier: Apache-2.0

//go:build aimdb_inject

package main

// #cgo CFLAGS: -DAIMDB_INJECT
// #include "side.h"
//
// static int32_t fails(int32_t kind) {
//     static const char *const where[INJECT_KINDS] = {
//         "", "mmap in core", "", "eventfd in core", "futex in core", "futex in core"};
//     return inject_fails(kind, where[kind]);
// }
import "C"

import (
	"syscall"

	"github.com/aimdb-dev/aimdb-go/core/inject"
)

// Calls of core are counted in C, with the others. Assigned before any init: the
// one beside this asks for priority inheritance.
var _ = func() struct{} {
	inject.Fails = func(kind inject.Kind) (syscall.Errno, bool) {
		fails := C.fails(C.int32_t(kind))
		return syscall.Errno(max(fails, 1) - 1), fails != 0
	}
	inject.Took = func(kind inject.Kind, more int) { C.inject_took(C.int32_t(kind), C.int32_t(more)) }
	return struct{}{}
}()
