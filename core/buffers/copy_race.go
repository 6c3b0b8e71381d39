// SPDX-License-Identifier: Apache-2.0

//go:build race

package buffers

import (
	"sync/atomic"
	"unsafe"
)

// Under the race detector slots are copied by atomic words, because a reader
// may look at a slot that is being written (and then drops what it saw). The
// caller's side is copied plainly: a race there is the caller's, and found.
// Slots are padded to whole words.

func copyToSlot(slot, src unsafe.Pointer, n uintptr) {
	for i := uintptr(0); i < n; i += 8 {
		var word [8]byte
		copy(word[:], unsafe.Slice((*byte)(unsafe.Add(src, i)), min(8, n-i)))
		atomic.StoreUint64((*uint64)(unsafe.Add(slot, i)), *(*uint64)(unsafe.Pointer(&word)))
	}
}

func copyFromSlot(dst, slot unsafe.Pointer, n uintptr) {
	for i := uintptr(0); i < n; i += 8 {
		word := atomic.LoadUint64((*uint64)(unsafe.Add(slot, i)))
		copy(unsafe.Slice((*byte)(unsafe.Add(dst, i)), min(8, n-i)), (*[8]byte)(unsafe.Pointer(&word))[:])
	}
}

// Copy copies what no producer writes meanwhile.
func Copy(dst, src unsafe.Pointer, n uintptr) {
	copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n))
}

func storeSize(slot unsafe.Pointer, size uint64) { atomic.StoreUint64((*uint64)(slot), size) }

func loadSize(slot unsafe.Pointer) uint64 { return atomic.LoadUint64((*uint64)(slot)) }
