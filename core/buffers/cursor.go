// SPDX-License-Identifier: Apache-2.0

package buffers

import (
	"sync/atomic"

	"github.com/aimdb-dev/aimdb-go/core/park"
)

// A Cursor is one reader's place in a buffer and its account. Everything is
// read and written under Lock, so an account taken under Lock is consistent.
// Two cache lines that no other reader writes.
type Cursor struct {
	Lock     park.Lock
	fence    uint32 // see readRing
	position uint64 // of the next value
	slot     uint64 // ring: where it lies
	start    uint64 // position at the beginning
	stopped  bool   // the account is final
	_        [7]byte

	delivered, laggedEvents, lagged, skipped, abandoned uint64
}

// Attach sets a cursor to the end of a buffer; a latest's to its current value,
// if there is one. The caller holds both locks.
func (c *Cursor) Attach(b *Buffer) {
	c.position, c.slot = b.tail, b.slot
	if b.kind == Latest && !b.neverPushed() {
		c.position--
	}
	c.start = c.position
	c.stopped = false
	c.delivered, c.laggedEvents, c.lagged, c.skipped, c.abandoned = 0, 0, 0, 0, 0
}

// An Account is what became of the values a reader had to account for:
// Offered = Delivered + Lagged + Skipped + Pending + Abandoned.
type Account struct {
	Offered, Delivered, LaggedEvents, Lagged, Skipped, Pending, Abandoned uint64
}

// Account gives the reader's account at this moment: all that changes it is
// under the cursor's lock, which the caller holds, but the one load of tail.
//
//go:nosplit
func (c *Cursor) Account(b *Buffer) Account {
	a := Account{
		Delivered: c.delivered, LaggedEvents: c.laggedEvents, Lagged: c.lagged,
		Skipped: c.skipped, Abandoned: c.abandoned,
	}
	if b.kind == Mailbox {
		a.Offered = c.delivered
		return a
	}
	a.Offered = c.position - c.start
	if c.stopped {
		return a
	}
	behind := atomic.LoadUint64(&b.tail) - c.position
	a.Offered += behind
	a.Pending = min(behind, b.capacity)
	if b.kind == Latest {
		a.Skipped += behind - a.Pending
	} else {
		a.Lagged += behind - a.Pending
	}
	return a
}

// Stopped reports whether the account is final. The caller holds the lock.
//
//go:nosplit
func (c *Cursor) Stopped() bool { return c.stopped }

// Stop ends the account: what is pending is abandoned. The caller holds the
// cursor's lock.
//
//go:nosplit
func (c *Cursor) Stop(b *Buffer) {
	if c.stopped {
		return
	}
	a := c.Account(b)
	c.position = c.start + a.Offered
	c.lagged, c.skipped, c.abandoned = a.Lagged, a.Skipped, a.Pending
	c.stopped = true
}
