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
	s.Result = OK
	// Destroy takes this lock after it has ended the generation, and before the
	// blocks can be another's: who comes later may touch neither.
	if !s.Handle.names(atomic.LoadUint32(&r.generation)) {
		s.unlock(&p.lock)
		return
	}
	p.readyAll(r)
	s.leave(p)
}

// leave unlocks the pool and wakes who is needed for its queue.
//
//go:nosplit
func (s *Step) leave(p *poolBlock) {
	worker, watcher := p.needed()
	watcher = watcher || s.Flags&Owes != 0
	s.Flags &^= Owes
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
// driver's word, until Rest; or Sleep; or Closed, the end of the worker. Who finds
// something in the queue does not end: it may have been woken for that.
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
		p.least = min(p.least, p.idle)
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
	case p.leaving != 0:
		p.leaving--
		p.workers--
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

// Watch is the watcher's, who tells it the time: Sleep for Elapsed at most; Census;
// Blocked, to start one worker more; or Closed.
//
//go:nosplit
func (s *Step) Watch() {
	s.begin()
	p := poolAt(s.Handle.index())
	if p == nil || !s.lock(&p.lock) {
		return
	}
	counted := s.Flags&Counted != 0
	s.Flags &^= Counted
	switch {
	case p.ended:
		s.Result = Closed
	case p.first == 0 || p.idle != 0:
		s.Count = 0
		s.watchIdle(p)
	default:
		s.watchQueue(p, counted)
	}
	s.unlock(&p.lock)
}

// watchIdle ends workers that nobody needs: of those beyond the first, as many as
// were asleep all the time since Index, the last look at that.
//
//go:nosplit
func (s *Step) watchIdle(p *poolBlock) {
	now, extra := s.Elapsed, p.workers-min(p.workers, p.most)
	s.Elapsed = forever
	switch {
	case extra == 0:
		s.Index = 0
	case s.Index == 0:
		s.beginIdle(p, now)
	case now-s.Index < keepLimit:
		s.Elapsed = keepLimit - (now - s.Index)
	default:
		p.leaving = min(p.least, extra)
		if p.leaving != 0 && p.work.Signal() {
			s.wake(&p.work, p.leaving)
		}
		s.beginIdle(p, now)
	}
	s.sleepOn(&p.stall)
}

//go:nosplit
func (s *Step) beginIdle(p *poolBlock, now uint64) {
	s.Index, p.least = now, p.idle
	s.Elapsed = keepLimit
}

// watchQueue looks after a queue that all workers are too busy for. If it stands
// still, as Count says since Sequence, those that block are made up for. Those that
// run are not, while there are as many of them as processors: one more would only
// take turns with them. But none runs for ever at the cost of the others.
//
//go:nosplit
func (s *Step) watchQueue(p *poolBlock, counted bool) {
	now := s.Elapsed
	if s.Count != uint64(p.taken)+1 { // not 0
		s.Count, s.Sequence = uint64(p.taken)+1, now
	}
	stood := now - s.Sequence
	switch {
	case stood < stallLimit:
		s.lookAgain(p, stallLimit-stood)
	case !counted:
		s.Flags |= Counted
		s.Max = uint64(p.processors)
		s.Result = Census
	case s.Size >= uint64(p.processors) && stood < starveLimit:
		s.lookAgain(p, stallLimit)
	default:
		s.Count, p.leaving = 0, 0
		s.Result = Blocked
	}
}

// lookAgain is not announced: only the end interrupts this sleep.
//
//go:nosplit
func (s *Step) lookAgain(p *poolBlock, after uint64) {
	s.Elapsed = after
	s.Expected, s.Event = p.stall.Count(), uint64(p.stall.Address())
	s.Result = Sleep
}
