// SPDX-License-Identifier: Apache-2.0

package core

import "sync/atomic"

// Descriptors are what event loops wait on. A reader that found nothing is
// armed: it stands in its record's list, and buffer.Armed is set, so that the
// next push makes its descriptor readable and takes it from the list. As with
// park.Event: arm, then look again.
//
// Reading and writing descriptors is left to the driver, the lock held
// meanwhile (Holding): a descriptor is closed under that lock, so its number is
// never another file's by then.

// Notify makes the descriptors of all armed readers of the record Target
// readable: Write for each, to be done on the descriptor Index before the same
// step again.
//
//go:nosplit
func (s *Step) Notify() {
	s.begin()
	r := recordAt(s.Target)
	if r == nil {
		s.Result = ErrHandle
		return
	}
	if s.Flags&Holding == 0 && !s.lock(&r.listen) {
		return
	}
	s.Flags &^= Holding
	s.Result = OK
	if s.Target.names(atomic.LoadUint32(&r.generation)) {
		if r.listeners != 0 {
			c := cursorAt(r.listeners - 1)
			r.listeners = c.next
			c.armed = false
			s.hold(Write, c)
			return
		}
		atomic.StoreUint32(&r.buffer.Armed, 0)
	}
	s.unlock(&r.listen)
}

// hold has the driver do something with the cursor's descriptor and come again.
//
//go:nosplit
func (s *Step) hold(what Status, c *cursorBlock) {
	s.Index = c.driver - 1
	s.Flags |= Holding
	s.Todo |= ComeAgain
	s.Result = what
}

// Rearm arms the reader Target, which has found nothing: Drain, to be done on the
// descriptor Index, then the same step again.
//
//go:nosplit
func (s *Step) Rearm() {
	s.begin()
	c := cursorAt(s.Target.index())
	if c == nil {
		s.Result = ErrHandle
		return
	}
	holding := s.Flags&Holding != 0
	if !holding && !s.lock(&c.cursor.Lock) {
		return
	}
	r := c.source()
	if !holding && !s.lock(&r.listen) {
		s.unlock(&c.cursor.Lock)
		return
	}
	s.Result = OK
	if s.Target.names(c.generation) && c.driver != 0 {
		if !holding {
			s.hold(Drain, c)
			return
		}
		s.arm(c, r)
	}
	s.Flags &^= Holding
	s.unlock(&r.listen)
	s.unlock(&c.cursor.Lock)
}

// arm needs both locks.
//
//go:nosplit
func (s *Step) arm(c *cursorBlock, r *recordBlock) {
	if !c.armed {
		c.armed = true
		c.next, r.listeners = r.listeners, s.Target.index()+1
	}
	atomic.StoreUint32(&r.buffer.Armed, 1)
	if r.buffer.Waits(&c.cursor) || r.sealed() {
		s.tell(TellNotify, handleOf(r))
	}
}
