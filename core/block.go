// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
	"github.com/aimdb-dev/aimdb-go/core/memory"
	"github.com/aimdb-dev/aimdb-go/core/park"
)

// Control blocks: what the steps work on, off the Go heap, in arenas that are
// never given back (package memory says why).

// A databaseBlock counts generations and holds the pool of shared consumers.
type databaseBlock struct {
	generation uint32
	pool       poolBlock
	drained    park.Event // where calls of Close sleep
	_          [4]byte
}

// A recordBlock is a buffer and what produce needs besides, four cache lines.
// What follows sharers is written under buffer.Lock, and its generation too: a producer that holds the lock and finds its handle's generation has
// the record, and its region, until it unlocks.
type recordBlock struct {
	buffer     buffers.Buffer
	shared     uint32 // atomic: a shared consumer rests, and a push must queue it
	sharers    uint32 // the first shared consumer, index + 1; under the pool's lock
	listen     park.Lock
	listeners  uint32    // the first armed reader, index + 1; under listen
	peeking    park.Lock // one peek at a time has the slot that is there for it
	readers    uint32    // atomic: consumers and readers subscribed now
	_          [16]byte
	memory     uint64 // bytes
	generation uint32
	state      uint32 // atomic: readers look without the lock
	inflight   uint32 // atomic: producer functions that run
	database   uint32 // index: which database it is of; atomic, for those who have the lock no more
	function   uint64 // the producer function; 0: none
	user       uint64
	rejected   uint64
	refused    uint64 // emitted by callbacks when close had cut them off
	calls      uint64
	ns         uint64
	nsMax      uint64
}

// The states of a record. Only open takes new values, and closing those that
// callbacks emit; until sealed, values whose producer function runs are still
// taken.
const (
	created uint32 = iota
	open
	closing
	sealed
)

// A cursorBlock is a reader's cursor and what its kind of reader needs
// besides, four cache lines; written under cursor.Lock.
type cursorBlock struct {
	cursor     buffers.Cursor
	generation uint32
	phase      uint32 // consumer; atomic: who waits for the end sleeps on it
	next       uint32 // the record's next shared consumer or armed reader, index + 1
	behind     uint32 // shared: the next in the queue, index + 1
	record     uint32 // index
	callback   bool   // a consumer, not a reader
	polled     bool   // a reader with a descriptor
	shared     uint8  // its state in the pool
	armed      bool   // it is in the record's list; under listen
	driver     uint64 // shared: the word of its driver outside of Go; reader: descriptor + 1, under listen
	failures   uint64
	ns         uint64
	nsMax      uint64
	own        buffers.Destination // pull reader: its memory for values
	room       uint64              // its size in bytes
	most       uint64              // and how many values it has messages for
	_          [24 + 16*(1-wide)]byte
}

// The phases of a consumer.
const (
	idle    uint32 = iota
	calling        // a callback of it runs
	stopped        // no callback runs or will run
	done           // its user pointer is freed too
)

var (
	_ = [1]struct{}{}[unsafe.Sizeof(databaseBlock{})-1<<6]
	_ = [1]struct{}{}[unsafe.Sizeof(recordBlock{})-1<<8]
	_ = [1]struct{}{}[unsafe.Sizeof(cursorBlock{})-1<<8]
)

// recordAt is the block a record handle points into, or nil. Whether it is
// still the record's is for the generation to say.
//
//go:nosplit
func recordAt(h Handle) *recordBlock {
	address := records.At(h.index())
	if !h.is(recordHandle) || address == 0 {
		return nil
	}
	return (*recordBlock)(memory.Pointer(address))
}

func databaseAt(index uint32) *databaseBlock {
	return (*databaseBlock)(memory.Pointer(databases.At(index)))
}

// drainedEvent is where those sleep who close the database.
//
//go:nosplit
func drainedEvent(index uint32) *park.Event {
	address := databases.At(index)
	if address == 0 {
		return nil
	}
	return &(*databaseBlock)(memory.Pointer(address)).drained
}

//go:nosplit
func poolAt(index uint32) *poolBlock {
	address := databases.At(index)
	if address == 0 {
		return nil
	}
	return &(*databaseBlock)(memory.Pointer(address)).pool
}

//go:nosplit
func cursorAt(index uint32) *cursorBlock {
	address := cursors.At(index)
	if address == 0 {
		return nil
	}
	return (*cursorBlock)(memory.Pointer(address))
}

//go:nosplit
func (c *cursorBlock) source() *recordBlock {
	return (*recordBlock)(memory.Pointer(records.At(c.record)))
}

//go:nosplit
func (r *recordBlock) sealed() bool { return atomic.LoadUint32(&r.state) == sealed }

// handleOf is the handle of the record the block is now.
//
//go:nosplit
func handleOf(r *recordBlock) Handle {
	index := records.IndexOf(uintptr(unsafe.Pointer(r)))
	generation := atomic.LoadUint32(&r.generation)
	if generation&1 == 0 {
		generation-- // it has just ended: the handle it had
	}
	return handle(recordHandle, index, generation)
}
