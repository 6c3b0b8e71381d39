// SPDX-License-Identifier: Apache-2.0

// Package memory gives memory off the Go heap: regions for the values of a
// record, and arenas of control blocks that are never given back.
package memory

import (
	"errors"
	"syscall"
	"unsafe"
)

// ErrNoMemory says that the system gives no more memory or address space.
var ErrNoMemory = errors.New("no memory or address space")

// PageSize is what the size of a region is rounded up to.
var PageSize = uintptr(syscall.Getpagesize())

// A Region is zeroed memory at a fixed address. The system fills it page by
// page when it is first written.
type Region struct {
	base uintptr
	size uintptr
}

// Take reserves a region of at least size bytes, rounded up to pages.
func Take(size uint64) (Region, error) {
	const most = 1<<(unsafe.Sizeof(uintptr(0))*8-1) - 1
	if size > most-uint64(PageSize) {
		return Region{}, ErrNoMemory
	}
	rounded := (uintptr(size) + PageSize - 1) &^ (PageSize - 1)
	if rounded == 0 {
		return Region{}, nil
	}
	base, err := take(rounded)
	if err != nil {
		return Region{}, ErrNoMemory
	}
	return Region{base, rounded}, nil
}

// Give returns the region to the system. Nothing may touch it from then on.
func (r *Region) Give() {
	if r.size != 0 {
		release(r.base, r.size)
	}
	*r = Region{}
}

// Base is the address of the first byte.
func (r Region) Base() uintptr { return r.base }

// Size is the size in bytes, a multiple of the page size.
func (r Region) Size() uintptr { return r.size }

// Pointer is the pointer to an address in a region or on a C stack, memory that
// does not move. The address must not be 0: the compiler takes the result as not
// nil.
//
//go:nosplit
//go:nocheckptr
func Pointer(address uintptr) unsafe.Pointer { return unsafe.Add(nil, address) }
