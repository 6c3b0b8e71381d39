// SPDX-License-Identifier: Apache-2.0

// Package park holds the two words on which threads meet: a lock that never
// spins without bound, and an eventcount on which readers sleep.
//
// The functions that the hot path calls are marked nosplit and neither
// allocate, block nor panic; whoever drives the hot path sleeps for them.
package park

import (
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/memory"
)

// A Lock is one 32-bit word, laid out as the kernel's priority-inheriting
// futex wants it:
//
//	0              free
//	owner          held, nobody waits
//	owner|waiters  held, the holder must call the kernel (Release) to unlock
//
// Who writes: the word goes 0 -> owner and owner -> 0 by compare-and-swap of
// the owner; waiters set the waiters bit. Orderings: the CAS that takes the
// lock acquires and the CAS that frees it releases, and both are full fences
// on amd64; on arm64 they are CASAL or LDAXR/STLXR, which is what package
// buffers relies on.
//
// The word is never reset while a thread may still look at it: the memory it
// lies in is only ever reused for another Lock.
type Lock struct{ word uint32 }

// tries bounds the spinning of TryLock: about a microsecond. A holder that was
// descheduled must be waited for in the kernel, or a real-time thread spins
// against a holder it keeps from running.
const tries = 40

const (
	waiters    = 1 << 31 // FUTEX_WAITERS
	ownerMask  = 1<<30 - 1
	plainOwner = 1 // the owner where locks are plain futexes
)

// TryLock takes the lock for owner, trying a bounded number of times.
//
//go:nosplit
func (l *Lock) TryLock(owner uint32) bool {
	for range tries {
		if atomic.LoadUint32(&l.word) == 0 && atomic.CompareAndSwapUint32(&l.word, 0, owner) {
			return true
		}
	}
	return false
}

// TryUnlock frees the lock unless someone waits for it. It answers false if so:
// the lock is then still held, and the caller must have [Release] called.
//
//go:nosplit
func (l *Lock) TryUnlock(owner uint32) bool {
	return atomic.CompareAndSwapUint32(&l.word, owner, 0)
}

// Acquired is what a holder calls who was given the lock by the kernel: an
// acquiring load, which orders what follows after the last holder's release.
//
//go:nosplit
func (l *Lock) Acquired() { atomic.LoadUint32(&l.word) }

// Address is where the kernel finds the lock.
//
//go:nosplit
func (l *Lock) Address() uintptr { return uintptr(unsafe.Pointer(l)) }

// LockAt is the lock at an address.
//
//go:nosplit
func LockAt(address uintptr) *Lock { return (*Lock)(memory.Pointer(address)) }
