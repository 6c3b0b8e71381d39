// SPDX-License-Identifier: Apache-2.0

// Package core is AimDB: an in-process data plane.
//
// A program makes a [Database], registers [Record]s, and produces byte values
// into them without ever waiting. Consumers get the values at their own pace,
// through one of three buffers: a ring (every value, losses counted exactly),
// the latest value, or a mailbox (each value to one reader).
//
// All functions may be called from several goroutines. Calls from inside a
// callback that would wait for callbacks must say so (the inside argument), as
// Go has no way to tell.
package core

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/aimdb-dev/aimdb-go/core/park"
)

// Forever is a timeout without limit.
const Forever = park.Forever

// A Database holds records and goes through one life: created, running,
// closing, closed, destroyed.
type Database struct {
	handle Handle
	index  uint32
	log    logger
	worker func(*Database, bool) error

	mu        sync.Mutex
	state     lifecycle
	records   map[string]*Record
	consumers int                    // subscriptions whose dispatcher has not ended
	readers   int                    // open
	cut       bool                   // a close has cut off what was pending
	closings  map[*Closing]struct{}  // calls of Close under way: they work on records until they return
	workers   int                    // of the pool, and its watcher, that have not ended
	watched   bool                   // the pool has its watcher
	reaped    bool                   // the last worker gives the block back
	sharers   map[uint32]*dispatcher // shared consumers in Go, by index
	remains   []*Record              // of a destroyed database
	reaping   bool
}

type lifecycle int

const (
	stateCreated lifecycle = iota
	stateRunning
	stateClosing
	stateClosed
	stateDestroyed
)

func (s lifecycle) String() string {
	return [...]string{"not started", "running", "closing", "closed", "destroyed"}[s]
}

// Config is what a database is made with.
type Config struct {
	Log   func(Level, string) // nil: to standard error
	Level Level               // the least severe level to log
	OnEnd func()              // called once, when Log will not be used again

	// Worker, for databases driven from outside of Go, starts a worker of shared
	// consumers, or their watcher, in the place of a goroutine. It must have
	// [Database.WorkerLeft] called when its step answers Closed.
	Worker func(db *Database, watcher bool) error
}

// New makes a database.
func New(config Config) (*Database, error) {
	index, err := databases.Alloc()
	if err != nil {
		return nil, noBlock(err, &databases, "db", "databases")
	}
	generation := enliven(&databaseAt(index).generation)
	databaseAt(index).pool.reset()
	db := &Database{
		handle: handle(databaseHandle, index, generation), index: index,
		log: newLogger(config), worker: config.Worker, records: make(map[string]*Record),
		sharers: make(map[uint32]*dispatcher), closings: make(map[*Closing]struct{}),
	}
	databaseTable.put(index, db)
	db.log.write(Info, "database created")
	return db, nil
}

// Handle names the database for drivers outside of Go.
func (db *Database) Handle() Handle { return db.handle }

// Index names the database in steps.
func (db *Database) Index() uint32 { return db.index }

// Start opens the database for values.
func (db *Database) Start() error {
	db.mu.Lock()
	was := db.state
	if was == stateCreated {
		db.state = stateRunning
		for _, r := range db.records {
			r.setState(open)
		}
	}
	db.mu.Unlock()
	if was == stateDestroyed {
		return fail(ErrHandle, "db: is destroyed")
	}
	if was != stateCreated {
		return fail(ErrState, "db: is "+was.String()+"; only a database that is not started can be started")
	}
	db.log.write(Info, "database started")
	return nil
}

// Destroy ends the database, its records, consumers and readers. It never
// waits: memory and user pointers follow when the last callback has returned, on
// whatever thread that is.
func (db *Database) Destroy() error {
	if err := db.endHandles(); err != nil {
		return err
	}
	db.tellClosings()
	db.reapIfAtRest()
	return nil
}

func (db *Database) endHandles() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	switch db.state {
	case stateRunning:
		return fail(ErrState, "db: is running; close it before it is destroyed")
	case stateDestroyed:
		return fail(ErrHandle, "db: is destroyed")
	}
	db.state = stateDestroyed
	databaseTable.put(db.index, nil)
	destroyed.put(db.index, db)
	atomic.AddUint32(&databaseAt(db.index).generation, 1)
	db.remains = db.allRecords()
	db.records = nil
	for _, r := range db.remains {
		r.destroy()
	}
	return nil
}

// destroyed finds databases of which something still runs.
var destroyed table[Database]

// ReapDestroyed is what a driver calls whose step asks to Reap: its producer
// function may have been the last to run of a database that is destroyed.
func ReapDestroyed(index uint32) {
	if db := destroyed.get(index); db != nil {
		db.reapIfAtRest()
	}
}

// reapIfAtRest gives the blocks of a destroyed database back and ends the last
// user pointers, if no callback, producer function or close runs any more. Whoever
// ends calls it, so the last one does it.
func (db *Database) reapIfAtRest() {
	db.mu.Lock()
	if db.state != stateDestroyed || db.reaping || !db.atRest() {
		db.mu.Unlock()
		return
	}
	db.reaping = true
	db.mu.Unlock()
	destroyed.put(db.index, nil)
	for _, r := range db.remains {
		r.reap()
	}
	db.endPool()
	db.log.write(Info, "database destroyed")
	db.log.release()
}

// atRest needs mu.
func (db *Database) atRest() bool {
	if len(db.closings) != 0 || db.consumers != 0 {
		return false
	}
	for _, r := range db.remains {
		if atomic.LoadUint32(&r.block.inflight) != 0 {
			return false
		}
	}
	return true
}

// allRecords needs mu.
func (db *Database) allRecords() []*Record {
	all := make([]*Record, 0, len(db.records))
	for _, r := range db.records {
		all = append(all, r)
	}
	return all
}

// AnyType as a type name to open with: the record may have any. No type name of
// a record contains a zero byte.
const AnyType = "\x00"

// Open finds a record. A type name other than [AnyType], and an exact size other
// than [AnySize], must be the record's.
func (db *Database) Open(key, typeName string, exact uint64) (*Record, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	db.mu.Lock()
	r, state := db.records[key], db.state
	db.mu.Unlock()
	switch {
	case state == stateDestroyed:
		return nil, fail(ErrHandle, "db: is destroyed")
	case r == nil:
		return nil, fail(ErrNotFound, "key: no record is registered as "+key)
	case typeName != AnyType && typeName != r.config.TypeName:
		return nil, fail(ErrType, "type_name: is "+orNone(typeName)+", the record's is "+orNone(r.config.TypeName))
	case exact != AnySize && exact != r.config.Exact:
		return nil, fail(ErrType, "exact_size: is "+decimal(exact)+", the record's is "+size(r.config.Exact))
	}
	return r, nil
}

// deadline is the moment a timeout ends; the zero time for Forever.
func deadline(timeout time.Duration) time.Time {
	if timeout == Forever {
		return time.Time{}
	}
	return time.Now().Add(timeout)
}

// left is what remains until a deadline, at least 0.
func left(end time.Time) time.Duration {
	if end.IsZero() {
		return Forever
	}
	return max(0, time.Until(end))
}
