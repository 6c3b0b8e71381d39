// SPDX-License-Identifier: Apache-2.0

package buffers

// The mailbox: one slot. A new value overwrites an untaken one; a value is
// taken by exactly one reader.
//
// # Invariants
//
//  1. The slot, full, and the counters are read and written under Lock. So a
//     value is never torn, and never taken twice.
//  2. full is also loaded without Lock, by readers that look whether to take
//     it, and that is only a hint: they look again with Lock held. It is
//     stored after tail's value and before Lock is freed, so a reader that has
//     announced itself (see park.Event) and then finds it 0 is seen by the
//     producer: both are sequentially consistent.
//  3. produced = taken + overwritten + full + abandoned.
//
// A value wakes one reader. A reader that goes away without having looked
// must pass the wake on (see core's receive step), or the value would lie
// there while others sleep.
//
// Positions only count; at the wrap of 2^64 nothing happens.

// fill counts the value that was there, if one was, and tells of the new one.
//
//go:nosplit
func (b *Buffer) fill() {
	b.overwritten += uint64(b.full)
	publish32(&b.full, 1)
}

// fetchMailbox takes the value: it is delivered in the same step.
//
//go:nosplit
func (b *Buffer) fetchMailbox(c *Cursor, to *Destination) Outcome {
	if b.full == 0 {
		return Empty
	}
	outcome := b.fetchOne(to, 0, b.tail-1)
	if outcome == Value {
		publish32(&b.full, 0)
		b.taken++
		c.held = 1
	}
	return outcome
}
