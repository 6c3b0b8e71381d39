// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"sync"
	"sync/atomic"
)

// An Arena is a table of control blocks of one size that does not move and is
// never given back, so that a thread which comes late finds a block of the
// same kind, perhaps another's, and never a hole. What tells it whether the
// block is still the one it means is a generation in the block, compared
// under the block's lock.
//
// Blocks are reused. Their words keep the values they had: the user resets
// those of them that no late thread can touch.
type Arena struct {
	Shift  uint   // log2 of the size of a block
	Blocks uint32 // the most there can be

	mu   sync.Mutex
	base uintptr
	next uint32   // the first block never used
	free []uint32 // blocks used before
}

// Alloc gives a block's index.
func (a *Arena) Alloc() (uint32, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.free); n > 0 {
		index := a.free[n-1]
		a.free = a.free[:n-1]
		return index, nil
	}
	if a.next == a.Blocks {
		return 0, ErrNoMemory
	}
	if a.base == 0 {
		region, err := Take(uint64(a.Blocks) << a.Shift)
		if err != nil {
			return 0, err
		}
		atomic.StoreUintptr(&a.base, region.Base())
	}
	a.next++
	return a.next - 1, nil
}

// Free takes a block back.
func (a *Arena) Free(index uint32) {
	a.mu.Lock()
	a.free = append(a.free, index)
	a.mu.Unlock()
}

// At is the address of a block, or 0 if the index is none.
//
//go:nosplit
func (a *Arena) At(index uint32) uintptr {
	base := atomic.LoadUintptr(&a.base)
	if index >= a.Blocks || base == 0 {
		return 0
	}
	return base + uintptr(index)<<(a.Shift&63)
}

// IndexOf is the index of the block at an address.
//
//go:nosplit
func (a *Arena) IndexOf(block uintptr) uint32 {
	return uint32((block - atomic.LoadUintptr(&a.base)) >> (a.Shift & 63))
}
