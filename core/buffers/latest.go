// SPDX-License-Identifier: Apache-2.0

package buffers

import "sync/atomic"

// The single latest: each reader sees the newest value, at most once, and
// never an older one after a newer.
//
// It is a ring of four slots with capacity 1 in which a reader goes to the
// newest value at once and counts what it passed as skipped. Invariants and
// orderings are the ring's; the slot of position p is p mod 4, which also
// holds across the wrap at 2^64. Four slots let a reader finish its copy while
// two newer values are written; after that it copies with Lock held. The fifth
// is for Peek.
const latestSlots = 4

// neverPushed needs Lock.
//
//go:nosplit
func (b *Buffer) neverPushed() bool { return b.tail == b.first }

// fetchLatest tries a bounded number of times before it asks for Lock.
//
//go:nosplit
func (b *Buffer) fetchLatest(c *Cursor, to *Destination, locked bool) Outcome {
	const tries = 3
	for range tries {
		tail := atomic.LoadUint64(&b.tail)
		if tail == c.position {
			return Empty
		}
		newest := tail - 1
		outcome := b.fetchOne(to, newest%latestSlots, newest)
		loadsBeforeLoads(&c.fence)
		if atomic.LoadUint64(&b.tail)-newest >= latestSlots && !locked {
			to.Count = 0
			continue
		}
		if outcome == Value {
			c.lost += newest - c.position
			c.position = newest
			c.held = 1
		}
		return outcome
	}
	return NeedsLock
}
