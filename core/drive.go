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
	for s.Result = Busy; s.Result == Busy; {
		s.Run(op)
		s.settleLocks()
		if s.Todo&WakeUp != 0 {
			park.Wake(uintptr(s.Wake), s.WakeMost)
		}
		if s.Todo&WakeDrained != 0 {
			park.Wake(uintptr(s.Drained), park.Everyone)
		}
		if s.Todo&WaitLock != 0 && park.LockAt(uintptr(s.Busy)).Wait(s.Owner) {
			s.Held = s.Busy
		}
	}
	park.Disown()
	if s.Todo&TellNotify != 0 {
		Notify(Handle(s.Notify))
	}
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

// dispatch is the dispatcher of a consumer in Go: a goroutine that takes
// values, calls the callback, and sleeps in between. Its twin in C is
// capi/dispatch.c.
func (c *Consumer) dispatch() {
	values, room := c.record.config.Batch()
	messages := make([]buffers.Message, values)
	buffer := make([]byte, room+1)
	message := Incoming{Record: c.record}
	s := Step{Handle: c.handle, Destination: buffers.Destination{
		Data: unsafe.Pointer(unsafe.SliceData(buffer)), Size: room, Max: values,
		Messages: unsafe.Pointer(unsafe.SliceData(messages)), Distance: unsafe.Sizeof(messages[0]),
	}}
	at := uintptr(s.Data)
	var f frame
	begun := time.Now()
	for {
		s.Flags |= Wait
		drive(&s, OpNext)
		switch s.Result {
		case Sleep:
			park.Sleep(uintptr(s.Event), s.Expected, Forever)
			begun = time.Now()
			continue
		case Closed:
			c.finish()
			return
		}
		failed := false
		emitter := f.enter(c.record.db, 1)
		if s.Result == Lagged {
			c.Report(s.Lost, 0)
			if c.config.OnLag != nil {
				c.config.OnLag(emitter, c.record, s.Lost)
			}
		} else {
			m := &messages[s.Index]
			message.Data, message.Sequence = buffer[m.Data-at:][:m.Size], m.Sequence
			failed = c.config.Func(emitter, &message) != nil
		}
		f.leave()
		if s.Result == Lagged {
			s.Flags |= Resumed
			continue
		}
		now := time.Now()
		s.Elapsed, begun = uint64(now.Sub(begun)), now
		s.Flags |= Ended
		if failed {
			s.Flags |= Failed
			c.Report(0, 1)
		}
	}
}
