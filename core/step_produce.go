// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync/atomic"
)

// Produce gives the Size bytes at Data to the record, or, if it has a producer
// function, answers Call.
//
//go:nosplit
func (s *Step) Produce() {
	s.begin()
	r := recordAt(s.Handle)
	if r == nil {
		s.Result = ErrHandle
		return
	}
	if s.Depth > MaxDepth {
		s.Result = ErrDepth
		return
	}
	if !s.lock(&r.buffer.Lock) {
		return
	}
	s.Result = OK
	if !r.admits(s) && !r.admitsLate(s) {
		s.Result = r.refusal(s)
		s.unlock(&r.buffer.Lock)
		return
	}
	if r.function != 0 {
		if s.Database == r.database {
			s.Flags |= Emitted
		}
		s.Database = r.database
		atomic.AddUint32(&r.inflight, 1)
		s.Function, s.User, s.Max = r.function, r.user, r.buffer.PayloadMax()
		s.Result = Call
		s.unlock(&r.buffer.Lock)
		return
	}
	s.Database = r.database
	r.buffer.Push(s.Data, s.Size)
	s.unlock(&r.buffer.Lock)
	if r.watched() {
		s.publish(r)
	}
}

// admits checks what produce is called with.
//
//go:nosplit
func (r *recordBlock) admits(s *Step) bool {
	return s.Handle.names(r.generation) && r.state == open && r.buffer.Accepts(s.Size) &&
		(s.Database == AnyDatabase || s.Database == r.database)
}

// admitsLate: what callbacks of the database emit while it drains is taken.
//
//go:nosplit
func (r *recordBlock) admitsLate(s *Step) bool {
	if s.Flags&Within != 0 && s.Database != r.database {
		s.Database = AnyDatabase // from a callback of another database: from outside
		return r.admits(s)
	}
	return r.state == closing && s.Database == r.database && s.Handle.names(r.generation) &&
		r.buffer.Accepts(s.Size)
}

// refusal says why not.
//
//go:nosplit
func (r *recordBlock) refusal(s *Step) Status {
	switch {
	case !s.Handle.names(r.generation):
		return ErrHandle
	case s.Database != AnyDatabase && s.Database != r.database:
		return Foreign
	case r.state == created:
		return Early
	case r.state != open && (r.state != closing || s.Database == AnyDatabase):
		if s.Database == r.database {
			r.refused++
		}
		return Closed
	}
	return r.accept(s)
}

//go:nosplit
func (r *recordBlock) accept(s *Step) Status {
	if r.buffer.Accepts(s.Size) {
		return OK
	}
	s.Max = r.buffer.PayloadMax()
	if s.Size <= s.Max {
		s.Max = r.buffer.Exact()
	}
	return ErrSize
}

// Commit ends what Produce began with Call. The record is named by its block,
// which is not reused while inflight says that this step will come; its
// generation may have ended meanwhile.
//
//go:nosplit
func (s *Step) Commit() {
	s.begin()
	r := recordAt(s.Handle)
	if r == nil || !s.lock(&r.buffer.Lock) {
		return
	}
	s.Result = r.settle(s)
	if s.Result == OK {
		r.buffer.Push(s.Data, s.Size)
	}
	last := atomic.AddUint32(&r.inflight, ^uint32(0)) == 0 && r.state != open
	if last && r.generation&1 == 0 {
		s.Database = r.database
		s.Todo |= Reap
	}
	s.unlock(&r.buffer.Lock)
	if s.Result == OK {
		s.publish(r)
	}
	if last {
		s.rested(r)
	}
}

// settle counts the call and says what becomes of the value.
//
//go:nosplit
func (r *recordBlock) settle(s *Step) Status {
	if s.Flags&Cancel != 0 {
		return ErrNoMemory
	}
	r.calls++
	r.ns += s.Elapsed
	r.nsMax = max(r.nsMax, s.Elapsed)
	if s.Flags&Refuse != 0 {
		r.rejected++
		return Rejected
	}
	if s.Flags&Replace != 0 {
		if status := r.accept(s); status != OK {
			r.rejected++
			return status
		}
	}
	if r.state == sealed {
		if s.Flags&Emitted != 0 {
			r.refused++
		}
		return Closed
	}
	return OK
}
