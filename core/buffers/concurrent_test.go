// SPDX-License-Identifier: Apache-2.0

package buffers

import (
	"encoding/binary"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// values large enough to be caught half written.
const words = 8

// TestConcurrent_NoValueIsTornOrOutOfOrder: one producer at full speed, readers
// that check that every word of a value is its number.
func TestConcurrent_NoValueIsTornOrOutOfOrder(t *testing.T) {
	const values = 200_000
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			b := open(t, kind, 4, ^uint64(0)-values/2)
			cursors := []*Cursor{b.attach(), b.attach()}
			var readers sync.WaitGroup
			seen := make([]uint64, len(cursors))
			for i, c := range cursors {
				readers.Go(func() { seen[i] = readAll(t, b, c, values) })
			}
			for n := uint64(1); n <= values; n++ {
				var value [words]uint64
				for i := range value {
					value[i] = n
				}
				owner := b.buffer.Lock.Lock()
				b.buffer.Push(unsafe.Pointer(&value), words*8)
				b.buffer.Lock.Unlock(owner)
			}
			readers.Wait()
			total := uint64(0)
			for i, c := range cursors {
				a := accountOf(c, &b.buffer)
				assert.Equal(t, seen[i], a.Delivered)
				total += seen[i]
			}
			if kind == Mailbox {
				counts := countsOf(&b.buffer)
				assert.Equal(t, total, counts.Taken)
				assert.EqualValues(t, values, counts.Taken+counts.Overwritten)
			}
		})
	}
}

// readAll reads until the last value has been pushed and nothing is left, and
// gives how many it saw.
func readAll(t *testing.T, b *bench, c *Cursor, last uint64) (seen uint64) {
	before, lost := uint64(0), uint64(0)
	for {
		finished := b.finished(last)
		var value [words * 8]byte
		f := b.fetch(c, value[:])
		switch f.Outcome {
		case Empty:
			if finished {
				return seen
			}
		case Lagged:
			lost += f.Lost
		case Value:
			seen++
			number := binary.NativeEndian.Uint64(value[:])
			for i := 8; i < len(value); i += 8 {
				if n := binary.NativeEndian.Uint64(value[i:]); !assert.Equal(t, number, n, "torn") {
					return seen
				}
			}
			if !assert.Greater(t, number, before, "out of order") {
				return seen
			}
			if b.buffer.Kind() == Ring && !assert.Equal(t, seen+lost, number, "lag is not exact") {
				return seen
			}
			before = number
		}
	}
}

func (b *bench) finished(last uint64) bool {
	owner := b.buffer.Lock.Lock()
	defer b.buffer.Lock.Unlock(owner)
	return countsOf(&b.buffer).Produced == last
}

func BenchmarkPush64(b *testing.B) {
	for name, kind := range kinds {
		b.Run(name, func(b *testing.B) {
			buffer := open(b, kind, 1024, 0)
			var value [64]byte
			for b.Loop() {
				buffer.buffer.Lock.TryLock(1)
				buffer.buffer.Push(unsafe.Pointer(&value), 64)
				buffer.buffer.Lock.TryUnlock(1)
			}
		})
	}
}

func BenchmarkPushAndReceive64(b *testing.B) {
	for name, kind := range kinds {
		b.Run(name, func(b *testing.B) {
			buffer := open(b, kind, 1024, 0)
			c := buffer.attach()
			var value [64]byte
			for b.Loop() {
				buffer.buffer.Lock.TryLock(1)
				buffer.buffer.Push(unsafe.Pointer(&value), 64)
				buffer.buffer.Lock.TryUnlock(1)
				buffer.fetch(c, value[:])
			}
		})
	}
}
