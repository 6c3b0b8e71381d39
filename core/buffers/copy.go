// SPDX-License-Identifier: Apache-2.0

//go:build !race

package buffers

import (
	"sync/atomic"
	"unsafe"
)

// memmove is the runtime's: it needs no stack, and may tear a value that is
// being written, which the readers' second look at tail finds out.
//
//go:noescape
//go:linkname memmove runtime.memmove
func memmove(dst, src unsafe.Pointer, n uintptr)

//go:nosplit
func copyToSlot(slot, src unsafe.Pointer, n uintptr) { memmove(slot, src, n) }

//go:nosplit
func copyFromSlot(dst, slot unsafe.Pointer, n uintptr) { memmove(dst, slot, n) }

// Copy copies what no producer writes meanwhile.
//
//go:nosplit
func Copy(dst, src unsafe.Pointer, n uintptr) { memmove(dst, src, n) }

// storeSize is a plain store of an aligned word: published by tail like the
// payload. Sizes on 32-bit machines fit its lower half, so it is not torn.
//
//go:nosplit
func storeSize(slot unsafe.Pointer, size uint64) { *(*uint64)(slot) = size }

//go:nosplit
func loadSize(slot unsafe.Pointer) uint64 { return atomic.LoadUint64((*uint64)(slot)) }
