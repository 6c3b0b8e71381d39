// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
	"github.com/aimdb-dev/aimdb-go/core/memory"
)

// Receive takes at most Max values for a reader, packed at multiples of 8 into
// the Size bytes at Data. One value is only waited for if nothing is there.
//
// What is in a buffer is copied to memory of the reader's own first, and from
// there to the caller's when it is known to be whole: so the caller's is only
// written with values that are given to it; and no lock that producers need is
// held while a page of it has to come in.
//
//go:nosplit
func (s *Step) Receive() {
	s.begin()
	s.Count, s.Distance = 0, (*buffers.Message)(s.Messages).StructSize
	c := cursorAt(s.Handle.index())
	if c == nil || !s.Handle.is(readerHandle) {
		s.Result = ErrHandle
		return
	}
	if !s.lock(&c.cursor.Lock) {
		return
	}
	s.awake()
	if c.callback || !s.Handle.names(c.generation) || c.cursor.Stopped() {
		s.Result = ErrHandle
		s.unlock(&c.cursor.Lock)
		s.passOn()
		return
	}
	s.receive(c)
	r := c.source()
	s.unlock(&c.cursor.Lock)
	if s.Result == ErrTooSmall {
		s.passOn()
	}
	s.rested(r)
}

//go:nosplit
func (s *Step) receive(c *cursorBlock) {
	s.fill(c)
	switch s.Result {
	case Lagged:
		s.report(0, c.own.Lost)
	case ErrTooSmall:
		s.report(c.own.Needed, 0)
	case Empty, Closed:
		if c.polled {
			s.tell(TellRearm, s.Handle)
		}
	}
}

// fill fetches and hands out until the caller has what it can take or nothing
// more is there. Only the first look may answer something else than OK; a loss
// found later is told by the next receive.
//
//go:nosplit
func (s *Step) fill(c *cursorBlock) {
	own, used := &c.own, uint64(0)
	if own.Lost = c.cursor.Untold(); own.Lost != 0 {
		s.Record, s.Result = uintptr(handleOf(c.source())), Lagged
		return
	}
	r := c.source()
	if r.buffer.Kind() == buffers.Latest && s.Size >= r.buffer.PayloadMax() && s.direct(c, r) {
		return
	}
	for s.Count < s.Max {
		own.Size, own.Max = min(s.Size-used, c.room), min(s.Max-s.Count, c.most)
		result := s.look(c, r, own)
		if result == OK {
			used = s.handOut(c, used)
			c.cursor.Deliver(own.Count)
			s.Count += own.Count
			s.Flags &^= Wait
			s.Result = OK
			if r.buffer.Kind() != buffers.Ring {
				return
			}
			continue
		}
		if s.Count == 0 {
			s.Result = result
			return
		}
		switch result {
		case Lagged:
			c.cursor.TellLater(own.Lost)
		case Busy: // what has been taken is given: the step must not be repeated
			s.Todo &^= WaitLock | ComeAgain
		}
		s.Result = OK
		return
	}
}

// direct copies the value of a latest to the caller's memory at once, where any
// value fits: if the copy is overtaken, a newer value takes its place.
//
//go:nosplit
func (s *Step) direct(c *cursorBlock, r *recordBlock) bool {
	s.Record = uintptr(handleOf(r))
	if r.buffer.Fetch(&c.cursor, &s.Destination, false) != buffers.Value {
		s.Count = 0
		return false
	}
	c.cursor.Deliver(1)
	s.Result = OK
	return true
}

// handOut copies the values fetched to the caller's memory, of which used bytes
// are taken, and gives how many are then. It is no part of a fetch: what it copies
// is whole.
//
//go:nosplit
//go:noinline
func (s *Step) handOut(c *cursorBlock, used uint64) uint64 {
	from, to := c.own.Messages, unsafe.Add(s.Messages, uintptr(s.Count)*s.Distance)
	for range c.own.Count {
		f, m, into := (*buffers.Message)(from), (*buffers.Message)(to), unsafe.Add(s.Data, uintptr(used))
		buffers.Copy(into, memory.Pointer(f.Data), f.Size)
		m.StructSize, m.Data, m.Size, m.Record = s.Distance, uintptr(into), f.Size, f.Record
		m.Sequence, m.Lagged = f.Sequence, 0
		used = min(used+(uint64(f.Size)+7)&^7, s.Size)
		from, to = unsafe.Add(from, unsafe.Sizeof(*f)), unsafe.Add(to, s.Distance)
	}
	return used
}

// report writes a message about no value.
//
//go:nosplit
func (s *Step) report(size, lost uint64) {
	m := (*buffers.Message)(s.Messages)
	m.StructSize, m.Data, m.Size, m.Record = s.Distance, 0, uintptr(size), s.Record
	m.Sequence, m.Lagged = 0, lost
}

// Next gives a consumer's callback its next value, after it has closed the books
// on the last call (Ended): message Index of those in the driver's memory, where
// Count values are. The consumer is named by its block: the dispatcher is the
// last to leave it. The end is answered with Closed.
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
	s.awake()
	c.book(s)
	r := c.source()
	switch {
	case c.cursor.Stopped():
		s.Result = Closed
	case c.cursor.Held() != 0:
		s.Result = OK
	default:
		s.Result = s.look(c, r, &s.Destination)
	}
	switch s.Result {
	case OK:
		s.Index = s.Count - c.cursor.Held()
		c.cursor.Deliver(1)
		c.enter(calling)
	case Lagged: // the values that may have come with it are next
		c.enter(calling)
	case Closed:
		c.cursor.Stop(&r.buffer)
		c.enter(stopped)
		s.Drained = uint64(uintptr(unsafe.Pointer(&c.phase)))
		s.Todo |= WakeDrained
	default:
		c.enter(idle)
	}
	s.unlock(&c.cursor.Lock)
	switch s.Result {
	case Closed:
		s.passOn()
		s.rested(r)
	case Empty, Sleep:
		s.rested(r)
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
}

// enter changes the phase. While callbacks follow each other it stays: an atomic
// store costs as much as a lock.
//
//go:nosplit
func (c *cursorBlock) enter(phase uint32) {
	if atomic.LoadUint32(&c.phase) != phase {
		atomic.StoreUint32(&c.phase, phase)
	}
}

// look fetches what there is for a reader, and, with Wait, announces it if there
// is nothing. The caller holds the cursor's lock.
//
//go:nosplit
func (s *Step) look(c *cursorBlock, r *recordBlock, to *buffers.Destination) Status {
	s.Record = uintptr(handleOf(r))
	to.Record = s.Record
	status := s.fetch(c, r, to)
	// The seal is read before another look: what was there before it is found.
	if status == Empty && r.sealed() {
		if status = s.fetch(c, r, to); status == Empty {
			return Closed
		}
	}
	if status == Empty && s.Flags&Wait != 0 {
		return s.announce(c, r)
	}
	return status
}

// fetch fetches with the record's lock if it must, or answers Busy.
//
//go:nosplit
func (s *Step) fetch(c *cursorBlock, r *recordBlock, to *buffers.Destination) Status {
	outcome := r.buffer.Fetch(&c.cursor, to, false)
	if outcome == buffers.NeedsLock {
		if !s.lock(&r.buffer.Lock) {
			return Busy
		}
		outcome = r.buffer.Fetch(&c.cursor, to, true)
		s.unlock(&r.buffer.Lock)
	}
	switch outcome {
	case buffers.Value:
		return OK
	case buffers.Lagged:
		return Lagged
	case buffers.TooSmall:
		return ErrTooSmall
	}
	return Empty
}

// announce is the reader's half of park.Event: announce, look again. If
// something came meanwhile the step is to be repeated.
//
//go:nosplit
func (s *Step) announce(c *cursorBlock, r *recordBlock) Status {
	event := &r.buffer.Event
	s.Expected = event.Announce()
	if !faultNoRecheck && (r.buffer.Waits(&c.cursor) || r.sealed()) {
		s.Todo |= ComeAgain
		return Busy
	}
	s.Event = uint64(event.Address())
	s.Flags |= Slept
	return Sleep
}

// Peek copies the current value of a latest or mailbox to the Size bytes at Data,
// by way of the record's memory, as Receive does.
//
//go:nosplit
func (s *Step) Peek() {
	s.begin()
	r := recordAt(s.Handle)
	if r == nil {
		s.Result = ErrHandle
		return
	}
	if !s.lock(&r.peeking) {
		return
	}
	if !s.lock(&r.buffer.Lock) {
		s.unlock(&r.peeking)
		return
	}
	s.Result = s.peek(r)
	s.unlock(&r.buffer.Lock)
	if s.Result == OK {
		buffers.Copy(s.Data, r.buffer.Peeked(), uintptr(s.Size))
	}
	s.unlock(&r.peeking)
}

//go:nosplit
func (s *Step) peek(r *recordBlock) Status {
	if !s.Handle.names(r.generation) {
		return ErrHandle
	}
	if r.buffer.Kind() == buffers.Ring {
		return ErrUnsupported
	}
	outcome, position := r.buffer.Peek(&s.Destination)
	s.Size, s.Sequence = s.Needed, position+1
	switch outcome {
	case buffers.Value:
		return OK
	case buffers.TooSmall:
		return ErrTooSmall
	}
	return Empty
}
