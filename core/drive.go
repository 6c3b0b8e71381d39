// SPDX-License-Identifier: Apache-2.0

package core

import (
	"time"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/park"
)

// drive runs a step to its end for a goroutine: it waits for locks, releases
// those that others sleep for, and wakes. A step that answers Sleep or Call is
// back with its caller. The driver in C does the same (capi/door.c).
func drive(s *Step, op Op) {
	s.Owner = park.Owner()
	for s.Result = Busy; s.Result == Busy; {
		s.Run(op)
		for _, lock := range [...]uint64{s.Held, s.Contended[0], s.Contended[1]} {
			if lock != 0 {
				park.Release(uintptr(lock))
			}
		}
		s.Held = 0
		if s.Wake != 0 {
			park.Wake(uintptr(s.Wake), s.WakeMost)
		}
		if s.Drained != 0 {
			park.Wake(uintptr(s.Drained), park.Everyone)
		}
		if s.Result == Busy && s.Busy != 0 && park.LockAt(uintptr(s.Busy)).Wait(s.Owner) {
			s.Held = s.Busy
		}
	}
	park.Disown()
	if s.Notify != 0 {
		Notify(Handle(s.Notify))
	}
}

// dispatch is the dispatcher of a consumer in Go: a goroutine that takes
// values, calls the callback, and sleeps in between. Its twin in C is
// capi/dispatch.c.
func (c *Consumer) dispatch() {
	buffer := make([]byte, c.record.config.PayloadMax+1)
	message := Incoming{Record: c.record}
	s := Step{Handle: c.handle, Data: unsafe.Pointer(unsafe.SliceData(buffer)), Size: uint64(len(buffer))}
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
			c.Report(s.Count, 0)
			if c.config.OnLag != nil {
				c.config.OnLag(emitter, c.record, s.Count)
			}
		} else {
			message.Data, message.Sequence = buffer[:s.Max], s.Sequence
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
