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
// the queue for stallLimit: then it starts one worker more. Workers beyond the
// first end when they were not needed for keepLimit: the watcher says how many
// are to leave, and who finds the queue empty does.

// A poolBlock is what the steps of the pool work on; everything is under lock.
type poolBlock struct {
	lock  park.Lock
	work  park.Event // where workers sleep
	stall park.Event // where the watcher sleeps
	first uint32     // the queue, from the first to the last; cursor index + 1, 0: empty
	last  uint32
	idle  uint32 // workers asleep
	taken uint32 // from the queue, ever

	workers    uint32 // there are; the watcher is none
	most       uint32 // that stay when they are not needed
	processors uint32
	least      uint32 // the fewest idle since the watcher has looked
	leaving    uint32 // workers that are to end

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

// What the watcher waits for, in ns.
const (
	stallLimit  = 10_000_000    // how long the queue may stand still
	starveLimit = 1_000_000_000 // if all processors run callbacks
	keepLimit   = 1_000_000_000 // how long a worker is kept that is not needed
	forever     = 1<<63 - 1
)

const mostWorkers = 4 // that stay

// reset makes a block that was another database's ready. Its lock and events
// keep their words, for threads that are late.
func (p *poolBlock) reset() {
	owner := p.lock.Lock()
	p.first, p.last, p.idle, p.ended = 0, 0, 0, false
	p.workers, p.leaving = 0, 0
	p.processors = uint32(runtime.NumCPU())
	p.most = min(p.processors, mostWorkers)
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

// startPool starts the workers and the watcher, if they are not there. One worker
// is enough to go on with: the next subscription, or the watcher, tries again.
func (db *Database) startPool() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	var there, wanted uint32
	db.pooled(func(p *poolBlock) {
		if !db.watched {
			p.leaving = 0 // who has not gone yet stays
		}
		there, wanted = p.workers, p.most
	})
	for ; there < wanted; there++ {
		if err := db.startWorker(); err != nil && there == 0 {
			return err
		} else if err != nil {
			break
		}
	}
	if db.watched {
		return nil
	}
	if err := db.start(true); err != nil {
		db.dismissWorkers()
		return err
	}
	db.watched = true
	return nil
}

// AddWorker starts one worker more, for the watcher. It may fail: the watcher
// comes again.
func (db *Database) AddWorker() {
	db.mu.Lock()
	defer db.mu.Unlock()
	_ = db.startWorker()
}

// startWorker needs db.mu. The worker is counted before it can leave.
func (db *Database) startWorker() error {
	db.pooled(func(p *poolBlock) { p.workers++ })
	err := db.start(false)
	if err != nil {
		db.pooled(func(p *poolBlock) { p.workers-- })
	}
	return err
}

// start starts a worker or the watcher. It needs db.mu.
func (db *Database) start(watcher bool) error {
	if db.worker != nil {
		if err := db.worker(db, watcher); err != nil {
			return err
		}
	} else if watcher {
		go db.watch()
	} else {
		go db.work()
	}
	db.workers++
	return nil
}

// dismissWorkers ends all workers of a pool that has no watcher and serves nobody.
func (db *Database) dismissWorkers() {
	db.pooled(func(p *poolBlock) { p.leaving = p.workers })
	wakeAll(&databaseAt(db.index).pool.work)
}

func wakeAll(e *park.Event) {
	e.Broadcast()
	park.Wake(e.Address(), park.Everyone)
}

// LookAfter makes a worker look after the consumer, for a driver outside of Go that
// has rested it with Owes.
func (c *Consumer) LookAfter() {
	c.record.db.pooled(func(p *poolBlock) { p.ready(c.index) })
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
	wakeAll(&p.work)
	wakeAll(&p.stall)
	db.mu.Lock()
	defer db.mu.Unlock()
	db.reaped = true
	db.freeIfLeft()
}

// freeIfLeft needs db.mu.
func (db *Database) freeIfLeft() {
	if db.reaped && db.workers == 0 {
		if poisoned {
			databaseAt(db.index).pool.poison()
		}
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

// watch is the watcher in Go, where nobody can say which goroutines run: all are
// taken to be blocked, as one more costs little.
func (db *Database) watch() {
	s := Step{Handle: db.handle}
	for begun := time.Now(); ; {
		s.Elapsed = uint64(time.Since(begun)) + 1
		drive(&s, OpWatch)
		switch s.Result {
		case Sleep:
			park.Sleep(uintptr(s.Event), s.Expected, time.Duration(s.Elapsed))
		case Census:
			s.Size = 0
		case Blocked:
			db.AddWorker()
		default:
			db.WorkerLeft()
			return
		}
	}
}
