// SPDX-License-Identifier: Apache-2.0

package core

import (
	"errors"
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
)

// RecordStats is the account of a record. Of a mailbox,
// Produced = Taken + Overwritten + Pending + Abandoned.
type RecordStats struct {
	buffers.Counts
	Rejected      uint64 // by the producer function
	Readers       uint64 // consumers and readers subscribed now
	Memory        uint64 // bytes
	ProducerCalls uint64
	ProducerNs    uint64 // time in the producer function, total
	ProducerMaxNs uint64 // and the longest
}

// Stats gives a snapshot that is consistent in itself, until the database is
// destroyed.
func (r *Record) Stats() (stats RecordStats, err error) {
	s := Step{Handle: r.handle}
	s.Data = unsafe.Pointer(&stats)
	drive(&s, OpRecordAccount)
	if s.Result != OK {
		return RecordStats{}, fail(ErrHandle, "record: its database is destroyed")
	}
	return stats, nil
}

// countReaders keeps the count where steps see it. It needs db.mu.
func (r *Record) countReaders() {
	atomic.StoreUint32(&r.block.readers, uint32(r.subscribed+len(r.readers)))
}

// DatabaseStats counts what a database holds.
type DatabaseStats struct {
	Records, Consumers, Readers uint64
	Memory                      uint64 // bytes of all records
}

// Stats gives a snapshot, until the database is destroyed.
func (db *Database) Stats() (DatabaseStats, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.state == stateDestroyed {
		return DatabaseStats{}, fail(ErrHandle, "db: is destroyed")
	}
	stats := DatabaseStats{
		Records: uint64(len(db.records)), Consumers: uint64(db.consumers), Readers: uint64(db.readers),
	}
	for _, r := range db.records {
		stats.Memory += r.memory
	}
	return stats, nil
}

// Peek copies the current value of a latest or a mailbox into buffer without
// consuming it. It answers nil, Empty, ErrTooSmall or ErrUnsupported.
func (r *Record) Peek(buffer []byte) (Received, error) {
	s := Step{Handle: r.handle, Destination: buffers.Destination{
		Data: unsafe.Pointer(unsafe.SliceData(buffer)), Size: uint64(len(buffer)),
	}}
	drive(&s, OpPeek)
	switch s.Result {
	case OK:
		return Received{Data: buffer[:s.Size:s.Size], Sequence: s.Sequence}, nil
	case ErrTooSmall:
		return Received{Lost: s.Size}, ErrTooSmall
	}
	return Received{}, s.Result
}

// StatusOf is the status an error of this package carries, ErrInternal for others.
func StatusOf(err error) Status {
	var s Status
	if err == nil || errors.As(err, &s) {
		return s
	}
	return ErrInternal
}
