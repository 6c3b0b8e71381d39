// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
)

// A Message is one received value as receive writes it, the struct of the C
// header: Data points into what Step.Data pointed to.
type Message struct {
	StructSize uintptr // in, of the first: the distance from one to the next
	Data       uintptr
	Size       uintptr
	Record     uintptr // handle
	Sequence   uint64
	Lagged     uint64
}

// Receive takes at most Max values for a reader, packed at multiples of 8 into
// the Size bytes at Data. One value is only waited for if nothing is there.
//
//go:nosplit
func (s *Step) Receive() {
	s.begin()
	s.Count = 0
	c := cursorAt(s.Handle.index())
	if c == nil || !s.Handle.is(readerHandle) {
		s.Result = ErrHandle
		return
	}
	if !s.lock(&c.cursor.Lock) {
		return
	}
	s.leave()
	if c.callback || !s.Handle.names(c.generation) {
		s.Result = ErrHandle
		s.unlock(&c.cursor.Lock)
		s.passOn()
		return
	}
	s.receive(c)
	s.unlock(&c.cursor.Lock)
	if s.Result == ErrTooSmall {
		s.passOn()
	}
}

//go:nosplit
func (s *Step) receive(c *cursorBlock) {
	r := c.source()
	distance := (*Message)(s.Messages).StructSize
	var found buffers.Found
	found, s.Result = s.look(c, r, s.Data, s.Size)
	switch s.Result {
	case OK, Lagged, ErrTooSmall:
		s.tell(0, s.Data, found, r)
	case Empty, Closed:
		if c.polled {
			s.Notify = uint64(s.Handle)
		}
	}
	if s.Result != OK {
		return
	}
	s.Count = 1
	// More only of what needs no lock: not a loss, which is told alone.
	used := packed(found.Size)
	for s.Count < s.Max && used <= s.Size {
		at := unsafe.Add(s.Data, uintptr(used))
		found = r.buffer.Read(&c.cursor, at, s.Size-used, false)
		if found.Outcome != buffers.Value {
			return
		}
		s.tell(uintptr(s.Count)*distance, at, found, r)
		s.Count++
		used += packed(found.Size)
	}
}

//go:nosplit
func packed(size uint64) uint64 { return (size + 7) &^ 7 }

// tell writes the message at an offset.
//
//go:nosplit
func (s *Step) tell(offset uintptr, at unsafe.Pointer, found buffers.Found, r *recordBlock) {
	m := (*Message)(unsafe.Add(s.Messages, offset))
	m.Data, m.Size, m.Record = uintptr(at), uintptr(found.Size), uintptr(handleOf(r))
	m.Sequence, m.Lagged = found.Position+1, found.Lost
	if found.Lost != 0 {
		m.Data, m.Sequence = 0, 0
	}
}

// Next gives a consumer's callback its next value, copied to the Size bytes at
// Data, after it has closed the books on the last call (Ended). The consumer is
// named by its block: the dispatcher is the last to leave it. The end is
// answered with Closed.
//
//go:nosplit
func (s *Step) Next() {
	s.begin()
	c := cursorAt(s.Handle.index())
	if c == nil {
		s.Result = ErrHandle
		return
	}
	if !s.lock(&c.cursor.Lock) {
		return
	}
	s.leave()
	c.book(s)
	r := c.source()
	if c.cursor.Stopped() {
		s.Result = Closed
	} else {
		found, status := s.look(c, r, s.Data, s.Size)
		s.Result = status
		s.Count, s.Sequence = found.Lost, found.Position+1
		if status == OK {
			s.Max = found.Size
		}
	}
	switch s.Result {
	case OK, Lagged:
		atomic.StoreUint32(&c.phase, calling)
	case Closed:
		c.cursor.Stop(&r.buffer)
		atomic.StoreUint32(&c.phase, stopped)
		s.Drained = uint64(uintptr(unsafe.Pointer(&c.phase)))
	}
	s.unlock(&c.cursor.Lock)
	if s.Result == Closed {
		s.passOn()
	}
}

// book counts the callback that has ended.
//
//go:nosplit
func (c *cursorBlock) book(s *Step) {
	if s.Flags&(Ended|Resumed) == 0 {
		return
	}
	if s.Flags&Ended != 0 {
		c.ns += s.Elapsed
		c.nsMax = max(c.nsMax, s.Elapsed)
	}
	if s.Flags&Failed != 0 {
		c.failures++
	}
	s.Flags &^= Ended | Resumed | Failed
	atomic.StoreUint32(&c.phase, idle)
}

// look finds what there is for a reader, and, with Wait, announces it if there
// is nothing. The caller holds the cursor's lock.
//
//go:nosplit
func (s *Step) look(c *cursorBlock, r *recordBlock, dst unsafe.Pointer, capacity uint64) (buffers.Found, Status) {
	// Read before the buffer: what was there before the seal is found.
	ended := r.sealed()
	found := r.buffer.Read(&c.cursor, dst, capacity, false)
	if found.Outcome == buffers.NeedsLock {
		if !s.lock(&r.buffer.Lock) {
			return found, Busy
		}
		found = r.buffer.Read(&c.cursor, dst, capacity, true)
		s.unlock(&r.buffer.Lock)
	}
	switch found.Outcome {
	case buffers.Value:
		return found, OK
	case buffers.Lagged:
		return found, Lagged
	case buffers.TooSmall:
		return found, ErrTooSmall
	}
	if ended {
		return found, Closed
	}
	if s.Flags&Wait == 0 {
		return found, Empty
	}
	return found, s.announce(c, r)
}

// announce is the reader's half of park.Event: count, enter, look again. If
// something came meanwhile the step is to be repeated.
//
//go:nosplit
func (s *Step) announce(c *cursorBlock, r *recordBlock) Status {
	event := &r.buffer.Event
	s.Expected = event.Count()
	event.Enter()
	if !faultNoRecheck && (r.buffer.Waits(&c.cursor) || r.sealed()) {
		event.Leave()
		s.Busy = 0
		return Busy
	}
	s.Event = uint64(event.Address())
	s.Flags |= Parked
	return Sleep
}

// Peek copies the current value of a latest or mailbox to the Size bytes at Data.
//
//go:nosplit
func (s *Step) Peek() {
	s.begin()
	r := recordAt(s.Handle)
	if r == nil {
		s.Result = ErrHandle
		return
	}
	if !s.lock(&r.buffer.Lock) {
		return
	}
	s.Result = s.peek(r)
	s.unlock(&r.buffer.Lock)
}

//go:nosplit
func (s *Step) peek(r *recordBlock) Status {
	if !s.Handle.names(r.generation) {
		return ErrHandle
	}
	if r.buffer.Kind() == buffers.Ring {
		return ErrUnsupported
	}
	found := r.buffer.Peek(s.Data, s.Size)
	s.Size, s.Sequence = found.Size, found.Position+1
	switch found.Outcome {
	case buffers.Value:
		return OK
	case buffers.TooSmall:
		return ErrTooSmall
	}
	return Empty
}
