// SPDX-License-Identifier: Apache-2.0

// Package inject is where tests make system calls of core fail on purpose. In
// builds without the tag aimdb_inject nothing fails, and nothing of this is left
// after compiling. Calls of Go's own runtime don't come here: most failures of
// theirs end the process by design.
package inject

// A Kind is a kind of call that may fail. Its twin is inject_kind_t of
// capi/inject.h.
type Kind int32

const (
	Memory     Kind = iota // malloc, calloc (C only)
	Map                    // mmap
	Thread                 // pthread_create and what prepares it (C only)
	Descriptor             // eventfd
	Sleep                  // a wait on a futex
	Lock                   // taking a futex with priority inheritance
)
