// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"errors"
	"sync"
	"sync/atomic"
)

// An Arena is a table of control blocks of one size that does not move and is
// never given back, so that a thread which comes late finds a block of the
// same kind, perhaps another's, and never a hole. What tells it whether the
// block is still the one it means is a generation in the block, compared
// under the block's lock.
//
// It is address space that becomes memory in pieces, as blocks are used: a host
// that locks all its memory pays for no more.
//
// Blocks are reused, the one that has been free longest first, and as long as
// there are others only when Rest more are free: so a handle with a short
// generation names none of its blocks again until very many others have. Their
// words keep the values they had: the user resets those of them that no late
// thread can touch.
type Arena struct {
	Shift  uint   // log2 of the size of a block
	Blocks uint32 // the most there can be
	Rest   int    // how many stay free, while fresh ones are to be had

	mu    sync.Mutex
	base  uintptr
	ready uint32   // so many blocks are memory; stored after base
	next  uint32   // the first block never used
	free  []uint32 // blocks used before, in the order in which they were freed
}

// ErrFull says that there are as many blocks as there can be.
var ErrFull = errors.New("no more blocks")

// Alloc gives a block's index.
func (a *Arena) Alloc() (uint32, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.free) <= a.Rest {
		switch index, err := a.fresh(); {
		case err == nil:
			return index, nil
		case len(a.free) == 0:
			return 0, err
		}
	}
	index := a.free[0]
	a.free = a.free[1:]
	return index, nil
}

// fresh gives a block never used.
func (a *Arena) fresh() (uint32, error) {
	if a.next == a.Blocks {
		return 0, ErrFull
	}
	if a.next == a.ready {
		if err := a.grow(); err != nil {
			return 0, err
		}
	}
	a.next++
	return a.next - 1, nil
}

// grow makes the next piece memory.
func (a *Arena) grow() error {
	const piece = 64 << 10
	if a.base == 0 {
		base, err := reserve(uintptr(a.Blocks) << a.Shift)
		if err != nil {
			return ErrNoMemory
		}
		atomic.StoreUintptr(&a.base, base)
	}
	ready := min(a.ready+piece>>a.Shift, a.Blocks)
	if commit(a.base, uintptr(ready)<<a.Shift) != nil {
		return ErrNoMemory
	}
	atomic.StoreUint32(&a.ready, ready)
	return nil
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
	if index >= atomic.LoadUint32(&a.ready) {
		return 0
	}
	return atomic.LoadUintptr(&a.base) + uintptr(index)<<(a.Shift&63)
}

// IndexOf is the index of the block at an address.
//
//go:nosplit
func (a *Arena) IndexOf(block uintptr) uint32 {
	return uint32((block - atomic.LoadUintptr(&a.base)) >> (a.Shift & 63))
}
