// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two Go runtimes live in this process: the harness's and the library's. The
// library's handler for SIGURG is the one installed; the harness's scheduler
// sends SIGURG to stop its own goroutines, and must not wait for ever.

func onOneThread(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f()
}

func TestSpinningGoroutineAndACollectionDoNotHangWhileADispatcherDelivers(t *testing.T) {
	w := newWorld(t)
	const rounds = 20
	var delivered atomic.Uint64
	record := register(t, w.idle, "r", nil)
	subscribe(t, record, &hook{consume: func(Handle, *Message) int32 { delivered.Add(1); return 0 }})
	ok(t, "aimdb_start", w.idle)
	var stop atomic.Bool
	producing := make(chan struct{})
	go func() {
		defer close(producing)
		for n := uint64(0); !stop.Load(); runtime.Gosched() {
			if n < delivered.Load()+100 { // never over the ring's capacity: nothing is lost
				produce(t, record, number(n))
				n++
			}
		}
	}()
	for range rounds {
		var flag atomic.Bool
		spinning, spun := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(spun)
			close(spinning)
			for !flag.Load() { // nothing here that could be preempted without a signal
			}
		}()
		<-spinning
		before := delivered.Load()
		runtime.GC()
		flag.Store(true)
		within(t, spun, "the spinning goroutine")
		await(t, "delivery after a collection", func() bool { return delivered.Load() > before })
	}
	stop.Store(true)
	within(t, producing, "the producer")
	w.lives()
}

func TestCollectionInsideACallbackOnALibraryThread(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		w.server.run(t, runtime.GC)
		runtime.GC()
	}
	w.lives()
}

func TestCallbacksRunOnADispatcherThreadOfTheirSubscription(t *testing.T) {
	w := newWorld(t)
	threads := make(chan int, 2)
	for range 2 {
		subscribe(t, w.exact, &hook{consume: func(Handle, *Message) int32 { threads <- syscall.Gettid(); return 0 }})
	}
	onOneThread(func() {
		produce(t, w.exact, make([]byte, 16))
		first, second := <-threads, <-threads
		require.NotEqual(t, first, second)
		require.NotContains(t, []int{first, second}, syscall.Gettid())
	})
}

func TestProducerFunctionRunsOnTheThreadThatProduces(t *testing.T) {
	w := newWorld(t)
	record := register(t, w.idle, "r", nil)
	thread := 0
	h := &hook{produce: func(Handle, *Message, *Draft) int32 { thread = syscall.Gettid(); return Accept }}
	ok(t, "aimdb_set_producer", record, h.producer())
	ok(t, "aimdb_start", w.idle)
	onOneThread(func() {
		produce(t, record, nil)
		require.Equal(t, syscall.Gettid(), thread)
	})
}

func TestLaggingConsumerIsDeliveredToWhileAProducerNeverPauses(t *testing.T) {
	w := newWorld(t)
	const enough = 1000
	record := register(t, w.idle, "r", func(c *RecordConfig) { c.Capacity = 2 })
	var delivered, lagged atomic.Uint64
	consumer := subscribe(t, record, &hook{
		consume: func(Handle, *Message) int32 { delivered.Add(1); return 0 },
		lag:     func(_, _ Handle, n uint64) { lagged.Add(n) },
	})
	ok(t, "aimdb_start", w.idle)
	var stop atomic.Bool
	producing := make(chan struct{})
	go func() {
		defer close(producing)
		for !stop.Load() {
			call(t, "aimdb_produce", record, number(1), 8)
		}
	}()
	stats := newConsumerStats()
	await(t, "deliveries", func() bool {
		ok(t, "aimdb_consumer_stats", consumer, stats)
		return stats.Delivered >= enough && stats.LaggedEvents >= enough
	})
	stop.Store(true)
	within(t, producing, "the producer")
	ok(t, "aimdb_close", w.idle, Forever)
	ok(t, "aimdb_consumer_stats", consumer, stats)
	require.Equal(t, []uint64{delivered.Load(), lagged.Load()}, []uint64{stats.Delivered, stats.Lagged})
	require.Equal(t, stats.Offered, stats.Delivered+stats.Lagged)
}

// purego has 2000 callbacks for a process; the harness has five, so this is as
// many subscriptions as anyone likes, each with its user pointer.
func TestMoreSubscriptionsThanPuregoHasCallbacks(t *testing.T) {
	w := newWorld(t)
	for n := range uint64(2100) {
		got := make(chan []byte, 1)
		h := &hook{consume: func(_ Handle, m *Message) int32 { got <- m.payload(); return 0 }}
		consumer := subscribe(t, w.mail, h)
		produce(t, w.mail, number(n))
		require.Equal(t, number(n), <-got)
		ok(t, "aimdb_unsubscribe", consumer, nil)
		within(t, h.freed, "the free function")
	}
	w.lives()
}

func TestLagAndLogReachTheirCallbacks(t *testing.T) {
	lines := make(chan string, 1000)
	logger := &hook{log: func(_ int32, text string) { lines <- text }}
	var db Handle
	ok(t, "aimdb_create", logger.logger(), &db)
	record := register(t, db, "r", func(c *RecordConfig) { c.Capacity = 2 })
	entered, proceed := make(chan uint64, 100), make(chan struct{})
	lags := make(chan uint64, 10)
	h := &hook{
		consume: func(_ Handle, m *Message) int32 { entered <- m.Sequence; <-proceed; return 1 },
		lag: func(_, of Handle, lagged uint64) {
			if of != record {
				t.Error("the lag of another record")
			}
			lags <- lagged
		},
	}
	consumer := subscribe(t, record, h)
	ok(t, "aimdb_start", db)
	produce(t, record, nil)
	require.Equal(t, uint64(1), <-entered)
	for range 10 {
		produce(t, record, nil)
	}
	close(proceed)
	require.Equal(t, uint64(8), <-lags)
	require.Equal(t, uint64(10), <-entered)
	ok(t, "aimdb_close", db, Forever)
	stats := newConsumerStats()
	ok(t, "aimdb_consumer_stats", consumer, stats)
	require.Equal(t, []uint64{11, 3, 1, 8, 0, 0, 3}, []uint64{stats.Offered, stats.Delivered,
		stats.LaggedEvents, stats.Lagged, stats.Pending, stats.Abandoned, stats.Failures})
	require.GreaterOrEqual(t, stats.CallbackNs, stats.CallbackMaxNs)
	ok(t, "aimdb_destroy", db)
	within(t, h.freed, "the consumer's free function")
	within(t, logger.freed, "the log's free function")
	require.NotEmpty(t, lines)
	for range len(lines) {
		require.NotContains(t, <-lines, "\n")
	}
}
