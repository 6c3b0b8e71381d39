// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync/atomic"

	"github.com/aimdb-dev/aimdb-go/core/park"
)

// Ready queues the shared consumers of a record after a push, as the step
// before it asked for: Handle and Database are still that step's.
//
//go:nosplit
func (s *Step) Ready() {
	s.begin()
	r := recordAt(s.Handle)
	p := poolAt(s.Database)
	if r == nil || p == nil || !s.lock(&p.lock) {
		return
	}
	// Destroy takes this lock after it has ended the generation, and before the
	// block can be another record's.
	if s.Handle.names(atomic.LoadUint32(&r.generation)) {
		p.readyAll(r)
	}
	s.Result = OK
	s.leave(p)
}

// leave unlocks the pool and wakes who is needed for its queue.
//
//go:nosplit
func (s *Step) leave(p *poolBlock) {
	worker, watcher := p.needed()
	s.unlock(&p.lock)
	if worker && p.work.Signal() {
		s.wake(&p.work, 1)
	}
	if watcher && p.stall.Signal() {
		s.Drained = uint64(p.stall.Address())
		s.Todo |= WakeDrained
	}
}

// Take gives a worker the first consumer of the queue, Index and User its
// driver's word, until Rest; or Sleep, or Closed.
//
//go:nosplit
func (s *Step) Take() {
	s.begin()
	p := poolAt(s.Handle.index())
	if p == nil || !s.lock(&p.lock) {
		return
	}
	if s.Flags&Slept != 0 {
		s.Flags &^= Slept
		p.idle--
		p.work.Announce() // for the others: see park.Event
	}
	switch {
	case p.first != 0:
		s.Index = uint64(p.first - 1)
		c := cursorAt(p.first - 1)
		p.first = c.behind
		p.taken++
		c.shared = running
		s.User = c.driver
		s.Result = OK
	case p.ended:
		s.Result = Closed
	default:
		p.idle++
		s.sleepOn(&p.work)
	}
	s.leave(p)
}

// sleepOn needs the lock under which what is waited for is made.
//
//go:nosplit
func (s *Step) sleepOn(e *park.Event) {
	s.Expected, s.Event = e.Announce(), uint64(e.Address())
	s.Flags |= Slept
	s.Result = Sleep
}

// Rest ends a worker's turn with a consumer: with More it goes to the end of the
// queue, else it rests until the next push.
//
//go:nosplit
func (s *Step) Rest() {
	s.begin()
	c := cursorAt(s.Handle.index())
	if c == nil || !s.lock(&c.cursor.Lock) {
		return
	}
	c.book(s)
	c.enter(idle)
	r := c.source()
	p := poolAt(s.Database)
	if s.lock(&p.lock) {
		s.Result = OK
		s.rest(c, r, p)
		s.leave(p)
	}
	s.unlock(&c.cursor.Lock)
}

// rest announces that the consumer rests, and looks again, as for park.Event.
//
//go:nosplit
func (s *Step) rest(c *cursorBlock, r *recordBlock, p *poolBlock) {
	more := s.Flags&More != 0 || c.shared == again
	if !more {
		c.shared = resting
		atomic.StoreUint32(&r.shared, 1)
		more = r.buffer.Waits(&c.cursor) || r.sealed()
	}
	if more {
		p.queue(s.Handle.index(), c)
	}
	s.Flags &^= More
}

// Watch is the watcher's: Sleep while the queue moves or is empty; Timeout, to
// come again after a moment, while it may stand still; Blocked if it has stood
// still since the last look; or Closed.
//
//go:nosplit
func (s *Step) Watch() {
	s.begin()
	p := poolAt(s.Handle.index())
	if p == nil || !s.lock(&p.lock) {
		return
	}
	before := s.Count
	s.Count = 0
	switch {
	case p.ended:
		s.Result = Closed
	case p.first == 0 || p.idle != 0:
		s.sleepOn(&p.stall)
	case before == uint64(p.taken)+1:
		s.Result = Blocked
	default:
		// Not announced: only the end interrupts this look.
		s.Count = uint64(p.taken) + 1 // not 0
		s.Expected, s.Event = p.stall.Count(), uint64(p.stall.Address())
		s.Result = Timeout
	}
	s.unlock(&p.lock)
}
