// SPDX-License-Identifier: Apache-2.0

package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A modelRecord says what a record and its readers must have accounted for.
type modelRecord struct {
	produced uint64
	readers  map[*Reader]*modelReader
	order    []*Reader
}

type modelReader struct {
	since uint64 // values there were when it subscribed
	last  uint64 // number of the last value it got, or lost
	got   uint64
	lost  uint64
}

// TestModel_AnySequenceOfCallsKeepsTheAccounts: produce, receive, subscribe,
// unsubscribe and close in any order, against a model of a ring.
func TestModel_AnySequenceOfCallsKeepsTheAccounts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		db, err := New(Config{Level: Off})
		require.NoError(rt, err)
		defer db.Destroy()
		defer db.Close(Forever, false)
		config := DefaultRecord()
		config.Capacity = rapid.SampledFrom([]uint64{1, 2, 3, 8, 9}).Draw(rt, "capacity")
		r, err := db.Register("r", config)
		require.NoError(rt, err)
		require.NoError(rt, db.Start())
		var consumed []uint64
		consumer, err := r.Subscribe(ConsumerConfig{
			Shared: rapid.Bool().Draw(rt, "shared"),
			Func: func(_ Emitter, m *Incoming) error {
				consumed = append(consumed, value(m.Data))
				return nil
			},
		})
		require.NoError(rt, err)
		m := &modelRecord{readers: make(map[*Reader]*modelReader)}
		for _, op := range rapid.SliceOfN(rapid.IntRange(0, 9), 1, 120).Draw(rt, "ops") {
			m.step(rt, r, config.Capacity, op)
			s := accountOf(t, consumer.Stats)
			require.Equal(rt, m.produced, s.Offered)
		}
		status, err := db.Close(time.Minute, false)
		require.NoError(rt, err)
		require.Equal(rt, OK, status)
		require.ErrorIs(rt, r.Produce(nil), Closed)
		s := accountOf(t, consumer.Stats)
		require.Equal(rt, m.produced, s.Delivered+s.Lagged)
		require.Len(rt, consumed, int(s.Delivered))
		for _, reader := range m.order {
			m.drain(rt, reader, config.Capacity)
		}
	})
}

func (m *modelRecord) step(t *rapid.T, r *Record, capacity uint64, op int) {
	switch {
	case op < 5:
		m.produced++
		require.NoError(t, r.Produce(number(m.produced)))
	case op < 8 && len(m.order) > 0:
		m.receive(t, m.order[op%len(m.order)], capacity)
	case op == 8 && len(m.order) > 0:
		m.close(t, capacity)
	default:
		reader, err := r.NewReader()
		require.NoError(t, err)
		m.readers[reader] = &modelReader{since: m.produced, last: m.produced}
		m.order = append(m.order, reader)
	}
}

// receive compares one receive with the model and reports whether it gave
// something.
func (m *modelRecord) receive(t *rapid.T, reader *Reader, capacity uint64) bool {
	model := m.readers[reader]
	got, err := reader.TryRecv(make([]byte, 8))
	switch behind := m.produced - model.last; {
	case behind == 0:
		require.Contains(t, []error{Empty, Closed}, err)
		return false
	case behind > capacity:
		require.Equal(t, Lagged, err)
		require.Equal(t, behind-capacity, got.Lost)
		model.last += got.Lost
		model.lost += got.Lost
	default:
		require.NoError(t, err)
		model.last++
		model.got++
		require.Equal(t, model.last, value(got.Data))
		require.Equal(t, model.last, got.Sequence)
	}
	return true
}

func (m *modelRecord) close(t *rapid.T, capacity uint64) {
	reader := m.order[0]
	model := m.readers[reader]
	s, err := reader.Close()
	require.NoError(t, err)
	behind := m.produced - model.last
	require.Equal(t, model.got, s.Delivered)
	require.Equal(t, min(behind, capacity), s.Abandoned)
	require.Equal(t, model.lost+behind-s.Abandoned, s.Lagged)
	require.Equal(t, m.produced-model.since, s.Offered)
	m.order = m.order[1:]
}

// drain takes what is left after the close.
func (m *modelRecord) drain(t *rapid.T, reader *Reader, capacity uint64) {
	for m.receive(t, reader, capacity) {
	}
	_, err := reader.TryRecv(nil)
	require.Equal(t, Closed, err)
	s, err := reader.Stats()
	require.NoError(t, err)
	require.Equal(t, m.readers[reader].got, s.Delivered)
	require.Equal(t, m.produced-m.readers[reader].since, s.Delivered+s.Lagged)
}
