// SPDX-License-Identifier: Apache-2.0

package buffers

import (
	"encoding/binary"
	"math"
	"strconv"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/aimdb-dev/aimdb-go/core/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kinds are the shapes that the rules of all buffers are tried with.
var kinds = map[string]Kind{"ring": Ring, "latest": Latest, "mailbox": Mailbox}

var capacities = []uint64{1, 2, 3, 1000, 1024}

// starts are positions of the first value: the beginning, and just below the
// wrap at 2^64.
var starts = []uint64{0, math.MaxUint64, math.MaxUint64 - 1, math.MaxUint64 - 5, math.MaxUint64 - 1030}

// A bench is a buffer with numbers as values.
type bench struct {
	buffer Buffer
	region memory.Region
	pushed uint64 // the last number
}

func open(t testing.TB, kind Kind, capacity, first uint64) *bench {
	t.Helper()
	if kind != Ring {
		capacity = 1
	}
	shape := Shape{Kind: kind, Capacity: capacity, PayloadMax: 64, Exact: AnySize}
	bytes, ok := shape.Bytes()
	require.True(t, ok)
	region, err := memory.Take(bytes)
	require.NoError(t, err)
	b := new(bench)
	b.region = region
	b.buffer.Open(shape, region, first)
	t.Cleanup(b.region.Give)
	return b
}

func (b *bench) push() {
	b.pushed++
	var value [8]byte
	binary.LittleEndian.PutUint64(value[:], b.pushed)
	owner := b.buffer.Lock.Lock()
	b.buffer.Push(unsafe.Pointer(&value), 8)
	b.buffer.Lock.Unlock(owner)
}

func (b *bench) attach() *Cursor {
	c := new(Cursor)
	owner := b.buffer.Lock.Lock()
	c.Attach(&b.buffer)
	b.buffer.Lock.Unlock(owner)
	return c
}

// read reads as a step does: without the lock, and with it if it must.
func (b *bench) read(c *Cursor) (number uint64, f found) {
	var value [64]byte
	f = b.fetch(c, value[:])
	return binary.LittleEndian.Uint64(value[:]), f
}

// found is what a look at one value found.
type found struct {
	Outcome  Outcome
	Size     uint64
	Position uint64
	Lost     uint64
}

// fetch fetches and delivers one value.
func (b *bench) fetch(c *Cursor, value []byte) found {
	var m Message
	to := Destination{
		Data: unsafe.Pointer(unsafe.SliceData(value)), Size: uint64(len(value)),
		Messages: unsafe.Pointer(&m), Distance: unsafe.Sizeof(m), Max: 1,
	}
	outcome := b.buffer.Fetch(c, &to, false)
	if outcome == NeedsLock {
		owner := b.buffer.Lock.Lock()
		outcome = b.buffer.Fetch(c, &to, true)
		b.buffer.Lock.Unlock(owner)
	}
	f := found{Outcome: outcome, Lost: to.Lost}
	switch outcome {
	case Value:
		f.Size, f.Position = uint64(m.Size), m.Sequence-1
		c.Deliver(1)
	case TooSmall:
		f.Size = to.Needed
	}
	return f
}

func accountOf(c *Cursor, b *Buffer) (a Account) {
	c.Account(b, &a)
	return a
}

func countsOf(b *Buffer) (c Counts) {
	b.Count(&c)
	return c
}

func requireBalance(t require.TestingT, c *Cursor, b *Buffer) {
	a := accountOf(c, b)
	require.Equal(t, a.Offered, a.Delivered+a.Lagged+a.Skipped+a.Pending+a.Abandoned)
}

// everyStart runs a test for each capacity and start.
func everyStart(t *testing.T, f func(t *testing.T, capacity, first uint64)) {
	for _, capacity := range capacities {
		for _, first := range starts {
			t.Run(strconv.FormatUint(capacity, 10)+"/"+strconv.FormatUint(first, 10), func(t *testing.T) {
				f(t, capacity, first)
			})
		}
	}
}

func TestRing_EveryReaderSeesEveryValueInOrder(t *testing.T) {
	everyStart(t, func(t *testing.T, capacity, first uint64) {
		b := open(t, Ring, capacity, first)
		readers := []*Cursor{b.attach(), b.attach(), b.attach()}
		for round := uint64(0); round < 3*capacity+7; round++ {
			b.push()
			for _, c := range readers {
				number, f := b.read(c)
				require.Equal(t, Value, f.Outcome)
				require.Equal(t, b.pushed, number)
				require.Equal(t, first+round, f.Position)
				requireBalance(t, c, &b.buffer)
			}
		}
	})
}

func TestRing_ReaderWithinCapacityLosesNothing(t *testing.T) {
	everyStart(t, func(t *testing.T, capacity, first uint64) {
		b := open(t, Ring, capacity, first)
		c := b.attach()
		next := uint64(1)
		for range 4 {
			for range capacity {
				b.push()
			}
			for range capacity {
				number, f := b.read(c)
				require.Equal(t, Value, f.Outcome)
				require.Equal(t, next, number)
				next++
			}
			_, f := b.read(c)
			require.Equal(t, Empty, f.Outcome)
		}
	})
}

func TestRing_LagIsExactOnceAndGoesOnWithTheOldestHeld(t *testing.T) {
	everyStart(t, func(t *testing.T, capacity, first uint64) {
		for _, excess := range []uint64{1, 2, capacity, 3*capacity + 1} {
			b := open(t, Ring, capacity, first)
			c := b.attach()
			for range capacity + excess {
				b.push()
			}
			require.Equal(t, excess, accountOf(c, &b.buffer).Lagged, "counted before it is told")
			_, f := b.read(c)
			require.Equal(t, found{Outcome: Lagged, Lost: excess}, f)
			for n := range capacity {
				number, f := b.read(c)
				require.Equal(t, Value, f.Outcome)
				require.Equal(t, excess+n+1, number)
			}
			_, f = b.read(c)
			require.Equal(t, Empty, f.Outcome)
			a := accountOf(c, &b.buffer)
			require.Equal(t, Account{Offered: capacity + excess, Delivered: capacity, LaggedEvents: 1, Lagged: excess}, a)
		}
	})
}

func TestRing_NewReaderSeesOnlyLaterValues(t *testing.T) {
	b := open(t, Ring, 8, 0)
	b.push()
	c := b.attach()
	_, f := b.read(c)
	require.Equal(t, Empty, f.Outcome)
	b.push()
	number, _ := b.read(c)
	require.EqualValues(t, 2, number)
}

func TestLatest_EachNewestValueAtMostOnce(t *testing.T) {
	for _, first := range starts {
		b := open(t, Latest, 1, first)
		c := b.attach()
		_, f := b.read(c)
		require.Equal(t, Empty, f.Outcome)
		for k := uint64(1); k < 12; k++ {
			for range k {
				b.push()
			}
			number, f := b.read(c)
			require.Equal(t, Value, f.Outcome)
			require.Equal(t, b.pushed, number)
			_, f = b.read(c)
			require.Equal(t, Empty, f.Outcome)
			a := accountOf(c, &b.buffer)
			require.Equal(t, b.pushed-k, a.Skipped+a.Delivered-k)
			requireBalance(t, c, &b.buffer)
		}
	}
}

func TestLatest_FreshReaderSeesTheCurrentValueOnce(t *testing.T) {
	for _, first := range starts {
		b := open(t, Latest, 1, first)
		for range 3 {
			b.push()
		}
		c := b.attach()
		require.EqualValues(t, 1, accountOf(c, &b.buffer).Pending)
		number, f := b.read(c)
		require.Equal(t, Value, f.Outcome)
		require.EqualValues(t, 3, number)
		_, f = b.read(c)
		require.Equal(t, Empty, f.Outcome)
		require.Equal(t, Account{Offered: 1, Delivered: 1}, accountOf(c, &b.buffer))
	}
}

func TestMailbox_ValueIsTakenByExactlyOneReader(t *testing.T) {
	for _, first := range starts {
		b := open(t, Mailbox, 1, first)
		one, other := b.attach(), b.attach()
		b.push()
		number, f := b.read(one)
		require.Equal(t, Value, f.Outcome)
		require.EqualValues(t, 1, number)
		_, f = b.read(other)
		require.Equal(t, Empty, f.Outcome)
		b.push()
		b.push()
		number, _ = b.read(other)
		require.EqualValues(t, 3, number)
		b.push()
		require.Equal(t, Counts{Produced: 4, Bytes: 32, Overwritten: 1, Taken: 2, Pending: 1}, countsOf(&b.buffer))
	}
}

func TestMailbox_AbandonedValueIsCounted(t *testing.T) {
	b := open(t, Mailbox, 1, 0)
	b.push()
	b.buffer.Abandon()
	b.buffer.Abandon()
	require.Equal(t, Counts{Produced: 1, Bytes: 8, Abandoned: 1}, countsOf(&b.buffer))
}

func TestEvery_TooSmallKeepsTheValuePending(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			b := open(t, kind, 4, 0)
			c := b.attach()
			b.push()
			var small [4]byte
			f := b.fetch(c, small[:])
			require.Equal(t, TooSmall, f.Outcome)
			require.EqualValues(t, 8, f.Size)
			number, f := b.read(c)
			require.Equal(t, Value, f.Outcome)
			require.EqualValues(t, 1, number)
		})
	}
}

func TestEvery_StopAbandonsWhatIsPending(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			b := open(t, kind, 4, math.MaxUint64-3)
			c := b.attach()
			for range 7 {
				b.push()
			}
			before := accountOf(c, &b.buffer)
			c.Stop(&b.buffer)
			c.Stop(&b.buffer)
			b.push()
			after := accountOf(c, &b.buffer)
			require.Equal(t, before.Pending, after.Abandoned)
			require.Zero(t, after.Pending)
			require.Equal(t, before.Offered, after.Offered)
			requireBalance(t, c, &b.buffer)
		})
	}
}

func TestRing_HeldValuesArePendingUntilDelivered(t *testing.T) {
	everyStart(t, func(t *testing.T, capacity, first uint64) {
		b := open(t, Ring, capacity, first)
		c := b.attach()
		for range capacity {
			b.push()
		}
		const most = 5
		var messages [most]Message
		var values [most]uint64
		to := Destination{
			Data: unsafe.Pointer(&values), Size: 8 * most,
			Messages: unsafe.Pointer(&messages), Distance: unsafe.Sizeof(Message{}), Max: most,
		}
		require.Equal(t, Value, b.buffer.Fetch(c, &to, false))
		held := min(capacity, most)
		require.Equal(t, held, to.Count)
		require.Equal(t, held, c.Held())
		require.Equal(t, capacity, accountOf(c, &b.buffer).Pending)

		// What is overwritten from here on loses none of them.
		for range 2 * capacity {
			b.push()
		}
		a := accountOf(c, &b.buffer)
		require.Equal(t, held+capacity, a.Pending)
		require.Equal(t, 3*capacity, a.Offered)
		requireBalance(t, c, &b.buffer)
		for i := range held {
			require.Equal(t, i+1, values[i])
			require.Equal(t, first+i+1, messages[i].Sequence)
			c.Deliver(1)
			requireBalance(t, c, &b.buffer)
		}
		_, f := b.read(c)
		require.Equal(t, found{Outcome: Lagged, Lost: 2*capacity - held}, f)
		number, _ := b.read(c)
		require.Equal(t, 2*capacity+1, number)
		c.Stop(&b.buffer)
		requireBalance(t, c, &b.buffer)
	})
}

func TestPeek_GivesTheCurrentValueWithoutConsumingIt(t *testing.T) {
	for _, kind := range []Kind{Latest, Mailbox} {
		b := open(t, kind, 1, math.MaxUint64)
		c := b.attach()
		var value [8]byte
		peek := func(size int) Outcome {
			to := Destination{Size: uint64(size)}
			outcome, _ := b.buffer.Peek(&to)
			if outcome == Value {
				copy(value[:], unsafe.Slice((*byte)(b.buffer.Peeked()), to.Needed))
			}
			return outcome
		}
		require.Equal(t, Empty, peek(8))
		b.push()
		b.push()
		require.Equal(t, Value, peek(8))
		require.EqualValues(t, 2, binary.LittleEndian.Uint64(value[:]))
		require.Equal(t, TooSmall, peek(7))
		number, f := b.read(c)
		require.Equal(t, Value, f.Outcome)
		require.EqualValues(t, 2, number)
	}
}

func TestMemory_IsWhatTheFormulaSays(t *testing.T) {
	for _, capacity := range capacities {
		for _, payload := range []uint64{0, 1, 8, 9, 256, 4096} {
			padded := 8 + (payload+7)/8*8
			for kind, slots := range map[Kind]uint64{Ring: capacity + capacity/8 + 1, Latest: 5, Mailbox: 2} {
				bytes, ok := Shape{Kind: kind, Capacity: capacity, PayloadMax: payload}.Bytes()
				require.True(t, ok)
				require.Equal(t, slots*padded, bytes)
				region, err := memory.Take(bytes)
				require.NoError(t, err)
				page := uint64(memory.PageSize)
				require.EqualValues(t, (bytes+page-1)/page*page, region.Size())
				region.Give()
			}
		}
	}
}

func TestMemory_UncountableShapesAreRefused(t *testing.T) {
	for _, s := range []Shape{
		{Kind: Ring, Capacity: math.MaxUint64, PayloadMax: 1},
		{Kind: Ring, Capacity: 1 << 60, PayloadMax: 1 << 10},
		{Kind: Latest, Capacity: 1, PayloadMax: math.MaxUint64},
		{Kind: Mailbox, Capacity: 1, PayloadMax: 1 << 62},
	} {
		_, ok := s.Bytes()
		require.False(t, ok && s.PayloadMax != 1<<62, "%+v", s)
	}
	_, err := memory.Take(1 << 62)
	require.ErrorIs(t, err, memory.ErrNoMemory)
}

// A database may be destroyed, and its blocks reused, between a subscription's
// end and the look at its last account.
func TestStop_AccountOutlivesTheBuffer(t *testing.T) {
	for name, kind := range kinds {
		for next, other := range kinds {
			t.Run(name+" then "+next, func(t *testing.T) {
				b := open(t, kind, 2, 0)
				var c Cursor
				c.Attach(&b.buffer)
				for range 5 {
					b.push()
				}
				c.Stop(&b.buffer)
				last := accountOf(&c, &b.buffer)
				b.buffer.Open(Shape{Kind: other, Capacity: 1, PayloadMax: 8, Exact: AnySize}, b.region, 0)
				require.Equal(t, last, accountOf(&c, &b.buffer))
			})
		}
	}
}
