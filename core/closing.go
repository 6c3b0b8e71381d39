// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync/atomic"
	"time"

	"github.com/aimdb-dev/aimdb-go/core/park"
)

// A Closing is one call of Close. It never waits itself: Step goes as far as it
// can and says what to sleep on, so that a thread of C sleeps outside of Go, its
// signals open.
//
// A database closes in this order:
//
//  1. Intake from outside ends (records are closing). What callbacks emit is still
//     taken.
//  2. It drains: until no callback or producer function runs and no consumer has
//     anything pending, or the time of every call of Close has passed. Then what is
//     pending is cut off: abandoned.
//  3. The records are sealed. Consumers find the end, free their user pointers and
//     end; so do readers, at their own pace.
//
// # Why nothing is forgotten
//
// New values come only from callbacks and producer functions. Closing walks over
// all records and consumers once, in any time, and finds each of them idle: no
// producer function runs, nothing pending, no callback. If the tails of all
// records are then what they were before the walk, nothing was pushed meanwhile.
// So a consumer that was found idle has stayed so, as it wakes up only for a value:
// all of them are idle at once, and stay so for ever. If a tail has moved the walk
// begins again.
//
// Whoever becomes idle in a database that is closing signals its event (rested).
// That is the event's protocol: announce, look, sleep; act, look for the
// announcement.
type Closing struct {
	db      *Database
	end     time.Time // zero: never
	readers bool      // wait until pull readers, too, have taken everything
	parts   []part
	walked  int    // parts found idle in this walk
	tails   uint64 // the sum of the records' tails before it
	ending  bool   // drained or cut off: consumers are awaited
}

// A part of what closing waits for: a record, or a subscription of it.
type part struct {
	record   *Record
	consumer *Consumer
	reader   *Reader
}

// An Await is what to sleep on: while the word at Address holds Expected, at most
// for Left.
type Await struct {
	Address  uintptr
	Expected uint32
	Left     time.Duration
}

// grace is how long, on top of its timeout, closing waits for a consumer whose last
// callback has returned: for its free function, or a worker to run that. patience is
// how long for a thread that needs but a processor, or is in the log function.
const (
	grace    = time.Second / 2
	patience = 10 * grace
)

// BeginClose ends intake. What is left to do is for Step.
//
// With background, which is called when nothing has been done yet and may fail, the
// rest is done on a thread that it has started.
func (db *Database) BeginClose(timeout time.Duration, readers bool, background func(*Closing) error) (*Closing, error) {
	if timeout < 0 {
		return nil, fail(ErrArgument, "timeout_ns: is negative")
	}
	c := &Closing{db: db, end: deadline(timeout), readers: readers}
	db.mu.Lock()
	defer db.mu.Unlock()
	switch db.state {
	case stateCreated:
		return nil, fail(ErrState, "db: is not started; there is nothing to close")
	case stateDestroyed:
		return nil, fail(ErrHandle, "db: is destroyed")
	}
	if background != nil {
		if err := background(c); err != nil {
			return nil, err
		}
	}
	if db.state == stateRunning {
		db.state = stateClosing
		for _, r := range db.records {
			r.setState(closing)
		}
	}
	db.closings[c] = struct{}{}
	c.parts = db.parts(readers)
	c.tails = c.sumOfTails()
	return c, nil
}

// parts needs mu. Consumers are held until the end of the call.
func (db *Database) parts(readers bool) (all []part) {
	for _, r := range db.records {
		all = append(all, part{record: r})
		for c := range r.consumers {
			c.holders++
			all = append(all, part{record: r, consumer: c})
		}
		for reader := range r.readers {
			if readers {
				all = append(all, part{record: r, reader: reader})
			}
		}
	}
	return all
}

// Close is BeginClose and then Step until it is over; from inside a callback the
// rest happens in the background, and the answer is InProgress.
func (db *Database) Close(timeout time.Duration, inside bool) (Status, error) {
	var background func(*Closing) error
	if inside {
		background = func(c *Closing) error { go c.run(); return nil }
	}
	c, err := db.BeginClose(timeout, false, background)
	if err != nil {
		return StatusOf(err), err
	}
	if inside {
		return InProgress, nil
	}
	return c.run(), nil
}

// begun returns when BeginClose has done all it does, which a thread in the
// background may be ahead of.
func (c *Closing) begun() {
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
}

func (c *Closing) run() Status {
	for {
		status, wait := c.Step()
		if status != Sleep {
			return status
		}
		park.Sleep(wait.Address, wait.Expected, wait.Left)
	}
}

// Step answers Sleep, and what to sleep on before the next Step; or what came of
// the closing, when it is over:
//
//   - OK: all was delivered.
//   - Timeout: values were abandoned, or what callbacks emitted was refused.
//   - Blocked: a callback, producer function or free function still runs.
//   - InProgress: another call that has more time goes on.
func (c *Closing) Step() (Status, Await) {
	c.begun()
	event := &databaseAt(c.db.index).drained
	w := Await{Address: event.Address(), Expected: event.Announce()}
	if !c.ending {
		if w.Left, c.ending = c.drain(); !c.ending {
			if w.Left == 0 {
				return c.leave(InProgress), w
			}
			return Sleep, w
		}
		c.walked = 0
	}
	var ended bool
	if w.Left, ended = c.ended(); ended {
		return c.leave(c.outcome()), w
	}
	if w.Left == 0 {
		return c.leave(Blocked), w
	}
	return Sleep, w
}

// drain goes on until all is delivered, or cut off; else it says how long that may
// still take, 0 if only other calls have time. Its own is read once: were it over
// between two looks, no call would be left that cuts off.
func (c *Closing) drain() (wait time.Duration, over bool) {
	if c.drained() {
		c.db.seal(c)
		return 0, true
	}
	wait = left(c.end)
	return wait, c.db.cutOff(c, wait == 0)
}

// drained goes on with the walk.
func (c *Closing) drained() bool {
	for {
		for c.walked < len(c.parts) {
			if !c.parts[c.walked].idle() {
				return false
			}
			c.walked++
		}
		now := c.sumOfTails()
		if now == c.tails {
			return true
		}
		c.walked, c.tails = 0, now
	}
}

func (c *Closing) sumOfTails() (sum uint64) {
	for _, p := range c.parts {
		if p.consumer == nil && p.reader == nil {
			sum += p.record.block.buffer.Tail()
		}
	}
	return sum
}

// idle: nothing runs and nothing is pending here.
func (p part) idle() (idle bool) {
	switch {
	case p.consumer != nil:
		p.consumer.locked(func(b *cursorBlock) {
			idle = atomic.LoadUint32(&b.phase) != calling && !b.waits(p.record.block)
		})
	case p.reader != nil:
		p.record.db.mu.Lock()
		defer p.record.db.mu.Unlock()
		if p.reader.ended {
			return true
		}
		p.reader.locked(func(b *cursorBlock) { idle = !b.waits(p.record.block) })
	default:
		idle = atomic.LoadUint32(&p.record.block.inflight) == 0
	}
	return idle
}

// waits reports whether a value waits for the subscription. It needs cursor.Lock.
func (c *cursorBlock) waits(r *recordBlock) bool {
	return !c.cursor.Stopped() && (c.cursor.Held() != 0 || r.buffer.Waits(&c.cursor))
}

// ended goes on with the walk over what is still to end, and says how long that is
// waited for. Readers, if they are to be, are so also when another call that does
// not ask for them has ended the draining.
func (c *Closing) ended() (wait time.Duration, ended bool) {
	for ; c.walked < len(c.parts); c.walked++ {
		limit := c.end
		switch p := c.parts[c.walked]; {
		case p.reader != nil:
			wait = left(limit)
			if wait != 0 && !p.idle() {
				return wait, false
			}
			continue
		case p.consumer != nil:
			limit, ended = p.consumer.hasEnded(c.end)
		default:
			ended = atomic.LoadUint32(&p.record.block.inflight) == 0
		}
		if !ended {
			return left(limit), false
		}
	}
	return 0, true
}

// hasEnded: the dispatcher has, and the user pointer is freed. A dispatcher of its
// own that is in no callback needs but a processor, unless it is in the log function;
// a shared consumer needs a worker, and all of them may be in other callbacks.
func (c *Consumer) hasEnded(end time.Time) (limit time.Time, ended bool) {
	switch phase := atomic.LoadUint32(&c.block.phase); {
	case phase == done:
		return end, true
	case phase == calling || end.IsZero():
		return end, false
	case phase == idle && !c.config.Shared:
		return end.Add(patience), false
	}
	return end.Add(grace), false
}

// seal ends the streams: everything is delivered.
func (db *Database) seal(c *Closing) {
	for _, p := range c.parts {
		if p.consumer == nil && p.reader == nil {
			p.record.seal()
		}
	}
}

// cutOff ends the draining when the time of this call (late) and of every other has
// passed, or another has ended it, and reports whether it is over: what is pending
// is abandoned.
func (db *Database) cutOff(c *Closing, late bool) bool {
	db.mu.Lock()
	if db.cut || db.state != stateClosing {
		db.mu.Unlock()
		return true
	}
	if !late || db.othersHaveTime(c) {
		db.mu.Unlock()
		return false
	}
	db.cut = true
	for _, r := range db.records {
		r.cutOff()
	}
	lines := db.losses()
	db.mu.Unlock()
	db.seal(c)
	for _, line := range lines {
		db.log.write(Warning, line)
	}
	return true
}

// othersHaveTime needs mu.
func (db *Database) othersHaveTime(c *Closing) bool {
	for other := range db.closings {
		if other != c && left(other.end) != 0 {
			return true
		}
	}
	return false
}

// cutOff abandons what is pending. It needs db.mu.
func (r *Record) cutOff() {
	r.setState(sealed)
	for c := range r.consumers {
		r.abandon(c)
	}
	if r.config.Buffer == Mailbox && r.subscribed != 0 && len(r.readers) == 0 {
		r.locked(func(b *recordBlock) { r.abandoned += b.buffer.Abandon() })
	}
}

// abandon stops a consumer. What that cuts off is close's doing, unless it has
// unsubscribed before. It needs db.mu.
func (r *Record) abandon(c *Consumer) {
	c.stop()
	if !c.detached {
		r.abandoned += c.account().Abandoned
	}
}

// outcome is what the closing has come to, all consumers having ended.
func (c *Closing) outcome() Status {
	db := c.db
	db.mu.Lock()
	defer db.mu.Unlock()
	lost := c.unread()
	for _, p := range c.parts {
		p.record.locked(func(b *recordBlock) { lost = lost || p.record.abandoned != 0 || b.refused != 0 })
	}
	if lost {
		return Timeout
	}
	return OK
}

// unread: readers were to be waited for, and one has not taken everything. It
// needs db.mu.
func (c *Closing) unread() (some bool) {
	for _, p := range c.parts {
		if p.reader != nil && !p.reader.ended {
			p.reader.locked(func(b *cursorBlock) { some = b.waits(p.record.block) || some })
		}
	}
	return some
}

// leave is the end of the call.
func (c *Closing) leave(status Status) Status {
	db := c.db
	db.mu.Lock()
	delete(db.closings, c)
	if status != InProgress && db.state == stateClosing {
		db.state = stateClosed
	}
	for _, p := range c.parts {
		if p.consumer != nil {
			p.consumer.holders--
			p.consumer.freeIfLast()
		}
	}
	db.mu.Unlock()
	db.tellClosings() // the time of the others may count now
	db.reapIfAtRest()
	return status
}

// losses says what was cut off, by record: lines for the log. It needs mu.
func (db *Database) losses() (lines []string) {
	const most = 16
	more := uint64(0)
	for _, r := range db.records {
		switch {
		case r.abandoned == 0:
		case len(lines) == most:
			more++
		default:
			lines = append(lines, r.key+": close abandoned "+decimal(r.abandoned)+" pending values, its timeout having passed")
		}
	}
	if more != 0 {
		lines = append(lines, "close abandoned pending values of "+decimal(more)+" records more")
	}
	return lines
}

// tellClosings makes calls of Close look again.
func (db *Database) tellClosings() {
	event := &databaseAt(db.index).drained
	if event.Signal() {
		park.Wake(event.Address(), park.Everyone)
	}
}

// rested tells calls of Close, after a lock of the record is free, that a consumer
// or producer function of it has become idle, or a reader has taken something.
//
//go:nosplit
func (s *Step) rested(r *recordBlock) {
	if atomic.LoadUint32(&r.state) < closing {
		return
	}
	if e := drainedEvent(atomic.LoadUint32(&r.database)); e != nil && e.Signal() {
		s.Closings = uint64(e.Address())
		s.Todo |= WakeClosings
	}
}
