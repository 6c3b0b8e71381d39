// SPDX-License-Identifier: Apache-2.0

//go:build !aimdb_inject

package inject

import "syscall"

// Fails asks whether a call is to fail in the place of being made, and with
// what. 0 is a return without cause, as of a sleep.
func Fails(Kind) (errno syscall.Errno, fails bool) { return 0, false }

// Took tells that so many more of a kind are held, or with a negative number
// given back.
func Took(Kind, int) {}
