// SPDX-License-Identifier: Apache-2.0

//go:build aimdb_inject

package inject

import "syscall"

// Who counts, set by capi while the library starts: see [Fails] and [Took] of
// the other builds.
var (
	Fails = func(Kind) (errno syscall.Errno, fails bool) { return 0, false }
	Took  = func(Kind, int) {}
)
