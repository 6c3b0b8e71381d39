// SPDX-License-Identifier: Apache-2.0

package core

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShared_ValuesComeInOrderOneCallAtATimeAndAreAccountedFor(t *testing.T) {
	const producers, consumers, values = 3, 10, 3000
	for name, kind := range allKinds {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			r := register(t, db, "r", kind)
			var inside [consumers]atomic.Int32
			var seen [consumers]uint64
			subscribed := make([]*Consumer, consumers)
			for i := range consumers {
				var last [producers]uint64
				c, err := r.Subscribe(ConsumerConfig{Shared: true, Func: func(_ Emitter, m *Incoming) error {
					assert.EqualValues(t, 1, inside[i].Add(1))
					n := value(m.Data)
					assert.Greater(t, n, last[n%producers])
					last[n%producers] = n
					seen[i]++
					inside[i].Add(-1)
					return nil
				}})
				require.NoError(t, err)
				subscribed[i] = c
			}
			require.NoError(t, db.Start())
			var all sync.WaitGroup
			for p := range uint64(producers) {
				all.Go(func() {
					for n := uint64(1); n <= values; n++ {
						assert.NoError(t, r.Produce(number(n*producers+p)))
					}
				})
			}
			all.Wait()
			status, err := db.Close(time.Minute, false)
			require.NoError(t, err)
			require.Equal(t, OK, status)
			total := uint64(0)
			for i, c := range subscribed {
				s := accountOf(t, c.Stats)
				require.Equal(t, seen[i], s.Delivered)
				total += seen[i]
				if kind != Mailbox {
					require.EqualValues(t, producers*values, s.Delivered+s.Lagged+s.Skipped)
				}
			}
			if s, _ := r.Stats(); kind == Mailbox {
				require.Equal(t, total, s.Taken)
			}
		})
	}
}

func TestShared_CallbacksThatBlockGetMoreWorkers(t *testing.T) {
	const blocked = mostWorkers + 3
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	var begun sync.WaitGroup
	begun.Add(blocked)
	for range blocked {
		_, err := r.Subscribe(ConsumerConfig{Shared: true, Func: func(Emitter, *Incoming) error {
			begun.Done()
			begun.Wait()
			return nil
		}})
		require.NoError(t, err)
	}
	require.NoError(t, db.Start())
	require.NoError(t, r.Produce(number(1)))
	begun.Wait()
}

func TestShared_MoreThanATurnIsDeliveredToAll(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	const values = 3*Share + 1
	seen := make(chan uint64, values)
	_, err := r.Subscribe(ConsumerConfig{Shared: true, Func: func(_ Emitter, m *Incoming) error {
		seen <- value(m.Data)
		return nil
	}})
	require.NoError(t, err)
	require.NoError(t, db.Start())
	for n := range uint64(values) {
		require.NoError(t, r.Produce(number(n)))
	}
	for n := range uint64(values) {
		require.Equal(t, n, <-seen)
	}
}

func TestShared_AWorkerThatCannotStartRefusesTheSubscription(t *testing.T) {
	left := 1
	db, err := New(Config{Level: Off, Worker: func(db *Database, watcher bool) error {
		if left--; left < 0 {
			return fail(ErrNoThreads, "none")
		}
		go db.watch()
		return nil
	}})
	require.NoError(t, err)
	r := register(t, db, "r", Ring)
	_, err = r.Subscribe(ConsumerConfig{Shared: true, Func: func(Emitter, *Incoming) error { return nil }})
	requireStatus(t, ErrNoThreads, err)
	require.Zero(t, db.Stats().Consumers)
	require.NoError(t, db.Destroy())
}

// block takes all workers of a pool, until the watcher sleeps: each gets a
// consumer whose callback returns when goOn is closed.
func block(t *testing.T, db *Database, r *Record, goOn chan struct{}) {
	for idle := true; idle; {
		begun := make(chan struct{})
		_, err := r.Subscribe(ConsumerConfig{Shared: true, Func: func(Emitter, *Incoming) error {
			close(begun)
			<-goOn
			return nil
		}})
		require.NoError(t, err)
		<-begun
		db.pooled(func(p *poolBlock) { idle = p.idle != 0 })
	}
	for !poolAt(db.index).stall.Announced() {
		runtime.Gosched()
	}
}

func TestShared_WhoeverQueuesAConsumerGetsAWorkerForIt(t *testing.T) {
	nothing := ConsumerConfig{Shared: true, Func: func(Emitter, *Incoming) error { return nil }}
	queue := map[string]func(*testing.T, *Database, *Record, *Consumer){
		"unsubscribe": func(t *testing.T, _ *Database, _ *Record, c *Consumer) {
			status, _, err := c.Unsubscribe(false)
			require.NoError(t, err)
			require.Equal(t, OK, status)
		},
		"close": func(t *testing.T, db *Database, _ *Record, _ *Consumer) {
			status, err := db.Close(0, false)
			require.NoError(t, err)
			require.Equal(t, Blocked, status)
		},
		"subscribe": func(t *testing.T, _ *Database, r *Record, _ *Consumer) {
			called := make(chan struct{})
			_, err := r.Subscribe(ConsumerConfig{Shared: true, Func: func(Emitter, *Incoming) error {
				close(called)
				return nil
			}})
			require.NoError(t, err)
			<-called
		},
	}
	for name, f := range queue {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			r := register(t, db, "r", Latest)
			c, err := r.Subscribe(nothing)
			require.NoError(t, err)
			require.NoError(t, db.Start())
			require.NoError(t, r.Produce(number(1)))
			for resting := false; !resting || accountOf(t, c.Stats).Pending != 0; {
				db.pooled(func(p *poolBlock) { resting = p.idle >= uint32(min(runtime.NumCPU(), mostWorkers)) })
			}
			goOn := make(chan struct{})
			block(t, db, r, goOn)
			f(t, db, r, c)
			close(goOn)
		})
	}
}
