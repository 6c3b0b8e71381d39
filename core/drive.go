// SPDX-License-Identifier: Apache-2.0

package core

import (
	"time"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
	"github.com/aimdb-dev/aimdb-go/core/park"
)

// drive runs a step to its end for a goroutine: it waits for locks, releases
// those that others sleep for, and wakes. A step that answers Sleep or Call is
// back with its caller. The driver in C does the same (capi/door.c).
func drive(s *Step, op Op) {
	s.Owner = park.Owner()
	for s.Todo = ComeAgain; s.Todo&ComeAgain != 0; {
		s.Run(op)
		s.settleLocks()
		if s.Todo&WakeUp != 0 {
			park.Wake(uintptr(s.Wake), s.WakeMost)
		}
		if s.Todo&WakeDrained != 0 {
			park.Wake(uintptr(s.Drained), park.Everyone)
		}
		if s.Todo&WakeClosings != 0 {
			park.Wake(uintptr(s.Closings), park.Everyone)
		}
		if s.Todo&WaitLock != 0 && park.LockAt(uintptr(s.Busy)).Wait(s.Owner) {
			s.Held = s.Busy
		}
		switch s.Result {
		case Write:
			makeReadable(int(s.Index))
		case Drain:
			makeUnreadable(int(s.Index))
		}
	}
	park.Disown()
	s.followUp(TellNotify, OpNotify)
	s.followUp(TellRearm, OpRearm)
	s.followUp(TellReady, OpReady)
	if s.Todo&Reap != 0 {
		ReapDestroyed(s.Database)
	}
}

// followUp drives another step if this one asks for it, and keeps its answer.
func (s *Step) followUp(asked uint32, op Op) {
	if s.Todo&asked == 0 {
		return
	}
	result, todo := s.Result, s.Todo
	drive(s, op)
	s.Result, s.Todo = result, todo
}

// settleLocks releases the locks that the step has left to its driver.
func (s *Step) settleLocks() {
	if s.Todo&GiveBack != 0 {
		park.Release(uintptr(s.Held))
		s.Held = 0
	}
	if s.Todo&ReleaseOne != 0 {
		park.Release(uintptr(s.Contended[0]))
	}
	if s.Todo&ReleaseBoth != 0 {
		park.Release(uintptr(s.Contended[1]))
	}
}

// A dispatcher delivers to a consumer in Go: it takes values and calls the
// callback. Its twin in C is capi/dispatch.c.
type dispatcher struct {
	Step
	consumer *Consumer
	messages []buffers.Message
	buffer   []byte
	incoming Incoming
	frame    frame
	begun    time.Time // of the callback: the end of the one before, but for sleeps
}

// newDispatcher takes memory for a batch.
func newDispatcher(c *Consumer) *dispatcher {
	values, room := c.record.config.Batch(c.config.Shared)
	d := &dispatcher{
		consumer: c, messages: make([]buffers.Message, values), buffer: make([]byte, room+1),
		incoming: Incoming{Record: c.record},
	}
	d.Step = Step{Handle: c.handle, Database: c.record.db.index, Destination: buffers.Destination{
		Data: unsafe.Pointer(unsafe.SliceData(d.buffer)), Size: room, Max: values,
		Messages: unsafe.Pointer(unsafe.SliceData(d.messages)), Distance: unsafe.Sizeof(d.messages[0]), Ahead: true,
	}}
	return d
}

// dispatch is the goroutine of a consumer that is not shared.
func (d *dispatcher) dispatch() {
	d.begun = time.Now()
	for {
		d.Flags |= Wait
		drive(&d.Step, OpNext)
		switch d.Result {
		case OK, Lagged:
			d.deliver()
		case Sleep:
			park.Sleep(uintptr(d.Event), d.Expected, Forever)
			d.begun = time.Now()
		default:
			d.consumer.finish()
			return
		}
	}
}

// serve is a worker's turn with a shared consumer.
func (d *dispatcher) serve() {
	d.begun = time.Now()
	for range Share {
		drive(&d.Step, OpNext)
		switch d.Result {
		case OK, Lagged:
			d.deliver()
		case Empty:
			d.rest(0)
			return
		default:
			d.consumer.finish()
			return
		}
	}
	d.rest(More)
}

// rest has a step of its own: with it the consumer, and the dispatcher's step,
// become another worker's.
func (d *dispatcher) rest(more uint32) {
	s := Step{Handle: d.Handle, Database: d.Database, Flags: d.Flags | more, Elapsed: d.Elapsed}
	d.Flags = 0
	drive(&s, OpRest)
}

// deliver calls what the step says.
func (d *dispatcher) deliver() {
	c := d.consumer
	emitter := d.frame.enter(c.record.db, 1)
	if d.Result == Lagged {
		if c.config.OnLag != nil {
			c.config.OnLag(emitter, c.record, d.Lost)
		}
		d.frame.leave()
		c.report(d.Lost, 0)
		d.Flags |= Resumed
		d.begun = time.Now()
		return
	}
	m := &d.messages[d.Index]
	d.incoming.Data = d.buffer[m.Data-uintptr(d.Data):][:m.Size]
	d.incoming.Sequence = m.Sequence
	failed := c.config.Func(emitter, &d.incoming) != nil
	d.frame.leave()
	now := time.Now()
	d.Elapsed, d.begun = uint64(now.Sub(d.begun)), now
	d.Flags |= Ended
	if failed {
		d.Flags |= Failed
		c.report(0, 1)
	}
}
