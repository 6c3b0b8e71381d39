// SPDX-License-Identifier: Apache-2.0

package core

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/aimdb-dev/aimdb-go/core/park"
)

// Shared consumers have no dispatcher of their own: the workers of their
// database's pool deliver to them. A consumer that may have something stands
// in a queue; a worker takes it, delivers some values, and puts it to rest or
// back in the queue. A push of a record with resting consumers queues them and
// wakes one worker, which wakes the next if the queue is not empty.
//
// Each worker is in one callback at a time; callbacks that block, for however
// long, hold up others only until the watcher sees that nothing was taken from
// the queue for stallLimit: then it starts one worker more.

// A poolBlock is what the steps of the pool work on; everything is under lock.
type poolBlock struct {
	lock  park.Lock
	work  park.Event // where workers sleep
	stall park.Event // where the watcher sleeps
	first uint32     // the queue, from the first to the last; cursor index + 1, 0: empty
	last  uint32
	idle  uint32 // workers asleep
	taken uint32 // from the queue, ever
	ended bool
	_     [3]byte
}

// The states of a shared consumer, under the pool's lock.
const (
	single  uint8 = iota // not shared
	resting              // nothing to deliver; the record's shared word is set
	queued
	running // a worker has it
	again   // and it is to be queued after that
)

// Share says how many values a worker delivers to one consumer before it looks
// after the next.
const Share = 64

// stallLimit is how long the queue may stand still.
const stallLimit = 10 * time.Millisecond

const mostWorkers = 4 // to begin with

// reset makes a block that was another database's ready. Its lock and events
// keep their words, for threads that are late.
func (p *poolBlock) reset() {
	owner := p.lock.Lock()
	p.first, p.last, p.idle, p.ended = 0, 0, 0, false
	p.lock.Unlock(owner)
}

// share makes the pool serve the consumer: first it is looked after, then it
// rests.
func (c *Consumer) share() {
	db, r, b := c.record.db, c.record.block, c.block
	db.pooled(func(p *poolBlock) {
		b.next, r.sharers = r.sharers, c.index+1
		b.shared = resting
		p.ready(c.index)
	})
}

// unshare takes the consumer, which a worker has, out of the pool.
func (c *Consumer) unshare() {
	c.record.db.pooled(func(*poolBlock) {
		for link := &c.record.block.sharers; *link != 0; link = &cursorAt(*link - 1).next {
			if *link == c.index+1 {
				*link = c.block.next
				break
			}
		}
		c.block.shared = single
	})
}

// wakeSharers makes workers look after the record's shared consumers.
func (r *Record) wakeSharers() {
	r.db.pooled(func(p *poolBlock) { p.readyAll(r.block) })
}

// readyAll queues the record's resting consumers.
//
//go:nosplit
func (p *poolBlock) readyAll(r *recordBlock) {
	atomic.StoreUint32(&r.shared, 0)
	for i := r.sharers; i != 0; i = cursorAt(i - 1).next {
		p.ready(i - 1)
	}
}

// ready makes sure that a worker looks after the consumer from now on.
//
//go:nosplit
func (p *poolBlock) ready(index uint32) {
	switch c := cursorAt(index); c.shared {
	case resting:
		p.queue(index, c)
	case running:
		c.shared = again
	}
}

//go:nosplit
func (p *poolBlock) queue(index uint32, c *cursorBlock) {
	c.shared, c.behind = queued, 0
	if p.first == 0 {
		p.first = index + 1
	} else {
		cursorAt(p.last - 1).behind = index + 1
	}
	p.last = index + 1
}

// needed says who has to look after the queue: a worker, and if none is left
// for it, the watcher.
//
//go:nosplit
func (p *poolBlock) needed() (worker, watcher bool) { return p.first != 0, p.first != 0 && p.idle == 0 }

// pooled runs f with the pool's lock held, and wakes who is needed for what f
// has queued: Step.leave in Go.
func (db *Database) pooled(f func(p *poolBlock)) {
	p := &databaseAt(db.index).pool
	owner := p.lock.Lock()
	f(p)
	worker, watcher := p.needed()
	p.lock.Unlock(owner)
	if worker && p.work.Signal() {
		park.Wake(p.work.Address(), 1)
	}
	if watcher && p.stall.Signal() {
		park.Wake(p.stall.Address(), 1)
	}
}

// startPool starts the workers and the watcher, if they are not there.
func (db *Database) startPool() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	wanted := 1 + min(runtime.NumCPU(), mostWorkers)
	for db.workers < wanted {
		if err := db.startWorker(db.workers == 0); err != nil {
			return err
		}
	}
	return nil
}

// AddWorker starts one worker more, for the watcher. It may fail: the watcher
// comes again.
func (db *Database) AddWorker() {
	db.mu.Lock()
	defer db.mu.Unlock()
	_ = db.startWorker(false)
}

// startWorker needs db.mu.
func (db *Database) startWorker(watcher bool) error {
	db.workers++
	run := db.work
	if watcher {
		run = db.watch
	}
	if db.worker == nil {
		go run()
		return nil
	}
	err := db.worker(db, watcher)
	if err != nil {
		db.workers--
	}
	return err
}

// WorkerLeft tells that a worker or the watcher has ended, which it does when
// its step answers Closed. The last one leaves the block to others.
func (db *Database) WorkerLeft() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.workers--
	db.freeIfLeft()
}

// endPool ends the workers; nothing is shared any more.
func (db *Database) endPool() {
	db.pooled(func(p *poolBlock) { p.ended = true })
	p := &databaseAt(db.index).pool
	for _, event := range [...]*park.Event{&p.work, &p.stall} {
		event.Broadcast()
		park.Wake(event.Address(), park.Everyone)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.reaped = true
	db.freeIfLeft()
}

// freeIfLeft needs db.mu.
func (db *Database) freeIfLeft() {
	if db.reaped && db.workers == 0 {
		databases.Free(db.index)
	}
}

// work is a worker in Go. Its twin in C is in capi/pool.c.
func (db *Database) work() {
	s := Step{Handle: db.handle}
	for {
		s.Flags |= Wait
		drive(&s, OpTake)
		switch s.Result {
		case OK:
			db.sharer(uint32(s.Index)).serve()
		case Sleep:
			park.Sleep(uintptr(s.Event), s.Expected, Forever)
		default:
			db.WorkerLeft()
			return
		}
	}
}

func (db *Database) keepSharer(index uint32, d *dispatcher) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.sharers[index] = d
}

// sharer is the dispatcher of the consumer in Go that has this index.
func (db *Database) sharer(index uint32) *dispatcher {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.sharers[index]
}

// watch is the watcher in Go.
func (db *Database) watch() {
	s := Step{Handle: db.handle}
	for {
		drive(&s, OpWatch)
		switch s.Result {
		case Sleep:
			park.Sleep(uintptr(s.Event), s.Expected, Forever)
		case Timeout:
			park.Sleep(uintptr(s.Event), s.Expected, stallLimit)
		case Blocked:
			db.AddWorker()
		default:
			db.WorkerLeft()
			return
		}
	}
}
