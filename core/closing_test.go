// SPDX-License-Identifier: Apache-2.0

package core

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aimdb-dev/aimdb-go/core/park"
)

// A blocked is a consumer whose callbacks wait for its release.
type blocked struct {
	db       *Database
	record   *Record
	begun    chan struct{} // a callback has
	released chan struct{}
}

// newBlocked makes a started database with one, in its first of some callbacks.
func newBlocked(t testing.TB, config Config, values uint64) blocked {
	t.Helper()
	db, err := New(config)
	require.NoError(t, err)
	b := blocked{db, register(t, db, "r", Ring), make(chan struct{}, values), make(chan struct{})}
	_, err = b.record.Subscribe(ConsumerConfig{Func: func(Emitter, *Incoming) error {
		b.begun <- struct{}{}
		<-b.released
		return nil
	}})
	require.NoError(t, err)
	require.NoError(t, db.Start())
	for n := range values {
		require.NoError(t, b.record.Produce(number(n)))
	}
	<-b.begun
	return b
}

// Whatever moment its time passes at: one call alone leaves nothing to another.
func TestClose_AloneIsNeverInProgress(t *testing.T) {
	for range 3000 {
		b := newBlocked(t, Config{Level: Off}, 2)
		status, err := b.db.Close(time.Duration(rand.IntN(20_000)), false)
		require.NoError(t, err)
		require.Equal(t, Blocked, status)
		close(b.released)
		status, err = b.db.Close(Forever, false)
		require.NoError(t, err)
		require.Equal(t, Timeout, status, "one value was cut off")
		require.NoError(t, b.db.Destroy())
	}
}

func step(t testing.TB, want Status, c *Closing) Await {
	t.Helper()
	status, wait := c.Step()
	require.Equal(t, want, status)
	return wait
}

func TestClose_WaitsForReadersThoughAnotherCloseHasEnded(t *testing.T) {
	for name, kind := range allKinds {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			r := register(t, db, "r", kind)
			reader, err := r.NewReader()
			require.NoError(t, err)
			require.NoError(t, db.Start())
			require.NoError(t, r.Produce(number(7)))
			before, err := db.BeginClose(Forever, true, nil)
			require.NoError(t, err)
			step(t, Sleep, before)
			status, err := db.Close(Forever, false)
			require.NoError(t, err)
			require.Equal(t, OK, status, "it does not ask for readers")
			require.Equal(t, Forever, step(t, Sleep, before).Left)

			after, err := db.BeginClose(Forever, true, nil)
			require.NoError(t, err)
			wait := step(t, Sleep, after)
			late, err := db.BeginClose(0, true, nil)
			require.NoError(t, err)
			step(t, Timeout, late)

			m, err := reader.TryRecv(make([]byte, 8))
			require.NoError(t, err)
			require.EqualValues(t, 7, value(m.Data))
			require.NotEqual(t, wait.Expected, databaseAt(db.index).drained.Count(), "it is woken")
			step(t, OK, before)
			step(t, OK, after)
		})
	}
}

// With the race detector: what close says of what it has cut off.
func TestClose_CutsOffBesideDestroy(t *testing.T) {
	for range 50 {
		b := newBlocked(t, Config{Log: func(Level, string) {}, Level: Warning}, 3)
		c, err := b.db.BeginClose(0, false, nil)
		require.NoError(t, err)
		var both sync.WaitGroup
		both.Go(func() { c.run() })
		both.Go(func() { b.db.Destroy() })
		both.Wait()
		close(b.released)
	}
}

func TestClose_SaysTimeoutIfAnEmissionOutlastsItInAProducerFunction(t *testing.T) {
	for name, outside := range map[string]bool{"emission": false, "from outside": true} {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			first, next := register(t, db, "first", Ring), register(t, db, "next", Ring)
			begun, release, produced := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			require.NoError(t, next.SetProducer(Producer{Func: func(_ Emitter, b []byte) ([]byte, error) {
				close(begun)
				<-release
				return b, nil
			}}))
			_, err := first.Subscribe(ConsumerConfig{Func: func(e Emitter, in *Incoming) error {
				produced <- e.Emit(next, in.Data)
				return nil
			}})
			require.NoError(t, err)
			require.NoError(t, db.Start())
			want := Timeout
			if outside {
				want = OK // who produces is told, and nothing was taken before
				go func() { produced <- next.Produce(number(1)) }()
			} else {
				require.NoError(t, first.Produce(number(1)))
			}
			<-begun
			status, err := db.Close(0, false)
			require.NoError(t, err)
			require.Equal(t, Blocked, status)
			close(release)
			requireStatus(t, Closed, <-produced)
			status, err = db.Close(Forever, false)
			require.NoError(t, err)
			require.Equal(t, want, status)
		})
	}
}

func TestClose_WaitsForADispatcherThatDoesNotRunForABoundedTime(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	var stuck *Consumer
	_, err := r.Subscribe(ConsumerConfig{Dispatcher: func(c *Consumer) (uint64, error) {
		stuck = c
		return 0, nil
	}})
	require.NoError(t, err)
	require.NoError(t, db.Start())
	c, err := db.BeginClose(0, false, nil)
	require.NoError(t, err)
	wait := step(t, Sleep, c)
	stuck.End()
	step(t, OK, c)
	require.LessOrEqual(t, wait.Left, patience)
}

// A receive may be late: what it looks at is another record's by then.
func TestReceive_BesideDestroyAndTheNextDatabase(t *testing.T) {
	var all sync.WaitGroup
	for range 300 {
		db, err := New(Config{Level: Off})
		require.NoError(t, err)
		r := register(t, db, "r", Ring)
		reader, err := r.NewReader()
		require.NoError(t, err)
		require.NoError(t, db.Start())
		status, err := db.Close(Forever, false)
		require.NoError(t, err)
		require.Equal(t, OK, status)
		begun := make(chan struct{})
		all.Go(func() {
			close(begun)
			for range 1000 {
				reader.TryRecv(nil)
			}
		})
		<-begun
		require.NoError(t, db.Destroy())
	}
	all.Wait()
}

// A producer may be so late with looking after shared consumers that the pool has
// been given back, and is another database's.
func TestProduce_WhoIsLateLeavesThePoolOfOthersAlone(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	c, err := r.Subscribe(ConsumerConfig{Shared: true, Func: func(Emitter, *Incoming) error { return nil }})
	require.NoError(t, err)
	late := Step{Handle: handleOf(r.block), Database: db.index, Owner: park.Owner()}
	_, _, err = c.Unsubscribe(false)
	require.NoError(t, err)
	require.NoError(t, db.Destroy())
	require.Eventually(t, func() bool {
		db.mu.Lock()
		defer db.mu.Unlock()
		return db.workers == 0
	}, patience, time.Millisecond)
	p := &databaseAt(db.index).pool
	was := p.first
	p.first = 1 // the other's queue
	p.work.Announce()
	p.stall.Announce()
	late.Run(OpReady)
	p.first = was
	require.Equal(t, OK, late.Result)
	require.Zero(t, late.Todo, "nobody is woken")
}

// From callbacks, from outside, all at once; with the race detector.
func TestClose_BesideEverythingElseThatEnds(t *testing.T) {
	for round := range uint64(60) {
		ended, ends := make(chan struct{}), make(chan struct{}, 6)
		db, err := New(Config{Level: Warning, Log: func(Level, string) {}, OnEnd: func() { close(ended) }})
		require.NoError(t, err)
		records := []*Record{register(t, db, "a", Ring), register(t, db, "b", Latest), register(t, db, "c", Mailbox)}
		require.NoError(t, records[1].SetProducer(Producer{Func: func(e Emitter, b []byte) ([]byte, error) {
			_ = e.Emit(records[2], b)
			return b, nil
		}}))
		consumers := make([]*Consumer, 6)
		readers := make([]*Reader, 3)
		begin := make(chan struct{})
		for i := range consumers {
			chance := rand.New(rand.NewPCG(round, uint64(i)))
			consumers[i], err = records[i%3].Subscribe(ConsumerConfig{
				Shared: i%2 == 0,
				Func: func(e Emitter, in *Incoming) error {
					<-begin
					_ = e.Emit(records[(i+1)%3], in.Data)
					endSomething(chance, db, consumers, readers, true)
					return nil
				},
				OnEnd: func() { ends <- struct{}{} },
			})
			require.NoError(t, err)
		}
		for i := range readers {
			readers[i], err = records[i].NewReader()
			require.NoError(t, err)
		}
		require.NoError(t, db.Start())
		var all sync.WaitGroup
		for i := range uint64(3) {
			chance := rand.New(rand.NewPCG(round, 100+i))
			all.Go(func() {
				<-begin
				for n := range uint64(10) {
					_ = records[n%3].Produce(number(n))
					_, _ = readers[n%3].Recv(make([]byte, 8), time.Microsecond)
					endSomething(chance, db, consumers, readers, false)
				}
			})
		}
		close(begin)
		all.Wait()
		status, err := db.Close(Forever, false)
		require.True(t, err == nil && (status == OK || status == Timeout) || status == ErrHandle, "%v", err)
		_ = db.Destroy()
		<-ended // after all else
		for range consumers {
			<-ends
		}
	}
}

func endSomething(chance *rand.Rand, db *Database, consumers []*Consumer, readers []*Reader, inside bool) {
	switch chance.IntN(12) {
	case 0, 1:
		_, _ = db.Close(time.Duration(chance.IntN(100))*time.Microsecond, inside)
	case 2:
		c, err := db.BeginClose(time.Duration(chance.IntN(100))*time.Microsecond, true, nil)
		if err == nil && inside {
			go c.run()
		} else if err == nil {
			c.run()
		}
	case 3, 4:
		_, _, _ = consumers[chance.IntN(len(consumers))].Unsubscribe(inside)
	case 5:
		_, _ = readers[chance.IntN(len(readers))].Close()
	case 6:
		_ = db.Destroy()
	}
}
