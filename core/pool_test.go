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

// scarce is a database that gets so many workers and watchers and no more.
func scarce(t *testing.T, workers, watchers *atomic.Int32) (*Database, *Record) {
	db, err := New(Config{Level: Off, Worker: func(db *Database, watcher bool) error {
		left, run := workers, db.work
		if watcher {
			left, run = watchers, db.watch
		}
		if left.Add(-1) < 0 {
			return fail(ErrNoThreads, "none")
		}
		go run()
		return nil
	}})
	require.NoError(t, err)
	t.Cleanup(func() {
		db.Close(Forever, false)
		require.NoError(t, db.Destroy())
	})
	return db, register(t, db, "r", Ring)
}

func (db *Database) workersLeft() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.workers
}

func TestShared_WhatCannotStartRefusesTheSubscriptionAndKeepsNothing(t *testing.T) {
	var called chan struct{}
	config := ConsumerConfig{Shared: true, Func: func(Emitter, *Incoming) error { close(called); return nil }}
	for name, there := range map[string][2]int32{"no worker": {0, 9}, "no watcher": {9, 0}, "nothing": {0, 0}} {
		t.Run(name, func(t *testing.T) {
			called = make(chan struct{})
			var workers, watchers atomic.Int32
			db, r := scarce(t, &workers, &watchers)
			for range 3 {
				workers.Store(there[0])
				watchers.Store(there[1])
				_, err := r.Subscribe(config)
				requireStatus(t, ErrNoThreads, err)
				left, err := db.Stats()
				require.NoError(t, err)
				require.Zero(t, left.Consumers)
			}
			for db.workersLeft() != 0 {
				runtime.Gosched()
			}
			workers.Store(9)
			watchers.Store(1)
			_, err := r.Subscribe(config)
			require.NoError(t, err, "now there are threads")
			require.NoError(t, db.Start())
			require.NoError(t, r.Produce(number(1)))
			<-called
		})
	}
}

func TestShared_OneWorkerIsEnoughToGoOnWith(t *testing.T) {
	var workers, watchers atomic.Int32
	workers.Store(1)
	watchers.Store(1)
	db, r := scarce(t, &workers, &watchers)
	called := make(chan struct{})
	config := ConsumerConfig{Shared: true, Func: func(Emitter, *Incoming) error { called <- struct{}{}; return nil }}
	_, err := r.Subscribe(config)
	require.NoError(t, err)
	require.Equal(t, 2, db.workersLeft())
	workers.Store(mostWorkers)
	_, err = r.Subscribe(config)
	require.NoError(t, err)
	require.Equal(t, 1+min(runtime.NumCPU(), mostWorkers), db.workersLeft(), "the next takes the others")
	require.NoError(t, db.Start())
	require.NoError(t, r.Produce(number(1)))
	<-called
	<-called
}

func TestShared_WorkersThatAreNotNeededEnd(t *testing.T) {
	const blocked = mostWorkers + 7
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	var begun, delivered sync.WaitGroup
	goOn := make(chan struct{})
	for range blocked {
		_, err := r.Subscribe(ConsumerConfig{Shared: true, Func: func(Emitter, *Incoming) error {
			defer delivered.Done()
			begun.Done()
			<-goOn
			return nil
		}})
		require.NoError(t, err)
	}
	require.NoError(t, db.Start())
	produce := func() {
		begun.Add(blocked)
		delivered.Add(blocked)
		require.NoError(t, r.Produce(number(1)))
	}
	most := 1 + min(runtime.NumCPU(), mostWorkers)
	for range 2 {
		produce()
		begun.Wait()
		require.Greater(t, db.workersLeft(), blocked)
		close(goOn)
		delivered.Wait()
		for db.workersLeft() > most {
			time.Sleep(time.Millisecond)
		}
		var workers, leaving, idle uint32
		for idle != uint32(most-1) {
			db.pooled(func(p *poolBlock) { workers, leaving, idle = p.workers, p.leaving, p.idle })
		}
		require.EqualValues(t, most-1, workers)
		require.Zero(t, leaving)
		goOn = make(chan struct{})
	}
	close(goOn)
	produce()
	delivered.Wait()
}

// A watching is the watcher of a pool whose queue, workers and time the test makes.
type watching struct {
	Step
	*poolBlock
	now uint64
}

func newWatching(t *testing.T, processors uint32) *watching {
	db := newDatabase(t)
	w := &watching{Step{Handle: db.handle}, &databaseAt(db.index).pool, 1}
	w.processors, w.most, w.workers = processors, min(processors, mostWorkers), mostWorkers
	t.Cleanup(w.reset)
	return w
}

func (w *watching) after(ns uint64) Status {
	w.now += ns
	w.Step.Elapsed = w.now
	drive(&w.Step, OpWatch)
	return w.Result
}

func TestWatch_BlockedWorkersAreMadeUpForThoseThatRunOnlyWhileProcessorsAreFree(t *testing.T) {
	const processors = 6
	w := newWatching(t, processors)
	w.first = 1
	require.Equal(t, Sleep, w.after(0))
	require.EqualValues(t, stallLimit, w.Elapsed)
	require.Equal(t, Sleep, w.after(stallLimit-1))
	require.EqualValues(t, 1, w.Elapsed)
	require.Equal(t, Census, w.after(1))
	require.EqualValues(t, processors, w.Max)
	w.Size = processors - 1
	require.Equal(t, Blocked, w.after(0), "a processor is free")

	require.Equal(t, Sleep, w.after(0), "each gets its time")
	for range starveLimit/stallLimit - 1 {
		require.Equal(t, Census, w.after(stallLimit))
		w.Size = processors
		require.Equal(t, Sleep, w.after(0), "all processors run callbacks")
		require.EqualValues(t, stallLimit, w.Elapsed)
	}
	require.Equal(t, Census, w.after(stallLimit))
	w.Size = processors
	require.Equal(t, Blocked, w.after(0), "but not for ever")

	require.Equal(t, Sleep, w.after(0))
	w.taken++
	require.Equal(t, Sleep, w.after(stallLimit), "one was taken meanwhile")
	require.Equal(t, Census, w.after(stallLimit))
	w.taken++
	w.Size = 0
	require.Equal(t, Sleep, w.after(0), "even now")
	w.first = 0
	require.Equal(t, Sleep, w.after(stallLimit))
	require.EqualValues(t, forever, w.Elapsed)
	w.ended = true
	require.Equal(t, Closed, w.after(0))
}

func TestWatch_OfTheWorkersBeyondTheFirstThoseEndThatSleptAllTheTime(t *testing.T) {
	w := newWatching(t, 2)
	w.workers, w.idle, w.least = 10, 9, 0
	require.Equal(t, Sleep, w.after(5))
	require.EqualValues(t, keepLimit, w.Elapsed, "the time begins when it is first seen")
	w.least = 3 // six were needed
	require.Equal(t, Sleep, w.after(keepLimit-1))
	require.EqualValues(t, 1, w.Elapsed)
	require.Zero(t, w.leaving)
	require.Equal(t, Sleep, w.after(1))
	require.EqualValues(t, 3, w.leaving)
	require.EqualValues(t, 9, w.least, "the next time begins")
	w.workers, w.idle, w.leaving = 7, 7, 0
	w.least = 7
	require.Equal(t, Sleep, w.after(keepLimit))
	require.EqualValues(t, 5, w.leaving, "the first stay")

	w.first, w.idle, w.least = 1, 0, 0
	require.Equal(t, Sleep, w.after(0))
	require.Equal(t, Census, w.after(stallLimit))
	w.Size = 0
	require.Equal(t, Blocked, w.after(0))
	require.Zero(t, w.leaving, "all are needed")
	w.workers, w.first, w.idle = 2, 0, 2
	require.Equal(t, Sleep, w.after(keepLimit))
	require.EqualValues(t, forever, w.Elapsed, "none is beyond the first")
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
