// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync"
	"time"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
)

// A Producer is a record's producer function: it validates or transforms each
// value before it is enqueued, on the goroutine that produces.
type Producer struct {
	// Func accepts a value by returning it, replaces it by returning another,
	// and rejects it by an error. The value is valid during the call.
	Func func(Emitter, []byte) ([]byte, error)

	// For drivers outside of Go: what Step.Call answers.
	Function, User uint64

	OnEnd func() // called once, when the function will not be used again
}

// inGo marks a producer function that is Producer.Func.
const inGo = 1

// SetProducer gives the record its producer function, once, before start.
func (r *Record) SetProducer(p Producer) error {
	r.db.mu.Lock()
	defer r.db.mu.Unlock()
	if r.db.state != stateCreated {
		return fail(ErrState, "record: its database is "+r.db.state.String()+"; a producer function is set before start")
	}
	if p.Func != nil {
		p.Function = inGo
	}
	if p.Function == 0 {
		return fail(ErrArgument, "config.fn: is NULL")
	}
	var err error
	r.locked(func(b *recordBlock) {
		if b.function != 0 {
			err = fail(ErrExists, "record: has a producer function already")
			return
		}
		b.function, b.user = p.Function, p.User
	})
	if err == nil {
		r.producer = p
	}
	return err
}

// Produce gives one value to the record: its producer function runs, a copy
// is enqueued, and who waits is woken. It never waits for a consumer.
func (r *Record) Produce(value []byte) error { return r.produce(value, 0, AnyDatabase) }

func (r *Record) produce(value []byte, depth, database uint32) error {
	s := Step{Handle: r.handle, Depth: depth, Database: database, Destination: buffers.Destination{
		Data: unsafe.Pointer(unsafe.SliceData(value)), Size: uint64(len(value)),
	}}
	drive(&s, OpProduce)
	if s.Result == Call {
		return r.runProducer(&s, value, depth)
	}
	return produceError(&s)
}

var frames = sync.Pool{New: func() any { return new(frame) }}

func (r *Record) runProducer(s *Step, value []byte, depth uint32) error {
	f := frames.Get().(*frame)
	begun := time.Now()
	replaced, err := r.producer.Func(f.enter(r.db, depth+1), value)
	s.Elapsed = uint64(time.Since(begun))
	f.leave()
	frames.Put(f)
	decided := Replace
	s.Data, s.Size = unsafe.Pointer(unsafe.SliceData(replaced)), uint64(len(replaced))
	if err != nil {
		decided = Refuse
	}
	s.Flags = s.Flags&Emitted | decided
	drive(s, OpCommit)
	if s.Result == Rejected {
		return &Error{Rejected, "rejected by the producer function: " + err.Error()}
	}
	return produceError(s)
}

func produceError(s *Step) error {
	switch s.Result {
	case OK:
		return nil
	case Early:
		return fail(ErrState, "record: its database is not started")
	case Foreign:
		return fail(ErrHandle, "record: is not of the emitter's database")
	case ErrHandle:
		return fail(ErrHandle, "record: its database is destroyed")
	case ErrSize:
		return fail(ErrSize, "size: is "+decimal(s.Size)+", the limit or exact size is "+decimal(s.Max))
	case ErrDepth:
		return fail(ErrDepth, "record: emission nested deeper than 16")
	}
	return s.Result
}
