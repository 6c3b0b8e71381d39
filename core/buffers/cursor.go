// SPDX-License-Identifier: Apache-2.0

package buffers

import (
	"sync/atomic"

	"github.com/aimdb-dev/aimdb-go/core/park"
)

// A Cursor is one reader's place in a buffer and its account. Everything is
// read and written under Lock, so an account taken under Lock is consistent.
// Cache lines that no other reader writes.
type Cursor struct {
	Lock     park.Lock
	fence    uint32 // see loadsBeforeLoads
	position uint64 // of the next value to deliver
	slot     uint64 // ring: where the next value to fetch lies
	start    uint64 // position at the beginning
	held     uint32 // values fetched and not yet delivered
	stopped  bool   // the account is final
	kind     uint8  // the buffer's, which may be another's once the account is final
	_        [2]byte

	delivered, laggedEvents, abandoned uint64

	lost   uint64 // ring: lagged; latest: skipped
	untold uint64 // of them, found when a batch had begun: for the next receive to tell
}

// Attach sets a cursor to the end of a buffer; a latest's to its current value,
// if there is one. The caller holds both locks.
func (c *Cursor) Attach(b *Buffer) {
	c.position, c.slot = b.tail, b.slot
	if b.kind == Latest && !b.neverPushed() {
		c.position--
	}
	c.start = c.position
	c.held, c.stopped, c.kind = 0, false, uint8(b.kind)
	c.delivered, c.laggedEvents, c.abandoned, c.lost, c.untold = 0, 0, 0, 0, 0
}

// An Account is what became of the values a reader had to account for:
// Offered = Delivered + Lagged + Skipped + Pending + Abandoned.
type Account struct {
	Offered, Delivered, LaggedEvents, Lagged, Skipped, Pending, Abandoned uint64
}

// Account writes the reader's account at this moment: all that changes it is
// under the cursor's lock, which the caller holds, but the one load of tail.
//
//go:nosplit
func (c *Cursor) Account(b *Buffer, a *Account) {
	a.Delivered, a.LaggedEvents, a.Abandoned = c.delivered, c.laggedEvents, c.abandoned
	a.Lagged, a.Skipped, a.Pending = 0, 0, 0
	if Kind(c.kind) == Mailbox {
		a.Offered = c.delivered
		return
	}
	a.Offered = c.position - c.start
	lost := c.lost
	if !c.stopped {
		held := uint64(c.held)
		behind := atomic.LoadUint64(&b.tail) - c.position - held
		within := min(behind, b.capacity)
		a.Offered += held + behind
		a.Pending = held + within
		lost += behind - within
	}
	if Kind(c.kind) == Latest {
		a.Skipped = lost
	} else {
		a.Lagged = lost
	}
}

// Held is how many values are fetched and not yet delivered.
//
//go:nosplit
func (c *Cursor) Held() uint64 { return uint64(c.held) }

// Deliver counts n of the held values as delivered. The caller holds the lock.
//
//go:nosplit
func (c *Cursor) Deliver(n uint64) {
	c.held -= uint32(n)
	c.position += n
	c.delivered += n
}

// Untold gives how many lost values are still to be told, which they are then.
//
//go:nosplit
func (c *Cursor) Untold() uint64 {
	n := c.untold
	c.untold = 0
	return n
}

// TellLater keeps them for Untold.
//
//go:nosplit
func (c *Cursor) TellLater(n uint64) { c.untold += n }

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
	var a Account
	c.Account(b, &a)
	c.position, c.held = c.start+a.Offered, 0
	c.lost, c.abandoned = a.Lagged+a.Skipped, a.Pending
	c.stopped = true
}
