// SPDX-License-Identifier: Apache-2.0

package buffers

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// The SPMC ring: every reader sees every value in order, each at its own
// cursor; one that is more than capacity behind loses the oldest and is told
// how many.
//
// Positions count values and wrap at 2^64; only differences of positions are
// compared, so the wrap is like any other number. Slots are walked with an
// index of their own, not computed from the position, so any number of slots
// goes on across the wrap.
//
// # Invariants
//
//  1. tail is the position of the next value, slot the slot it goes to. Both
//     are written under Lock only; tail is loaded by anyone.
//  2. The value at position p lies in one slot from the store of tail = p+1
//     until a producer begins to write position p+slots, which is after the
//     store of tail = p+slots.
//  3. slots > capacity: the slot being written never belongs to one of the
//     capacity values behind tail. The eighth more is time for a reader that
//     copies the oldest of them.
//  4. A reader's slot holds the position of the next value it will fetch,
//     position+held: they start as (tail, slot), read under Lock, and advance
//     together. The held values are in the reader's own memory: what is
//     overwritten from then on loses none of them.
//
// # Why each ordering holds
//
// A reader never uses a value that is not whole: it sees tail > p by an
// acquiring load, and the producer's store of tail = p+1, a release, comes
// after the payload (STLR on arm64, any store on amd64).
//
// A reader never uses a value that was being overwritten. It copies, then
// loads tail again, and takes the copies only if tail-p < slots, p the oldest
// of them. By (2) whoever
// writes into that slot anew has stored tail = p+slots before. Needed is that
// a reader which saw a byte of the new value also sees that tail:
//
//   - in the producer, the store of tail before the later stores to the
//     payload. Between them the lock is freed and taken again: STLR (tail) is
//     ordered before the acquiring load of the CAS that takes the lock, and
//     that before the stores that follow (arm64: [L];po;[A] and [A];po). On
//     amd64 stores are never reordered.
//   - in the reader, the loads of the payload before the second load of tail
//     (loadsBeforeLoads).
//
// A reader that was overtaken while it copied looks again with Lock held: no
// producer can overtake it there, so it cannot starve. A lag needs no lock: how
// far the reader is behind one tail says how much is lost, and how many slots
// to go on.

// ringSlots is the capacity, the slot being written, and an eighth.
func ringSlots(capacity uint64) uint64 { return capacity + capacity/8 + 1 }

//go:nosplit
func (b *Buffer) claimRing() uint64 {
	slot := b.slot
	b.slot++
	if b.slot == b.slots {
		b.slot = 0
	}
	return slot
}

// fetchRing copies what is there, at most to.Max values, between one load of
// tail and another. Producers take tail's cache line from the reader at every
// push; so it is asked for twice in a batch, not twice a value.
//
// A reader that has lagged goes on from the oldest value held. If it can hold
// values (to.Ahead), it takes some at once: until it came again, so many more
// might be lost that it would never get one.
//
//go:nosplit
func (b *Buffer) fetchRing(c *Cursor, to *Destination, locked bool) Outcome {
	behind := atomic.LoadUint64(&b.tail) - c.position
	if behind == 0 {
		return Empty
	}
	outcome := Value
	if behind > b.capacity {
		to.Lost = b.lag(c, behind-b.capacity)
		outcome, behind = Lagged, b.capacity
		if !to.Ahead {
			return Lagged
		}
	}
	slot := b.copyMany(c, to, min(behind, to.Max))
	loadsBeforeLoads(&c.fence)
	// The oldest is the first to be overwritten.
	if atomic.LoadUint64(&b.tail)-c.position >= b.slots { // never with Lock held: tail stands still
		to.Count = 0
		if outcome == Lagged {
			return Lagged
		}
		return NeedsLock
	}
	if to.Count == 0 && outcome == Value {
		return TooSmall
	}
	c.slot = slot
	c.held = uint32(to.Count)
	return outcome
}

// copyMany copies the next values, at most n, while they fit, and gives the slot
// behind them. Without Lock what it copies may be torn, as in copyOut.
//
//go:nosplit
func (b *Buffer) copyMany(c *Cursor, to *Destination, n uint64) (slot uint64) {
	slot = c.slot
	for i, used := uint64(0), uint64(0); i < n; i++ {
		at := b.at(slot)
		size := loadSize(at)
		if i == 0 {
			to.Needed = size
		}
		if size > to.Size-used {
			break
		}
		into := unsafe.Add(to.Data, uintptr(used))
		copyFromSlot(into, unsafe.Add(at, header), uintptr(size))
		to.describe(i, into, size, c.position+i)
		to.Count = i + 1
		used = min(used+(size+7)&^7, to.Size)
		slot++
		if slot == b.slots {
			slot = 0
		}
	}
	return slot
}

// lag moves the cursor over n lost values to the oldest held, and gives how many
// to tell.
//
//go:nosplit
func (b *Buffer) lag(c *Cursor, n uint64) uint64 {
	c.slot += modulo(n, b.slots)
	if c.slot >= b.slots {
		c.slot -= b.slots
	}
	c.position += n
	c.lost += n
	c.laggedEvents++
	if faultLagOffByOne {
		n--
	}
	return n
}

// modulo is n % m, m not 0, without a division, for which the compiler adds a
// panic. Each round takes at least half of n away.
//
//go:nosplit
func modulo(n, m uint64) uint64 {
	for n >= m {
		shift := uint(bits.LeadingZeros64(m)-bits.LeadingZeros64(n)) & 63
		if m<<shift > n {
			shift--
		}
		n -= m << (shift & 63)
	}
	return n
}
