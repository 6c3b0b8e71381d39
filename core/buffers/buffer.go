// SPDX-License-Identifier: Apache-2.0

// Package buffers holds the three buffers of a record: the SPMC ring
// ([Ring]), the single latest ([Latest]) and the mailbox ([Mailbox]).
//
// A buffer lies off the Go heap: its control words in a [Buffer], its values
// in slots of a memory region. Everything a thread does to a buffer per value
// (Push, Read, Peek) is nosplit, allocates nothing, cannot panic and waits for
// nobody: the caller holds the locks that the function names.
//
// Orderings hold for amd64 and arm64; each file says why.
package buffers

import (
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/memory"
	"github.com/aimdb-dev/aimdb-go/core/park"
)

// A Kind is one of the three buffers.
type Kind uint32

const (
	Ring Kind = iota
	Latest
	Mailbox
)

// A Buffer is the control words of one buffer, on three cache lines by who
// writes them: nobody (its shape), producers, and readers that go to sleep; the
// rest of the third is for such words of the record that holds it. A
// line of 64 bytes shared by producers' and readers' words makes each push wait
// for the other processor.
// It is only ever reused for another Buffer: Lock and Event keep their words.
type Buffer struct {
	// The shape: written by Open before the buffer is shared.
	data       uint64 // address of the first slot
	slots      uint64
	stride     uint64 // bytes from one slot to the next
	capacity   uint64
	payloadMax uint64
	exact      uint64
	first      uint64 // position of the first value
	kind       Kind
	_          uint32

	// Written under Lock.
	Lock        park.Lock
	full        uint32 // mailbox: a value waits; atomic, for those who only look
	tail        uint64 // atomic: position of the next value; readers look without the lock
	slot        uint64 // where it goes
	bytes       uint64
	overwritten uint64
	taken       uint64
	abandoned   uint64
	_           uint64

	// Written by readers.
	Event park.Event
	Armed uint32 // atomic: readers whose descriptor a push must write
}

// A slot is a size and the bytes, padded to 8.
const header = 8

// Shape is what a buffer is opened with.
type Shape struct {
	Kind       Kind
	Capacity   uint64 // values, at least 1; 1 for Latest and Mailbox
	PayloadMax uint64 // bytes
	Exact      uint64 // the only size there is, or AnySize
}

// AnySize as Shape.Exact: any size up to PayloadMax.
const AnySize = ^uint64(0)

// Slots is how many values the region holds. The last slot of a latest and a
// mailbox is Peek's.
func (s Shape) Slots() uint64 {
	switch s.Kind {
	case Latest:
		return latestSlots + 1
	case Mailbox:
		return 1 + 1
	}
	return ringSlots(s.Capacity)
}

func (s Shape) stride() uint64 { return header + (s.PayloadMax+7)&^7 }

// Bytes is the size of the region before rounding to pages, or false if it
// exceeds what 63 bits count.
func (s Shape) Bytes() (uint64, bool) {
	const most = 1 << 62
	slots := s.Slots()
	if s.Capacity > most || s.PayloadMax > most || slots > most/s.stride() {
		return 0, false
	}
	return slots * s.stride(), true
}

// Open gives the buffer its region. The first value gets the position first:
// 0, but for tests of wrap-around.
func (b *Buffer) Open(s Shape, region memory.Region, first uint64) {
	b.data, b.kind, b.exact = uint64(region.Base()), s.Kind, s.Exact
	b.slots, b.stride, b.capacity, b.payloadMax = s.Slots(), s.stride(), s.Capacity, s.PayloadMax
	b.first = first
	atomic.StoreUint32(&b.full, 0)
	atomic.StoreUint64(&b.tail, first)
	b.slot = 0
	b.bytes, b.overwritten, b.taken, b.abandoned = 0, 0, 0, 0
}

// Kind is the buffer's kind.
//
//go:nosplit
func (b *Buffer) Kind() Kind { return b.kind }

// PayloadMax is the largest value in bytes.
//
//go:nosplit
func (b *Buffer) PayloadMax() uint64 { return b.payloadMax }

// Exact is the only size of a value, or AnySize.
//
//go:nosplit
func (b *Buffer) Exact() uint64 { return b.exact }

// Accepts reports whether a value may have this size.
//
//go:nosplit
func (b *Buffer) Accepts(size uint64) bool {
	return size <= b.payloadMax && (b.exact == AnySize || size == b.exact)
}

// BufferOf is the buffer whose event has the given address.
//
//go:nosplit
func BufferOf(event uintptr) *Buffer {
	return (*Buffer)(unsafe.Add(unsafe.Pointer(park.EventAt(event)), -int(unsafe.Offsetof(Buffer{}.Event))))
}

//go:nosplit
func (b *Buffer) at(slot uint64) unsafe.Pointer {
	return memory.Pointer(uintptr(b.data + slot*b.stride))
}

// Push stores a value of at most PayloadMax bytes: it fills a slot and then
// publishes it, the store of tail releasing the value. The caller holds Lock.
//
//go:nosplit
func (b *Buffer) Push(src unsafe.Pointer, size uint64) {
	at := b.at(b.claim())
	if faultNoFence {
		publish64(&b.tail, b.tail+1)
	}
	storeSize(at, size)
	copyToSlot(unsafe.Add(at, header), src, uintptr(size))
	if !faultNoFence {
		publish64(&b.tail, b.tail+1)
	}
	if b.kind == Mailbox {
		b.fill()
	}
	b.bytes += size
}

// claim is the slot of the next value.
//
//go:nosplit
func (b *Buffer) claim() uint64 {
	switch b.kind {
	case Ring:
		return b.claimRing()
	case Latest:
		return b.tail % latestSlots
	}
	return 0
}

// An Outcome is what a look at a buffer found.
type Outcome uint32

const (
	Value     Outcome = iota // copied out
	Empty                    // nothing for this reader
	Lagged                   // values were lost; the cursor stands on the oldest held
	TooSmall                 // the value is larger than the destination, and still pending
	NeedsLock                // only a look with Lock held can tell
)

// A Message is one value as a reader gets it, the struct of the C header.
type Message struct {
	StructSize uintptr
	Data       uintptr
	Size       uintptr
	Record     uintptr // handle
	Sequence   uint64  // number of the value in its record, from 1
	Lagged     uint64
}

// A Destination is where values are copied to, packed at multiples of 8, with
// a Message for each, and what was found. (Results lie here and not on the
// stack, of which steps have little.)
type Destination struct {
	Data     unsafe.Pointer
	Messages unsafe.Pointer
	Distance uintptr // from one message to the next; it is also their StructSize
	Record   uintptr // for the messages
	Size     uint64  // bytes at Data
	Max      uint64  // messages, at least 1
	Count    uint64  // out: values
	Needed   uint64  // out: bytes of the first value; TooSmall: it needs so many
	Lost     uint64  // out, Lagged: how many values
	Ahead    bool    // in: the reader can hold values; Lagged may come with some
	_        [7]byte
}

// Fetch copies the reader's next values. They are still pending: Deliver says
// when they are not. Nothing may be fetched before all is delivered. The caller
// holds the cursor's lock, and Lock if locked; a mailbox needs it always.
//
//go:nosplit
func (b *Buffer) Fetch(c *Cursor, to *Destination, locked bool) Outcome {
	to.Count, to.Lost = 0, 0
	switch b.kind {
	case Ring:
		return b.fetchRing(c, to, locked)
	case Latest:
		return b.fetchLatest(c, to, locked)
	}
	if !locked {
		if atomic.LoadUint32(&b.full) == 0 {
			return Empty
		}
		return NeedsLock
	}
	return b.fetchMailbox(c, to)
}

// describe writes the message of a value.
//
//go:nosplit
func (to *Destination) describe(index uint64, at unsafe.Pointer, size, position uint64) {
	m := (*Message)(unsafe.Add(to.Messages, uintptr(index)*to.Distance))
	m.StructSize, m.Data, m.Size, m.Record = to.Distance, uintptr(at), uintptr(size), to.Record
	m.Sequence, m.Lagged = position+1, 0
}

// fetchOne copies the value of a slot and describes it.
//
//go:nosplit
func (b *Buffer) fetchOne(to *Destination, slot, position uint64) Outcome {
	if b.copyOut(to, to.Data, slot) != Value {
		return TooSmall
	}
	to.describe(0, to.Data, to.Needed, position)
	to.Count = 1
	return Value
}

// Waits reports whether a value waits for the reader. It may be asked with the
// cursor's lock held only.
//
//go:nosplit
func (b *Buffer) Waits(c *Cursor) bool {
	if b.kind == Mailbox {
		return b.Full()
	}
	return atomic.LoadUint64(&b.tail) != c.position
}

// Full reports whether a mailbox holds a value.
//
//go:nosplit
func (b *Buffer) Full() bool { return atomic.LoadUint32(&b.full) != 0 }

// Peek copies the current value of a latest or a mailbox to the slot that is
// there for it (Peeked), if it is of at most to.Size bytes. The caller holds Lock,
// and a lock of those who peek until it is done with the copy.
//
//go:nosplit
func (b *Buffer) Peek(to *Destination) (outcome Outcome, position uint64) {
	if b.kind == Mailbox && b.full == 0 || b.kind == Latest && b.neverPushed() {
		return Empty, 0
	}
	position = b.tail - 1
	slot := uint64(0)
	if b.kind == Latest {
		slot = position % latestSlots
	}
	return b.copyOut(to, b.Peeked(), slot), position
}

// Peeked is where Peek copies to.
//
//go:nosplit
func (b *Buffer) Peeked() unsafe.Pointer { return unsafe.Add(b.at(b.slots-1), header) }

// copyOut copies the value of a slot, if it is of at most to.Size bytes. Without Lock the result may be torn: the
// caller checks afterwards that no writer was there.
//
//go:nosplit
func (b *Buffer) copyOut(to *Destination, into unsafe.Pointer, slot uint64) Outcome {
	at := b.at(slot)
	// Every size ever stored is at most payloadMax, and this load is atomic: the
	// copy stays within the slot and, after the test, within Data.
	to.Needed = loadSize(at)
	if to.Needed > to.Size {
		return TooSmall
	}
	copyFromSlot(into, unsafe.Add(at, header), uintptr(to.Needed))
	return Value
}

// Counts is what a buffer has counted. The caller holds Lock.
type Counts struct{ Produced, Bytes, Overwritten, Taken, Pending, Abandoned uint64 }

// Count writes a consistent account. The caller holds Lock.
//
//go:nosplit
func (b *Buffer) Count(c *Counts) {
	c.Produced, c.Bytes, c.Overwritten = b.tail-b.first, b.bytes, b.overwritten
	c.Taken, c.Pending, c.Abandoned = b.taken, uint64(b.full), b.abandoned
}

// Abandon gives a mailbox's value up, and tells whether there was one, 0 or 1. The
// caller holds Lock.
func (b *Buffer) Abandon() uint64 {
	was := uint64(b.full)
	b.abandoned += was
	atomic.StoreUint32(&b.full, 0)
	return was
}

// Tail is the position of the next value.
func (b *Buffer) Tail() uint64 { return atomic.LoadUint64(&b.tail) }
