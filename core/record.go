// SPDX-License-Identifier: Apache-2.0

package core

import (
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
	"github.com/aimdb-dev/aimdb-go/core/memory"
	"github.com/aimdb-dev/aimdb-go/core/park"
)

// A Record is one named stream of values. It lives until its database is
// destroyed.
type Record struct {
	db       *Database
	key      string
	config   RecordConfig
	handle   Handle
	index    uint32
	block    *recordBlock
	region   memory.Region
	memory   uint64 // bytes
	producer Producer

	// Under db.mu.
	consumers  map[*Consumer]struct{} // whose blocks have not been given back
	subscribed int                    // of them neither unsubscribed nor ended
	abandoned  uint64                 // values that close has cut off
	readers    map[*Reader]struct{}
}

// A Kind is one of the three buffers.
type Kind = buffers.Kind

const (
	Ring    = buffers.Ring
	Latest  = buffers.Latest
	Mailbox = buffers.Mailbox
)

// AnySize as RecordConfig.Exact: any size up to PayloadMax.
const AnySize = buffers.AnySize

// RecordConfig is what a record is registered with. DefaultRecord gives the
// defaults.
type RecordConfig struct {
	Buffer     Kind
	Capacity   uint64 // values held for a slow reader, at least 1; ring only
	PayloadMax uint64 // bytes, the largest value
	Exact      uint64 // AnySize, or the only size accepted
	TypeName   string // what Open compares, "" for none
}

// DefaultRecord is a ring of 1024 values of at most 256 bytes.
func DefaultRecord() RecordConfig {
	return RecordConfig{Buffer: Ring, Capacity: 1024, PayloadMax: 256, Exact: AnySize}
}

// Batch is how much a dispatcher has in hand at most, values and bytes: as many
// as fit a page, and few against the capacity, which they come on top of; one
// for a shared consumer, of which there are many.
func (c RecordConfig) Batch(shared bool) (values, bytes uint64) {
	const most, page = 32, 4096
	each := (c.PayloadMax + 7) &^ 7
	values = 1
	if c.Buffer == Ring && !shared {
		values = max(1, min(most, c.Capacity/8, page/max(1, each)))
	}
	return values, values * each
}

// TypeNameMax is the length of the longest type name in bytes.
const TypeNameMax = 255

func (c RecordConfig) check() error {
	switch {
	case c.Buffer > Mailbox:
		return fail(ErrArgument, "config.buffer: "+strconv.Itoa(int(c.Buffer))+" is no buffer")
	case c.Capacity == 0 && c.Buffer == Ring:
		return fail(ErrArgument, "config.capacity: is 0; a ring holds at least 1 value")
	case c.Exact != AnySize && c.Exact > c.PayloadMax:
		return fail(ErrArgument, "config.exact_size: is over payload_max")
	case len(c.TypeName) > TypeNameMax:
		return fail(ErrArgument, "config.type_name: is longer than 255 bytes")
	case strings.Contains(c.TypeName, AnyType):
		return fail(ErrArgument, "config.type_name: contains a zero byte")
	}
	return nil
}

// Register makes a record, before start.
func (db *Database) Register(key string, config RecordConfig) (*Record, error) {
	if faultPanic && key == "panic" {
		panic("planted")
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	if config.Buffer != Ring {
		config.Capacity = 1
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.state != stateCreated {
		return nil, fail(ErrState, "db: is "+db.state.String()+"; records are registered before start")
	}
	if db.records[key] != nil {
		return nil, fail(ErrExists, "key: a record is registered as "+key)
	}
	r, err := db.newRecord(key, config)
	if err != nil {
		return nil, err
	}
	db.records[key] = r
	return r, nil
}

func (db *Database) newRecord(key string, config RecordConfig) (*Record, error) {
	shape := buffers.Shape{
		Kind: config.Buffer, Capacity: config.Capacity, PayloadMax: config.PayloadMax, Exact: config.Exact,
	}
	bytes, countable := shape.Bytes()
	if !countable {
		return nil, fail(ErrNoMemory, "config: capacity times payload_max exceeds any address space")
	}
	region, err := memory.Take(bytes)
	if err != nil {
		return nil, fail(ErrNoMemory, "config: no memory or address space for "+decimal(bytes)+" bytes")
	}
	index, err := records.Alloc()
	if err != nil {
		region.Give()
		return nil, noBlock(err, &records, "db", "records")
	}
	r := &Record{
		db: db, key: key, config: config, index: index, region: region,
		block:     (*recordBlock)(memory.Pointer(records.At(index))),
		consumers: make(map[*Consumer]struct{}), readers: make(map[*Reader]struct{}),
	}
	r.open(shape)
	recordTable.put(index, r)
	return r, nil
}

// open resets the words of a block that late threads leave alone, under the
// lock they would take.
func (r *Record) open(shape buffers.Shape) {
	b := r.block
	owner := b.buffer.Lock.Lock()
	b.buffer.Open(shape, r.region, 0)
	atomic.StoreUint32(&b.state, created)
	atomic.StoreUint32(&b.database, r.db.index)
	b.sharers, b.listeners = 0, 0
	r.memory = uint64(r.region.Size()) + uint64(unsafe.Sizeof(*b))
	b.memory = r.memory
	atomic.StoreUint32(&b.readers, 0)
	atomic.StoreUint32(&b.buffer.Armed, 0)
	atomic.StoreUint32(&b.shared, 0)
	b.function, b.user, b.rejected, b.refused, b.calls, b.ns, b.nsMax = 0, 0, 0, 0, 0, 0, 0
	r.handle = handle(recordHandle, r.index, enliven(&b.generation))
	b.buffer.Lock.Unlock(owner)
}

// Handle names the record for drivers outside of Go.
func (r *Record) Handle() Handle { return r.handle }

// DatabaseIndex names the record's database in steps.
func (r *Record) DatabaseIndex() uint32 { return r.db.index }

// Key is what the record is registered as.
func (r *Record) Key() string { return r.key }

// Config is what the record is registered with.
func (r *Record) Config() RecordConfig { return r.config }

// locked runs f with the record's lock held.
func (r *Record) locked(f func(b *recordBlock)) {
	owner := r.block.buffer.Lock.Lock()
	f(r.block)
	r.block.buffer.Lock.Unlock(owner)
}

func (r *Record) setState(state uint32) {
	r.locked(func(b *recordBlock) { atomic.StoreUint32(&b.state, state) })
}

// seal ends the stream: readers get Closed after the last value.
func (r *Record) seal() {
	r.setState(sealed)
	r.wakeReaders()
}

// wakeReaders makes everyone look again who waits for a value.
func (r *Record) wakeReaders() {
	r.wakeSleepers()
	r.notify()
	r.wakeSharers()
}

func (r *Record) wakeSleepers() {
	event := &r.block.buffer.Event
	event.Broadcast()
	park.Wake(event.Address(), park.Everyone)
}

// destroy ends the record's handles and takes its region. It needs db.mu.
// Whoever reads or writes the region does so under a lock taken here, and after
// a look at what is changed here.
func (r *Record) destroy() {
	r.locked(func(b *recordBlock) {
		atomic.StoreUint32(&b.state, sealed)
		atomic.AddUint32(&b.generation, 1)
	})
	for c := range r.consumers {
		r.abandon(c)
		c.unlist()
	}
	for reader := range r.readers {
		reader.end()
	}
	recordTable.put(r.index, nil)
	r.wakeReaders()
	// A notify under way that saw the old generation ends before the block can be
	// another record's; a peek, before the region is gone.
	r.listening(func(*recordBlock) {})
	r.block.peeking.Unlock(r.block.peeking.Lock())
	r.region.Give()
}

// reap gives the blocks back.
func (r *Record) reap() {
	r.db.mu.Lock()
	for c := range r.consumers {
		c.detach()
		c.freeIfLast()
	}
	r.db.mu.Unlock()
	if r.producer.OnEnd != nil {
		r.producer.OnEnd()
	}
	if poisoned {
		r.block.poison()
	}
	records.Free(r.index)
}

func word(w *uint32) uintptr { return uintptr(unsafe.Pointer(w)) }

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func size(n uint64) string {
	if n == AnySize {
		return "any"
	}
	return decimal(n)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
