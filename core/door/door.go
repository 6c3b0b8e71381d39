// SPDX-License-Identifier: Apache-2.0

// Package door leads from C into core's steps.
//
// Go code is entered from C by cgo, which takes a g and a P from the scheduler
// and gives them back: 40 ns when they are at hand, 10 to 20 µs and several
// thread switches when the process was idle for a millisecond. The steps need
// neither: they use no stack to speak of, allocate nothing, and cannot panic.
// So on amd64 and arm64 a stub turns C's calling convention into Go's and calls
// the step on the C stack, without a g. This is the direct door; docs/door.md
// says why it is sound, what would break it, and how a Go upgrade is checked.
//
// The stubs are here, not in capi, because a package with cgo can't have Go
// assembly.
package door

import "github.com/aimdb-dev/aimdb-go/core"

// Entries are the addresses of the steps as C functions, void (*)(step_t *),
// by [core.Op]; all 0 where there is no direct door.
type Entries [core.Ops]uintptr

// Direct reports whether there is a direct door.
func (e Entries) Direct() bool { return e[0] != 0 }
