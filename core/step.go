// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync/atomic"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
	"github.com/aimdb-dev/aimdb-go/core/park"
)

// A Step is one piece of the hot path and everything it says and is told.
//
// The hot path is cut into steps so that it can be driven from outside of Go:
// a step never waits, never calls user code, and never returns holding a lock
// it could free. Its driver calls user functions and sleeps, as the Result
// says, and calls the next step. All that a value means happens in steps.
//
//	produce -> OK, or Call: the driver runs the producer function -> commit
//	next    -> OK: the driver runs the callback -> next ...
//	receive -> OK, Empty, Sleep: the driver sleeps -> receive ...
//	take -> OK -> next -> OK: the callback -> ... -> rest -> take ...
//
// Steps are nosplit, allocate nothing, store no pointers and cannot panic,
// with all they call. The driver has checked its arguments: Data points to
// Size bytes.
//
// The layout is part of the contract with drivers in C (capi/step.h).
type Step struct {
	// Produce and commit: Data and Size are the value; out, ErrSize: Max is the
	// limit. Next and receive: where values go; next keeps values there from one
	// step to the next. Peek: Data and Size; out: Size is the value's. Accounts: Data.
	// Watch: Max and Size, for Census; Count is kept from one step to the next.
	buffers.Destination

	Handle    Handle    // in: the record, reader or consumer
	Index     uint64    // out, next: which of the Count values in the driver's memory; watch: kept
	Sequence  uint64    // out, peek: number of the value in its record; watch: kept
	Function  uint64    // out, Call: the producer function
	User      uint64    // out, Call: its user pointer
	Elapsed   uint64    // in: ns the user function took; watch: what time it is; out, watch: ns to sleep at most
	Event     uint64    // out, Sleep: the word to sleep on; stays for the steps after it
	Busy      uint64    // out, Busy: the lock to wait for
	Held      uint64    // in: the lock the driver was handed while it waited; out: to be released
	Contended [2]uint64 // out
	Wake      uint64    // out: the word whose sleepers to wake
	Drained   uint64    // out: another such word, all of its sleepers
	Closings  uint64    // out: another one
	Target    Handle    // out, TellNotify and TellRearm: the record or reader; in, those steps
	Owner     uint32    // in: who takes locks
	Depth     uint32    // in: callbacks the thread is in
	Expected  uint32    // out, Sleep: what the word must hold
	WakeMost  uint32    // out: how many to wake
	Flags     uint32    // in
	Database  uint32    // in, produce: index the record's must be, or AnyDatabase; out: it is; in, rest
	Result    Status    // out
	Todo      uint32    // out: what the driver has to do besides
}

// Results that only drivers see.
const (
	Call    Status = 100 // run the producer function, then commit
	Busy    Status = 101 // wait for the lock, then the same step again
	Sleep   Status = 102 // sleep, then the same step again
	Foreign Status = 103 // the record is of another database
	Early   Status = 104 // the database is not started
	Write   Status = 105 // make the descriptor Index readable, then the same step again
	Drain   Status = 106 // make it unreadable, likewise
	Census  Status = 107 // count the workers that run, into Size and up to Max, then the same step
)

// Flags.
const (
	Wait    uint32 = 1 << iota // announce the reader and answer Sleep, not Empty
	Slept                      // the last step of this call answered Sleep
	Ended                      // next: a callback has ended; Elapsed is set
	Resumed                    // next: a lag callback has ended
	Failed                     // next: and it failed
	Replace                    // commit: the value is the replacement at Data
	Refuse                     // commit: drop the value
	Cancel                     // commit: the producer function could not be called
	More                       // rest: the consumer may have something
	Holding                    // notify, rearm: the step is in the middle of it, its locks held
	Within                     // produce: Database is that of the callback that produces, the record may be of another
	Counted                    // watch: the last step answered Census
	Owes                       // rest: the driver has something to be looked after in time, see LookAfter
	Pull                       // account: of a reader, not a consumer
	Emitted                    // out, produce; in, commit: by a callback of the record's database
)

// What Step.Todo asks for. A field named here holds something only if its bit is
// set; with no bit the driver has nothing to do but what Result says.
const (
	WaitLock     uint32 = 1 << iota // wait for the lock Busy first
	GiveBack                        // release the lock Held
	ReleaseOne                      // release the lock Contended[0] at once
	ReleaseBoth                     // and Contended[1]
	WakeUp                          // wake WakeMost sleepers of the word Wake
	WakeDrained                     // wake all sleepers of the word Drained
	ComeAgain                       // the same step again, after what Result says
	TellNotify                      // step Notify for Target, too; its Result is none
	TellRearm                       // step Rearm, likewise
	TellReady                       // step Ready, likewise
	WakeClosings                    // wake all sleepers of the word Closings
	Reap                            // something of the destroyed database Database may have been the last of it
)

// An Op is a step's number.
type Op int32

const (
	OpProduce Op = iota
	OpCommit
	OpNext
	OpReceive
	OpPeek
	OpReady
	OpTake
	OpRest
	OpWatch
	OpNotify
	OpRearm
	OpAccount
	OpRecordAccount

	Ops = iota
)

// Run runs a step.
//
//go:nosplit
func (s *Step) Run(op Op) {
	switch op {
	case OpProduce:
		s.Produce()
	case OpCommit:
		s.Commit()
	case OpNext:
		s.Next()
	case OpReceive:
		s.Receive()
	case OpPeek:
		s.Peek()
	case OpReady:
		s.Ready()
	case OpTake:
		s.Take()
	case OpRest:
		s.Rest()
	case OpWatch:
		s.Watch()
	case OpNotify:
		s.Notify()
	case OpRearm:
		s.Rearm()
	case OpAccount:
		s.Account()
	case OpRecordAccount:
		s.RecordAccount()
	}
}

// AnyDatabase as Step.Database: the record may be of any.
const AnyDatabase = ^uint32(0)

// MaxDepth is how deep emissions nest on one thread.
const MaxDepth = 16

// lock takes a lock or makes the step answer Busy. A lock the driver was handed
// and the step does not come to take stays in Held, for the driver to release.
//
//go:nosplit
func (s *Step) lock(l *park.Lock) bool {
	if s.Held != 0 && s.Held == uint64(l.Address()) {
		s.Held = 0
		s.Todo &^= GiveBack
		l.Acquired()
		return true
	}
	if l.TryLock(s.Owner) {
		return true
	}
	s.Busy = uint64(l.Address())
	s.Todo |= WaitLock | ComeAgain
	s.Result = Busy
	return false
}

// unlock frees a lock, or leaves it to the driver if someone sleeps for it.
//
//go:nosplit
func (s *Step) unlock(l *park.Lock) {
	if !l.TryUnlock(s.Owner) {
		s.contended(l)
	}
}

//go:nosplit
func (s *Step) contended(l *park.Lock) {
	if s.Todo&ReleaseOne == 0 {
		s.Contended[0] = uint64(l.Address())
		s.Todo |= ReleaseOne
		return
	}
	s.Contended[1] = uint64(l.Address()) // a step takes two locks at most
	s.Todo |= ReleaseBoth
}

// begin clears what the step before has said.
//
//go:nosplit
func (s *Step) begin() {
	s.Todo = 0
	if s.Held != 0 {
		s.Todo = GiveBack
	}
}

// watched reports whether anyone waits for the record's values.
//
//go:nosplit
func (r *recordBlock) watched() bool {
	return r.buffer.Event.Announced() || atomic.LoadUint32(&r.buffer.Armed) != 0 ||
		atomic.LoadUint32(&r.shared) != 0
}

// publish wakes who waits for a value, after the lock is free: they would only
// wait for it. A ring's or latest's value is for all, a mailbox's for one.
//
//go:nosplit
func (s *Step) publish(r *recordBlock) {
	if r.buffer.Event.Signal() {
		most := uint32(park.Everyone)
		if r.buffer.Kind() == buffers.Mailbox {
			most = 1
		}
		s.wake(&r.buffer.Event, most)
	}
	if atomic.LoadUint32(&r.buffer.Armed) != 0 {
		s.tell(TellNotify, handleOf(r))
	}
	if atomic.LoadUint32(&r.shared) != 0 {
		s.Todo |= TellReady
	}
}

//go:nosplit
func (s *Step) wake(e *park.Event, most uint32) {
	s.Wake, s.WakeMost = uint64(e.Address()), most
	s.Todo |= WakeUp
}

//go:nosplit
func (s *Step) tell(what uint32, target Handle) {
	s.Target = target
	s.Todo |= what
}

// awake tells wakers, before a reader looks that has slept, of the others that
// may sleep on: see park.Event.
//
//go:nosplit
func (s *Step) awake() {
	if s.Flags&Slept == 0 {
		return
	}
	s.Flags &^= Slept
	if b := buffers.BufferOf(uintptr(s.Event)); b.Kind() == buffers.Mailbox {
		b.Event.Announce()
	}
}

// passOn wakes another reader of a mailbox in the place of this one, which
// goes away without a value and may have been woken for one.
//
//go:nosplit
func (s *Step) passOn() {
	if s.Event == 0 || faultNoBaton {
		return
	}
	b := buffers.BufferOf(uintptr(s.Event))
	if b.Kind() == buffers.Mailbox && b.Full() && b.Event.Signal() {
		s.wake(&b.Event, 1)
	}
}
