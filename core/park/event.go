// SPDX-License-Identifier: Apache-2.0

package park

import (
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/memory"
)

// An Event is an eventcount: how readers sleep without losing a wake-up.
//
//	reader                            producer
//	e := Count()                      publish the value
//	Enter()            (parked++)     if Parked() { Signal()  (count++), wake }
//	look for a value again
//	sleep while Count() == e
//	Leave()            (parked--)
//
// Why no wake-up is lost: publishing and Parked, Enter and looking again are
// each a store followed by a load, all sequentially consistent. Either the
// reader sees the value, or the producer sees the reader; then count changes,
// and a sleep that compares it with e ends or does not begin. A flag in the
// place of the count loses wake-ups: it can be reset by another reader between
// the producer's set and the sleep.
//
// Wrap-around of count: a sleeper would have to miss 2^32 signals between
// Count and its sleep.
//
// The words are never reset, also not when their memory serves another
// record: a thread that is late to leave then leaves the same word it entered.
type Event struct {
	parked uint32 // written by readers
	count  uint32 // written by who wakes
}

// Count is what a sleep compares with.
//
//go:nosplit
func (e *Event) Count() uint32 { return atomic.LoadUint32(&e.count) }

// Enter announces a reader that is about to sleep.
//
//go:nosplit
func (e *Event) Enter() { atomic.AddUint32(&e.parked, 1) }

// Leave takes the announcement back.
//
//go:nosplit
func (e *Event) Leave() { atomic.AddUint32(&e.parked, ^uint32(0)) }

// Signal reports whether a reader must be woken; if so, no sleep that began
// before goes on or begins.
//
//go:nosplit
func (e *Event) Signal() bool {
	if atomic.LoadUint32(&e.parked) == 0 {
		return false
	}
	atomic.AddUint32(&e.count, 1)
	return true
}

// Address is the word to sleep on.
//
//go:nosplit
func (e *Event) Address() uintptr { return uintptr(unsafe.Pointer(&e.count)) }

// EventAt is the event whose Address is given.
//
//go:nosplit
func EventAt(address uintptr) *Event {
	return (*Event)(memory.Pointer(address - unsafe.Offsetof(Event{}.count)))
}
