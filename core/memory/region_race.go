// SPDX-License-Identifier: Apache-2.0

//go:build race

package memory

import (
	"sync"
	"unsafe"
)

// The race detector sees the Go heap only, so regions lie there in its builds.
// The map keeps them alive: their users know addresses, not pointers.
var heap struct {
	sync.Mutex
	regions map[uintptr][]uint64
}

func reserve(size uintptr) (uintptr, error) { return take(size) }

func commit(_, _ uintptr) error { return nil }

func take(size uintptr) (uintptr, error) {
	const largest = 1 << 30
	if size > largest {
		return 0, ErrNoMemory
	}
	words := make([]uint64, (size+63)/8+8)
	base := uintptr(unsafe.Pointer(unsafe.SliceData(words)))
	aligned := (base + 63) &^ 63
	heap.Lock()
	defer heap.Unlock()
	if heap.regions == nil {
		heap.regions = make(map[uintptr][]uint64)
	}
	heap.regions[aligned] = words
	return aligned, nil
}

func release(base, _ uintptr) {
	heap.Lock()
	defer heap.Unlock()
	delete(heap.regions, base)
}
