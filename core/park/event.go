// SPDX-License-Identifier: Apache-2.0

package park

import (
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/memory"
)

// An Event is an eventcount: how readers sleep without losing a wake-up. It is
// one word, a count and, in its lowest bit, whether someone may sleep:
//
//	reader                               producer
//	                                     publish the value
//	e := Announce()   (sets the bit)     if Signal() { wake }
//	look for a value again               (the bit is set: add 1, which clears
//	sleep while the word is e            it and makes the word another)
//
// Why no wake-up is lost: publishing and Signal's look, Announce and looking
// again are each a store followed by a load, all sequentially consistent.
// Either the reader sees the value, or the producer sees the bit. Then it
// changes the word, so that a sleep which compares it with e ends, being woken
// after, or does not begin. Two producers that both saw the bit both add, and
// the second sets it again: it has changed the word all the same, so nobody
// sleeps on the value that it cleared the bit under, and a later producer wakes
// once in vain. The signal clears the bit, so that a burst of values makes one
// system call, not one for each value until the sleeper has run.
//
// If only one of several sleepers is woken (mailbox), the others sleep on with
// the bit cleared. So whoever has slept sets it again before looking (Announce);
// a producer that saw it clear has published before that, and is seen. What is
// for all of them, such as an end, must not ask the bit: Broadcast.
//
// Wrap-around: a sleeper would have to miss 2^31 signals between Announce and
// its sleep.
//
// The word is never reset, also not when its memory serves another record: a
// thread that is late then does what it would have done to the one before.
type Event struct{ word uint32 }

const announced = 1

// Announce tells wakers of a reader that is about to sleep, and gives what its
// sleep compares with.
//
//go:nosplit
func (e *Event) Announce() uint32 { return atomic.OrUint32(&e.word, announced) | announced }

// Announced reports whether someone may sleep.
//
//go:nosplit
func (e *Event) Announced() bool { return atomic.LoadUint32(&e.word)&announced != 0 }

// Signal reports whether sleepers must be woken; if so, no sleep announced
// before goes on, once they are, or begins.
//
//go:nosplit
func (e *Event) Signal() bool {
	if !e.Announced() {
		return false
	}
	atomic.AddUint32(&e.word, 1)
	return true
}

// Broadcast is a signal to all, announced or not: they must be woken.
//
//go:nosplit
func (e *Event) Broadcast() { atomic.AddUint32(&e.word, announced+1) }

// Count is what a sleep compares with that only a Broadcast is to end.
//
//go:nosplit
func (e *Event) Count() uint32 { return atomic.LoadUint32(&e.word) }

// Address is the word to sleep on.
//
//go:nosplit
func (e *Event) Address() uintptr { return uintptr(unsafe.Pointer(&e.word)) }

// EventAt is the event whose Address is given.
//
//go:nosplit
func EventAt(address uintptr) *Event { return (*Event)(memory.Pointer(address)) }
