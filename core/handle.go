// SPDX-License-Identifier: Apache-2.0

package core

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/memory"
)

// A Handle names a database, record, consumer or reader in one word:
//
//	generation | type | index
//
// The index finds a control block in the type's arena, the generation says
// whether the block is still the one that was meant. Live generations are odd,
// so no block of zeroes, and no zero, is a handle. The first generation of a
// block is random: numbers made up outside are not likely handles.
//
// On 64-bit machines 32 bits are the generation, 24 the index; on 32-bit machines
// 14 and 15. A block is another's 2^31 times, or 2^13, until a handle that has ended
// is one again; on 32-bit machines blocks rest until 1,024 others are free, so eight
// million subscriptions or records come in between.
type Handle uint64

const (
	wide      = unsafe.Sizeof(uintptr(0)) / 8 // 1 on 64-bit machines, 0 on others
	indexBits = 15 + 9*wide
	typeBits  = 3
	genBits   = 14 + 18*wide
	genMask   = 1<<genBits - 1
	rest      = int(1024 * (1 - wide))
)

type handleType uint32

const (
	databaseHandle handleType = 1 + iota
	recordHandle
	consumerHandle
	readerHandle
)

//go:nosplit
func (h Handle) index() uint32 { return uint32(h & (1<<indexBits - 1)) }

//go:nosplit
func (h Handle) is(t handleType) bool { return h>>indexBits&(1<<typeBits-1) == Handle(t) }

// names reports whether h has this generation, which changes under the block's
// lock.
//
//go:nosplit
func (h Handle) names(generation uint32) bool {
	return h>>(indexBits+typeBits) == Handle(generation&genMask) && generation&1 == 1
}

//go:nosplit
func handle(t handleType, index, generation uint32) Handle {
	return Handle(generation&genMask)<<(indexBits+typeBits) | Handle(t)<<indexBits | Handle(index)
}

// enliven gives a free block its next generation.
func enliven(generation *uint32) uint32 {
	next := atomic.LoadUint32(generation) + 1
	if next == 1 {
		next = rand.Uint32() | 1
	}
	atomic.StoreUint32(generation, next)
	return next
}

// MostDatabases is how many there can be at once.
const MostDatabases = 1 << 12

var (
	databases = memory.Arena{Shift: 6, Blocks: MostDatabases, Rest: rest}
	records   = memory.Arena{Shift: 8, Blocks: 1 << (14 + 2*wide), Rest: rest}
	cursors   = memory.Arena{Shift: 8, Blocks: 1 << (15 + 3*wide), Rest: rest}
)

// noBlock is the error of an arena that gives no block, about an argument.
func noBlock(err error, a *memory.Arena, argument, what string) error {
	if errors.Is(err, memory.ErrFull) {
		return fail(ErrNoMemory, argument+": the process has "+decimal(uint64(a.Blocks))+" "+what+", and can have no more")
	}
	return fail(ErrNoMemory, argument+": no memory or address space for more "+what)
}

// A table finds the Go side of a handle. Lifecycle only, never per value.
type table[T any] struct {
	mu      sync.RWMutex
	entries []*T
}

func (t *table[T]) put(index uint32, entry *T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for uint32(len(t.entries)) <= index {
		t.entries = append(t.entries, nil)
	}
	t.entries[index] = entry
}

func (t *table[T]) get(index uint32) *T {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if index >= uint32(len(t.entries)) {
		return nil
	}
	return t.entries[index]
}

var (
	databaseTable table[Database]
	recordTable   table[Record]
	consumerTable table[Consumer]
	readerTable   table[Reader]
)

// DatabaseOf finds a database by its handle.
func DatabaseOf(h Handle) (*Database, error) {
	if db := databaseTable.get(h.index()); db != nil && db.handle == h {
		return db, nil
	}
	return nil, fail(ErrHandle, "db: is not a database that exists")
}

// RecordOf finds a record by its handle.
func RecordOf(h Handle) (*Record, error) {
	if r := recordTable.get(h.index()); r != nil && r.handle == h {
		return r, nil
	}
	return nil, fail(ErrHandle, "record: is not a record that exists")
}

// ConsumerOf finds a consumer by its handle.
func ConsumerOf(h Handle) (*Consumer, error) {
	if c := consumerTable.get(h.index()); c != nil && c.handle == h {
		return c, nil
	}
	return nil, fail(ErrHandle, "consumer: is not a consumer that exists")
}

// ReaderOf finds a reader by its handle.
func ReaderOf(h Handle) (*Reader, error) {
	if r := readerTable.get(h.index()); r != nil && r.handle == h {
		return r, nil
	}
	return nil, fail(ErrHandle, "reader: is not a reader that exists")
}
