// SPDX-License-Identifier: Apache-2.0

package buffers

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A model of a buffer and its readers, as simple as the rules: all values ever,
// and for each reader what it has accounted for.
type model struct {
	kind     Kind
	capacity uint64
	produced uint64
	full     bool // mailbox
	taken    uint64
	lost     uint64 // mailbox: overwritten
	readers  map[*Cursor]*modelReader
	order    []*Cursor // as they came
}

// pick finds a reader that is there, by number, or nil.
func (m *model) pick(which int) *Cursor {
	var there []*Cursor
	for _, c := range m.order {
		if m.readers[c] != nil {
			there = append(there, c)
		}
	}
	if len(there) == 0 {
		return nil
	}
	return there[which%len(there)]
}

type modelReader struct {
	next    uint64 // number of the next value it has not accounted for
	account Account
}

func (m *model) push() {
	m.produced++
	if m.kind == Mailbox {
		if m.full {
			m.lost++
		}
		m.full = true
	}
}

func (m *model) attach(c *Cursor) {
	r := &modelReader{next: m.produced + 1}
	if m.kind == Latest && m.produced > 0 {
		r.next--
	}
	m.readers[c] = r
}

// read is what the next read must find.
func (m *model) read(c *Cursor) (number uint64, outcome Outcome, lost uint64) {
	r := m.readers[c]
	waiting := m.produced + 1 - r.next
	switch {
	case m.kind == Mailbox && m.full:
		m.full = false
		m.taken++
		r.account.Delivered++
		return m.produced, Value, 0
	case m.kind == Mailbox || waiting == 0:
		return 0, Empty, 0
	case m.kind == Ring && waiting > m.capacity:
		lost = waiting - m.capacity
		r.next += lost
		r.account.Lagged += lost
		r.account.LaggedEvents++
		return 0, Lagged, lost
	case m.kind == Latest:
		r.account.Skipped += waiting - 1
		r.next = m.produced
	}
	r.account.Delivered++
	r.next++
	return r.next - 1, Value, 0
}

// expect is the account the reader must have.
func (m *model) expect(c *Cursor) Account {
	r := m.readers[c]
	a := r.account
	if m.kind == Mailbox {
		a.Offered = a.Delivered
		return a
	}
	waiting := m.produced + 1 - r.next
	a.Pending = min(waiting, m.capacity)
	if m.kind == Ring {
		a.Lagged += waiting - a.Pending
	} else {
		a.Skipped += waiting - a.Pending
	}
	a.Offered = a.Delivered + a.Lagged + a.Skipped + a.Pending
	return a
}

// follow does one operation to buffer and model and compares.
func (m *model) follow(t require.TestingT, b *bench, op byte, which int) {
	switch op % 6 {
	case 0, 1, 2:
		b.push()
		m.push()
	case 3, 4:
		if c := m.pick(which); c != nil {
			number, f := b.read(c)
			wantNumber, outcome, lost := m.read(c)
			require.Equal(t, outcome, f.Outcome)
			require.Equal(t, lost, f.Lost)
			if outcome == Value {
				require.Equal(t, wantNumber, number)
			}
		}
	default:
		if c := m.pick(which); len(m.readers) > 3 {
			want := m.expect(c)
			c.Stop(&b.buffer)
			got := accountOf(c, &b.buffer)
			require.Equal(t, want.Pending, got.Abandoned)
			require.Equal(t, want.Offered, got.Offered)
			delete(m.readers, c)
		} else {
			m.attach(b.attachAs(m))
		}
	}
	for c := range m.readers {
		require.Equal(t, m.expect(c), accountOf(c, &b.buffer))
	}
	counts := countsOf(&b.buffer)
	require.Equal(t, m.produced, counts.Produced)
	if m.kind == Mailbox {
		require.Equal(t, counts.Produced, counts.Taken+counts.Overwritten+counts.Pending)
		require.Equal(t, []uint64{m.taken, m.lost}, []uint64{counts.Taken, counts.Overwritten})
	}
}

func (b *bench) attachAs(m *model) *Cursor {
	c := b.attach()
	m.order = append(m.order, c)
	return c
}

func TestModel_AnySequenceOfOperationsKeepsTheAccounts(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				capacity := rapid.SampledFrom([]uint64{1, 2, 3, 7, 8, 9}).Draw(rt, "capacity")
				first := rapid.SampledFrom(starts).Draw(rt, "first")
				ops := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(rt, "ops")
				run(rt, t, kind, capacity, first, ops)
			})
		})
	}
}

func run(rt require.TestingT, t testing.TB, kind Kind, capacity, first uint64, ops []byte) {
	if kind != Ring {
		capacity = 1
	}
	b := open(t, kind, capacity, first)
	m := &model{kind: kind, capacity: capacity, readers: make(map[*Cursor]*modelReader)}
	for _, op := range ops {
		m.follow(rt, b, op, int(op/6))
	}
}

func fuzz(f *testing.F, kind Kind) {
	f.Add(uint64(1), uint64(0), []byte{5, 0, 3, 0, 0, 0, 3, 3})
	f.Add(uint64(3), ^uint64(0), []byte{5, 5, 0, 1, 2, 0, 1, 9, 10, 4, 3, 5})
	f.Fuzz(func(t *testing.T, capacity, first uint64, ops []byte) {
		run(t, t, kind, capacity%2000+1, first, ops)
	})
}

func FuzzRing(f *testing.F)    { fuzz(f, Ring) }
func FuzzLatest(f *testing.F)  { fuzz(f, Latest) }
func FuzzMailbox(f *testing.F) { fuzz(f, Mailbox) }
