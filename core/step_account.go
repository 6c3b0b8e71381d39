// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync/atomic"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
)

// Accounts are taken in steps, too: a lock that a producer may wait for is never
// held by a goroutine, which the scheduler could put aside; and to look at an
// account waits for nothing that goes on in the database.

// Account writes the account of a consumer or reader to the ConsumerStats at Data.
//
//go:nosplit
func (s *Step) Account() {
	s.begin()
	c := cursorAt(s.Handle.index())
	if c == nil || !s.lock(&c.cursor.Lock) {
		if c == nil {
			s.Result = ErrHandle
		}
		return
	}
	s.Result = ErrHandle
	if s.Handle.names(c.generation) && s.Handle.is(c.handleType()) && c.callback == (s.Flags&Pull == 0) {
		c.cursor.Account(&c.source().buffer, (*buffers.Account)(s.Data))
		to := (*ConsumerStats)(s.Data)
		to.Failures, to.CallbackNs, to.CallbackMaxNs = c.failures, c.ns, c.nsMax
		s.Result = OK
	}
	s.unlock(&c.cursor.Lock)
}

//go:nosplit
func (c *cursorBlock) handleType() handleType {
	if c.callback {
		return consumerHandle
	}
	return readerHandle
}

// RecordAccount writes the account of a record to the RecordStats at Data.
//
//go:nosplit
func (s *Step) RecordAccount() {
	s.begin()
	r := recordAt(s.Handle)
	if r == nil || !s.lock(&r.buffer.Lock) {
		if r == nil {
			s.Result = ErrHandle
		}
		return
	}
	s.Result = ErrHandle
	if s.Handle.names(r.generation) {
		to := (*RecordStats)(s.Data)
		r.buffer.Count(&to.Counts)
		to.Rejected, to.Readers, to.Memory = r.rejected, uint64(atomic.LoadUint32(&r.readers)), r.memory
		to.ProducerCalls, to.ProducerNs, to.ProducerMaxNs = r.calls, r.ns, r.nsMax
		s.Result = OK
	}
	s.unlock(&r.buffer.Lock)
}
