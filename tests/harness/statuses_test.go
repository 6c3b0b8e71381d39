// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The outcomes and refusals that the tests of bad input and of the lifecycle
// do not get.

func TestCloseSaysBlockedWhileACallbackRunsThenTimeoutForWhatWasAbandoned(t *testing.T) {
	w := newWorld(t)
	produce(t, w.calls, nil) // behind the one whose callback runs
	produce(t, w.calls, nil)
	w.lives()
	w.server.run(t, func() { gives(t, InProgress, "aimdb_close", w.db, int64(0)) })
	gives(t, Blocked, "aimdb_close", w.db, int64(0))
	w.server.release()
	gives(t, Timeout, "aimdb_close", w.db, int64(patience))
	gives(t, Timeout, "aimdb_close", w.db, int64(0)) // the same end
	stats := newRecordStats()
	ok(t, "aimdb_record_stats", w.calls, stats)
	require.Equal(t, uint64(3), stats.Produced)
	w.closed = true
}

func TestCloseWithReadersToDrainSaysTimeoutUntilTheyHave(t *testing.T) {
	w := newWorld(t)
	refused(t, ErrArgument, "options", "aimdb_close_with", w.db, int64(0), uint32(2))
	w.server.run(t, func() { gives(t, InProgress, "aimdb_close_with", w.db, int64(0), DrainReaders) })
	gives(t, Blocked, "aimdb_close_with", w.db, int64(0), DrainReaders)
	w.server.run(t, func() { gives(t, Closed, "aimdb_emit", w.server.emitter, w.latest, make([]byte, 8), 8) })
	w.server.release()
	gives(t, Timeout, "aimdb_close_with", w.db, int64(patience), DrainReaders) // what was emitted is refused
	w.closed = true
}

// useAllDispatchers takes every thread that the library makes, until the function
// that it gives is called.
func useAllDispatchers(t *testing.T) func() {
	t.Helper()
	db := create(t)
	record := register(t, db, "r", nil)
	for status := OK; status != ErrNoThreads; {
		config := (&hook{consume: func(Handle, *Message) int32 { return 0 }}).consumer()
		config.StackSize = 64 << 10
		config.Free = 0 // thousands of threads that enter this program's Go at once spin there
		if status = call(t, "aimdb_subscribe", record, config, nil); status != OK {
			require.Equal(t, ErrNoThreads, status)
		}
	}
	return func() { ok(t, "aimdb_destroy", db) }
}

func TestCloseInsideACallbackWithoutAThreadToBeHadDoesNothing(t *testing.T) {
	w := newWorld(t)
	used := useAllDispatchers(t)
	for _, name := range []string{"aimdb_close", "aimdb_close_with"} {
		args := w.arguments(name)
		w.server.run(t, func() { refused(t, ErrNoThreads, "db", name, args...) })
	}
	used()
	w.lives() // it is open as before
}

func TestMailboxValueThatItsLastReaderLeavesStaysPending(t *testing.T) {
	db := create(t)
	record := register(t, db, "a", mailbox)
	reader := open(t, record)
	ok(t, "aimdb_start", db)
	produce(t, record, number(1))
	produce(t, record, number(2))
	account := func(pending, abandoned uint64) {
		stats := newRecordStats()
		ok(t, "aimdb_record_stats", record, stats)
		require.Equal(t, []uint64{2, 0, 1, pending, abandoned},
			[]uint64{stats.Produced, stats.Taken, stats.Overwritten, stats.Pending, stats.Abandoned})
	}
	ok(t, "aimdb_close", db, Forever) // the reader may still take it
	account(1, 0)
	ok(t, "aimdb_reader_close", reader, nil)
	account(1, 0)
}

func TestUnsubscribeInsideACallbackIsInProgressUntilTheFreeFunction(t *testing.T) {
	w := newWorld(t)
	h := &hook{consume: func(Handle, *Message) int32 { return 0 }}
	consumer := subscribe(t, w.latest, h)
	last := newConsumerStats()
	w.server.run(t, func() { gives(t, InProgress, "aimdb_unsubscribe", consumer, last) })
	within(t, h.freed, "the free function")
	await(t, "the end of the handle", func() bool {
		return call(t, "aimdb_consumer_stats", consumer, newConsumerStats()) == ErrHandle
	})
	require.Equal(t, last.Offered, last.Delivered+last.Skipped+last.Pending+last.Abandoned)
}

func TestProducerFunctionAcceptsRejectsReplacesAndIsSetOnce(t *testing.T) {
	w := newWorld(t)
	record := register(t, w.idle, "r", nil)
	verdicts := []int32{Accept, Reject, Replace, 77, -1}
	next := 0
	h := &hook{produce: func(_ Handle, m *Message, d *Draft) int32 {
		if m.Sequence != 0 || m.Record != record || d.Capacity != 256 || d.Size != 0 || m.Data%8+d.Data%8 != 0 {
			t.Error("the producer function got something else")
		}
		d.Size = 0
		next++
		return verdicts[next-1]
	}}
	ok(t, "aimdb_set_producer", record, h.producer())
	refused(t, ErrExists, "record", "aimdb_set_producer", record, new(hook).producer())
	ok(t, "aimdb_start", w.idle)
	for _, want := range []Status{OK, Rejected, OK, Rejected, Rejected} {
		gives(t, want, "aimdb_produce", record, number(1), 8)
	}
	stats := newRecordStats()
	ok(t, "aimdb_record_stats", record, stats)
	require.Equal(t, []uint64{2, 3, 8, 5}, []uint64{stats.Produced, stats.Rejected, stats.Bytes, stats.ProducerCalls})
}

func TestBatchEndsWithTheFirstValueThatIsNotEnqueued(t *testing.T) {
	w := newWorld(t)
	record := register(t, w.idle, "r", nil)
	verdicts := []int32{Accept, Accept, Reject, Accept, Accept}
	next := 0
	h := &hook{produce: func(Handle, *Message, *Draft) int32 { next++; return verdicts[next-1] }}
	ok(t, "aimdb_set_producer", record, h.producer())
	var reader Handle
	ok(t, "aimdb_reader_open", record, &reader)
	ok(t, "aimdb_start", w.idle)
	values, sizes := []byte("abbccc dddd"), []uintptr{1, 2, 3}
	var produced uintptr
	gives(t, Rejected, "aimdb_produce_batch", record, values, sizes, 3, &produced)
	require.EqualValues(t, 2, produced)
	ok(t, "aimdb_produce_batch", record, values[6:], []uintptr{1, 4}, 2, &produced)
	require.EqualValues(t, 2, produced)
	ok(t, "aimdb_produce_batch", record, nil, nil, 0, &produced)
	require.Zero(t, produced)
	for _, want := range []string{"a", "bb", " ", "dddd"} {
		buffer, m := make([]byte, 8), newMessage()
		ok(t, "aimdb_try_recv", reader, buffer, len(buffer), m)
		require.Equal(t, want, string(buffer[:m.Size]))
	}
}

func TestAnswerThatIsNoVerdictIsRejectedWithAText(t *testing.T) {
	w := newWorld(t)
	record := register(t, w.idle, "r", nil)
	ok(t, "aimdb_set_producer", record, (&hook{produce: func(Handle, *Message, *Draft) int32 { return 77 }}).producer())
	ok(t, "aimdb_start", w.idle)
	onOneThread(func() {
		gives(t, Rejected, "aimdb_produce", record, nil, 0)
		require.Contains(t, lastError(), "77")
	})
}

func TestEmissionNestedDeeperThanTheLimitIsRefused(t *testing.T) {
	for _, how := range []string{"aimdb_emit", "aimdb_produce", "aimdb_produce_batch"} {
		w := newWorld(t)
		record := register(t, w.idle, "cycle", nil)
		deep := 0
		var last Status
		h := &hook{produce: func(emitter Handle, _ *Message, _ *Draft) int32 {
			deep++
			args := map[string][]any{
				"aimdb_emit": {emitter, record, nil, 0}, "aimdb_produce": {record, nil, 0},
				"aimdb_produce_batch": {record, nil, []uintptr{0}, 1, nil},
			}
			last = min(last, call(t, how, args[how]...))
			return Accept
		}}
		ok(t, "aimdb_set_producer", record, h.producer())
		ok(t, "aimdb_start", w.idle)
		ok(t, "aimdb_produce", record, nil, 0)
		require.Equal(t, ErrDepth, last)
		require.Equal(t, DepthMax+1, deep) // the deepest could not emit
		stats := newRecordStats()
		ok(t, "aimdb_record_stats", record, stats)
		require.Equal(t, uint64(DepthMax+1), stats.Produced)
	}
}

func TestEmitterAnswersAsProduceDoes(t *testing.T) {
	w := newWorld(t)
	db := create(t)
	s := newServer()
	t.Cleanup(s.release)
	calls, picky := register(t, db, "calls", nil), register(t, db, "picky", nil)
	ok(t, "aimdb_set_producer", picky, (&hook{produce: func(Handle, *Message, *Draft) int32 { return Reject }}).producer())
	subscribe(t, calls, &s.hook)
	ok(t, "aimdb_start", db)
	produce(t, calls, nil)
	within(t, s.entered, "a callback")
	s.run(t, func() {
		gives(t, Rejected, "aimdb_emit", s.emitter, picky, nil, 0)
		refused(t, ErrSize, "size", "aimdb_emit", s.emitter, picky, number(1), 1000)
		refused(t, ErrHandle, "record", "aimdb_emit", s.emitter, w.latest, nil, 0)
	})
	w.lives()
}

// registerVast registers a record whose payload takes the largest power of two
// that there is address space for, so that there is none for a second one.
func registerVast(t *testing.T, db Handle) Handle {
	config, record := newRecordConfig(), new(Handle)
	config.Buffer = Mailbox
	for config.PayloadMax = 1 << 62; ; config.PayloadMax /= 2 {
		if s, _ := callText(t, "aimdb_register", db, "vast", config, record); s != ErrNoMemory {
			require.Equal(t, OK, s)
			return *record
		}
	}
}

func TestConsumerOrDraftWithoutMemoryIsRefused(t *testing.T) {
	w := newWorld(t)
	vast := registerVast(t, w.idle)
	h := &hook{produce: func(Handle, *Message, *Draft) int32 { t.Error("called without a draft"); return Accept }}
	ok(t, "aimdb_set_producer", vast, h.producer())
	s := newServer()
	t.Cleanup(s.release)
	calls := register(t, w.idle, "calls", nil)
	subscribe(t, calls, &s.hook)
	refused(t, ErrNoMemory, "record", "aimdb_subscribe", vast, new(hook).consumer(), new(Handle))
	ok(t, "aimdb_start", w.idle)
	refused(t, ErrNoMemory, "record", "aimdb_produce", vast, number(1), 8)
	refused(t, ErrNoMemory, "record", "aimdb_produce_batch", vast, number(1), []uintptr{8}, 1, nil)
	produce(t, calls, nil)
	within(t, s.entered, "a callback")
	s.run(t, func() { refused(t, ErrNoMemory, "record", "aimdb_emit", s.emitter, vast, number(1), 8) })
	stats := newRecordStats()
	ok(t, "aimdb_record_stats", vast, stats)
	require.Zero(t, stats.Produced+stats.Readers+stats.Bytes)
}

func TestThreadThatIsNotToBeHadIsRefused(t *testing.T) {
	w := newWorld(t)
	config := new(hook).consumer()
	config.StackSize = 1 << 60
	refused(t, ErrNoThreads, "record", "aimdb_subscribe", w.latest, config, new(Handle))
	stats := newRecordStats()
	ok(t, "aimdb_record_stats", w.latest, stats)
	require.Zero(t, stats.Readers)
}

func TestDatabasesEndWithNoMemoryNotWithACrash(t *testing.T) {
	w := newWorld(t)
	var all []Handle
	for {
		db := new(Handle)
		s, _ := callText(t, "aimdb_create", nil, db)
		if s == ErrNoMemory {
			require.Zero(t, *db)
			break
		}
		require.Equal(t, OK, s)
		all = append(all, *db)
		require.Less(t, len(all), 1<<20)
	}
	for _, db := range all {
		ok(t, "aimdb_destroy", db)
	}
	create(t) // there is room again
	w.lives()
}

func TestReadersEndWithNoMemoryNotWithACrash(t *testing.T) {
	w := newWorld(t)
	db := create(t)
	record := register(t, db, "a", nil)
	for n := 0; ; n++ {
		reader := new(Handle)
		s, _ := callText(t, "aimdb_reader_open", record, reader)
		if s == ErrNoMemory {
			require.Zero(t, *reader)
			break
		}
		require.Equal(t, OK, s)
		require.Less(t, n, 1<<22)
	}
	refused(t, ErrNoMemory, "record", "aimdb_subscribe", record, new(hook).consumer(), new(Handle))
	w.lives()
	ok(t, "aimdb_destroy", db)
	ok(t, "aimdb_reader_close", open(t, w.latest), nil) // there is room again
}

func TestDescriptorThatIsNotToBeHadIsRefused(t *testing.T) {
	w := newWorld(t)
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	none := limit
	none.Cur = 0
	fd := int32(-7)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
	s, text := callText(t, "aimdb_reader_fd", w.reader, &fd)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	require.Equal(t, ErrNoDescriptors, s)
	require.True(t, names(text, "reader"), text)
	require.Equal(t, int32(-7), fd)
	ok(t, "aimdb_reader_fd", w.reader, &fd)
	again := int32(-1)
	ok(t, "aimdb_reader_fd", w.reader, &again)
	require.Equal(t, fd, again)
}

func TestLastErrorIsTheThreadsOwnAndEmptyIfItHadNone(t *testing.T) {
	w := newWorld(t)
	none := "not read"
	w.server.run(t, func() { none = lastError() }) // a fresh thread
	require.Empty(t, none)
	onOneThread(func() {
		refused(t, ErrState, "db", "aimdb_start", w.db)
		text := lastError()
		ok(t, "aimdb_database_stats", w.db, newDatabaseStats())
		w.server.run(t, func() {
			refused(t, ErrKey, "key", "aimdb_open", w.db, "", nil, AnySize, new(Handle))
		})
		require.Equal(t, text, lastError())
	})
}

// receives are the three ways to receive one value.
var receives = []string{"aimdb_try_recv", "aimdb_recv", "aimdb_recv_batch"}

func receive(t testing.TB, how string, reader Handle, buffer []byte, m *Message) (Status, string) {
	t.Helper()
	count := uintptr(99)
	switch how {
	case "aimdb_try_recv":
		return callText(t, how, reader, buffer, len(buffer), m)
	case "aimdb_recv":
		return callText(t, how, reader, buffer, len(buffer), m, int64(0))
	}
	s, text := callText(t, how, reader, buffer, len(buffer), m, 1, &count, int64(0))
	require.Equal(t, s == OK, count == 1)
	require.True(t, s == OK || s < ErrTooSmall || count == 0)
	return s, text
}

func TestReaderMoreThanCapacityBehindIsToldTheExactLossOnceThenGoesOn(t *testing.T) {
	w := newWorld(t)
	record := register(t, w.idle, "r", func(c *RecordConfig) { c.Capacity = 3 })
	ok(t, "aimdb_start", w.idle)
	for _, how := range receives {
		reader, m, buffer := open(t, record), newMessage(), make([]byte, 256)
		first := newRecordStats()
		ok(t, "aimdb_record_stats", record, first)
		for n := range uint64(8) {
			produce(t, record, number(n))
		}
		s, _ := receive(t, how, reader, buffer, m)
		require.Equal(t, []any{Lagged, uint64(5)}, []any{s, m.Lagged}, how)
		for n := range uint64(3) {
			s, _ = receive(t, how, reader, buffer, m)
			require.Equal(t, []any{OK, uint64(0), first.Produced + 6 + n}, []any{s, m.Lagged, m.Sequence}, how)
			require.Equal(t, number(5+n), buffer[:m.Size])
		}
		stats := newConsumerStats()
		ok(t, "aimdb_reader_close", reader, stats)
		require.Equal(t, []uint64{8, 3, 1, 5, 0, 0},
			[]uint64{stats.Offered, stats.Delivered, stats.LaggedEvents, stats.Lagged, stats.Pending, stats.Abandoned})
	}
}

func TestBufferTooSmallKeepsTheValuePending(t *testing.T) {
	w := newWorld(t)
	produce(t, w.latest, []byte("twelve bytes"))
	for _, how := range receives {
		reader, m := open(t, w.latest), newMessage()
		s, text := receive(t, how, reader, make([]byte, 11), m)
		require.Equal(t, []any{ErrTooSmall, uintptr(12)}, []any{s, m.Size}, how)
		require.True(t, names(text, "capacity"), text)
		s, _ = receive(t, how, reader, nil, m)
		require.Equal(t, ErrTooSmall, s)
		stats := newConsumerStats()
		ok(t, "aimdb_reader_stats", reader, stats)
		require.Equal(t, []uint64{1, 1, 0}, []uint64{stats.Offered, stats.Pending, stats.Delivered})
		buffer := make([]byte, 12)
		s, _ = receive(t, how, reader, buffer, m)
		require.Equal(t, []any{OK, "twelve bytes"}, []any{s, string(buffer)})
	}
	m := newMessage()
	refused(t, ErrTooSmall, "capacity", "aimdb_peek", w.latest, make([]byte, 11), 11, m)
	require.Equal(t, uintptr(12), m.Size)
}

func TestPeekGivesTheCurrentValueAndConsumesNothing(t *testing.T) {
	w := newWorld(t)
	buffer, m := make([]byte, 8), newMessage()
	refused(t, ErrUnsupported, "record", "aimdb_peek", w.ring, buffer, 8, m)
	for _, record := range []Handle{w.latest, w.mail} {
		gives(t, Empty, "aimdb_peek", record, buffer, 8, m)
		reader := open(t, record)
		produce(t, record, number(5))
		for range 3 {
			ok(t, "aimdb_peek", record, buffer, 8, m)
			require.Equal(t, []any{number(5), uint64(1), record}, []any{buffer, m.Sequence, m.Record})
		}
		ok(t, "aimdb_try_recv", reader, buffer, 8, m)
	}
	gives(t, Empty, "aimdb_peek", w.mail, buffer, 8, m)
	ok(t, "aimdb_peek", w.latest, buffer, 8, m)
}

func TestZeroTimeoutDoesNotWait(t *testing.T) {
	w := newWorld(t)
	gives(t, Empty, "aimdb_try_recv", w.reader, nil, 0, newMessage())
	gives(t, Empty, "aimdb_recv", w.reader, nil, 0, newMessage(), int64(0))
	gives(t, Empty, "aimdb_recv_batch", w.reader, nil, 0, newMessage(), 1, new(uintptr), int64(0))
	gives(t, Timeout, "aimdb_recv", w.reader, nil, 0, newMessage(), int64(1000))
	gives(t, Timeout, "aimdb_recv_batch", w.reader, nil, 0, newMessage(), 1, new(uintptr), int64(1000))
}

// The end of an infinite wait. Whether the receive sleeps already when its
// cause comes is left to chance: each order must give the same.
func TestInfiniteTimeoutEndsByAValueOrAClose(t *testing.T) {
	causes := map[string]struct {
		want Status
		do   func(w *world, record, reader Handle)
	}{
		"a value":      {OK, func(w *world, record, _ Handle) { produce(t, record, number(1)) }},
		"reader_close": {Closed, func(w *world, _, reader Handle) { ok(t, "aimdb_reader_close", reader, nil) }},
		"close":        {Closed, func(w *world, _, _ Handle) { ok(t, "aimdb_close", w.idle, Forever) }},
		"close and destroy": {Closed, func(w *world, _, _ Handle) {
			ok(t, "aimdb_close", w.idle, Forever)
			ok(t, "aimdb_destroy", w.idle)
		}},
	}
	for name, cause := range causes {
		for _, batch := range []bool{false, true} {
			w := newWorld(t)
			record := register(t, w.idle, "r", nil)
			reader := open(t, record)
			ok(t, "aimdb_start", w.idle)
			ended, about := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				buffer := make([]byte, 256)
				close(about)
				var s Status
				if batch {
					s, _ = callText(t, "aimdb_recv_batch", reader, buffer, 256, newMessage(), 1, new(uintptr), Forever)
				} else {
					s, _ = callText(t, "aimdb_recv", reader, buffer, 256, newMessage(), Forever)
				}
				// A call that began after the end finds no reader.
				if s != cause.want && !(s == ErrHandle && name != "a value") {
					t.Errorf("%s: %v, want %v", name, s, cause.want)
				}
			}()
			<-about
			cause.do(w, record, reader)
			within(t, ended, name)
		}
	}
}
