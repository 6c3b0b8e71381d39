// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience ends what hangs. Nothing is asserted about how long things take.
const patience = 120 * time.Second

func within(t testing.TB, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("hangs: " + what)
	}
}

func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for begun := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatal("hangs: " + what)
		}
	}
}

func number(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// create makes a database whose log is not shown. It is ended with the test.
func create(t testing.TB) Handle {
	t.Helper()
	var db Handle
	logger := &hook{log: func(int32, string) {}}
	require.Equal(t, OK, call(t, "aimdb_create", logger.logger(), &db))
	t.Cleanup(func() {
		invoke("aimdb_close", db, Forever)
		invoke("aimdb_destroy", db)
		within(t, logger.freed, "the end of a database")
	})
	return db
}

func register(t testing.TB, db Handle, key string, change func(*RecordConfig)) Handle {
	t.Helper()
	config := newRecordConfig()
	if change != nil {
		change(config)
	}
	var record Handle
	require.Equal(t, OK, call(t, "aimdb_register", db, key, config, &record), key)
	return record
}

func latest(c *RecordConfig)  { c.Buffer = Latest }
func mailbox(c *RecordConfig) { c.Buffer = Mailbox }

func subscribe(t testing.TB, record Handle, h *hook) Handle {
	t.Helper()
	var consumer Handle
	require.Equal(t, OK, call(t, "aimdb_subscribe", record, h.consumer(), &consumer))
	return consumer
}

func open(t testing.TB, record Handle) Handle {
	t.Helper()
	var reader Handle
	require.Equal(t, OK, call(t, "aimdb_reader_open", record, &reader))
	return reader
}

func produce(t testing.TB, record Handle, data []byte) {
	t.Helper()
	ok(t, "aimdb_produce", record, data, len(data))
}

// A server is a consumer's callback that does what tests ask of it, on its
// thread, until it is released.
type server struct {
	hook
	emitter Handle // of the callback that runs
	entered chan struct{}
	work    chan func()
	once    sync.Once
}

func newServer() *server {
	s := &server{entered: make(chan struct{}, 1), work: make(chan func())}
	s.consume = func(emitter Handle, _ *Message) int32 {
		s.emitter = emitter
		s.entered <- struct{}{}
		for f := range s.work {
			f()
		}
		return 0
	}
	return s
}

// run waits for f, run inside the callback. f must not end the goroutine.
func (s *server) run(t testing.TB, f func()) {
	t.Helper()
	done := make(chan struct{})
	s.work <- func() { defer close(done); f() }
	within(t, done, "work inside a callback")
}

func (s *server) release() { s.once.Do(func() { close(s.work) }) }

// A world is a running database with a value stream through it that bad calls
// must not disturb.
type world struct {
	t                            testing.TB
	db, idle, ring, latest, mail Handle
	calls                        Handle // the server's
	exact                        Handle // takes 16 bytes, has the type name "T"
	reader, consumer             Handle
	server                       *server

	closed bool // by the test

	sent uint64
	mu   sync.Mutex
	got  []uint64
	more *sync.Cond
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, db: create(t), server: newServer()}
	w.more = sync.NewCond(&w.mu)
	w.idle = create(t) // a database that is not started
	w.ring = register(t, w.db, "ring", func(c *RecordConfig) { c.PayloadMax = 64 })
	w.latest = register(t, w.db, "latest", latest)
	w.mail = register(t, w.db, "mailbox", mailbox)
	w.exact = register(t, w.db, "exact", func(c *RecordConfig) {
		c.ExactSize, c.TypeName = 16, &[]byte("T\x00")[0]
	})
	w.calls = register(t, w.db, "calls", nil)
	w.consumer = subscribe(t, w.ring, &hook{consume: w.take})
	w.reader = open(t, w.ring)
	subscribe(t, w.calls, &w.server.hook)
	t.Cleanup(w.server.release)
	ok(t, "aimdb_start", w.db)
	produce(t, w.calls, nil)
	within(t, w.server.entered, "a callback")
	w.lives()
	t.Cleanup(w.end)
	return w
}

func (w *world) take(_ Handle, m *Message) int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = append(w.got, binary.LittleEndian.Uint64(m.payload()))
	w.more.Broadcast()
	return 0
}

// lives: a value comes through the database, with nothing lost before it.
func (w *world) lives() {
	w.t.Helper()
	w.sent++
	produce(w.t, w.ring, number(w.sent))
	buffer, m := make([]byte, 64), newMessage()
	require.Equal(w.t, OK, call(w.t, "aimdb_recv", w.reader, buffer, len(buffer), m, int64(patience)))
	require.Equal(w.t, w.sent, m.Sequence)
	require.Equal(w.t, number(w.sent), buffer[:m.Size])
	await(w.t, "the consumer", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return uint64(len(w.got)) >= w.sent
	})
}

// end: every value came once and in order, and the accounts say so.
func (w *world) end() {
	if !w.closed {
		w.lives()
		w.server.release()
		ok(w.t, "aimdb_close", w.db, int64(patience))
	}
	for i, n := range w.got {
		require.Equal(w.t, uint64(i+1), n)
	}
	record, consumer, reader := newRecordStats(), newConsumerStats(), newConsumerStats()
	ok(w.t, "aimdb_record_stats", w.ring, record)
	ok(w.t, "aimdb_consumer_stats", w.consumer, consumer)
	ok(w.t, "aimdb_reader_stats", w.reader, reader)
	require.Equal(w.t, []uint64{w.sent, 8 * w.sent, 0}, []uint64{record.Produced, record.Bytes, record.Rejected})
	for _, s := range []*ConsumerStats{consumer, reader} {
		require.Equal(w.t, w.sent, s.Offered)
		require.Equal(w.t, w.sent, s.Delivered)
		require.Zero(w.t, s.Lagged+s.Skipped+s.Pending+s.Abandoned+s.Failures)
	}
}

// arguments are good ones for each function; those of the server's emitter
// are good inside its callback only. No call of them touches the ring.
func (w *world) arguments(name string) []any {
	out, buffer := new(Handle), make([]byte, 256)
	all := map[string][]any{
		"aimdb_create":         {newConfig(), out},
		"aimdb_start":          {w.db},
		"aimdb_close":          {w.db, int64(patience)},
		"aimdb_close_with":     {w.db, int64(patience), uint32(0)},
		"aimdb_destroy":        {w.db},
		"aimdb_register":       {w.idle, "fresh", newRecordConfig(), out},
		"aimdb_open":           {w.db, "exact", "T", 16, out},
		"aimdb_record_info":    {w.latest, newRecordInfo()},
		"aimdb_set_producer":   {w.latest, &ProducerConfig{StructSize: newProducerConfig().StructSize, Fn: producerFn}},
		"aimdb_produce":        {w.latest, buffer[:8], 8},
		"aimdb_produce_batch":  {w.latest, buffer[:8], []uintptr{4, 4}, 2, new(uintptr)},
		"aimdb_emit":           {w.server.emitter, w.latest, buffer[:8], 8},
		"aimdb_subscribe":      {w.exact, &ConsumerConfig{StructSize: newConsumerConfig().StructSize, Fn: consumerFn}, out},
		"aimdb_unsubscribe":    {w.consumer, newConsumerStats()},
		"aimdb_reader_open":    {w.latest, out},
		"aimdb_reader_close":   {w.reader, newConsumerStats()},
		"aimdb_try_recv":       {w.reader, buffer, len(buffer), newMessage()},
		"aimdb_recv":           {w.reader, buffer, len(buffer), newMessage(), int64(0)},
		"aimdb_recv_batch":     {w.reader, buffer, len(buffer), newMessage(), 1, new(uintptr), int64(0)},
		"aimdb_reader_fd":      {w.reader, new(int32)},
		"aimdb_peek":           {w.latest, buffer, len(buffer), newMessage()},
		"aimdb_database_stats": {w.db, newDatabaseStats()},
		"aimdb_record_stats":   {w.latest, newRecordStats()},
		"aimdb_consumer_stats": {w.consumer, newConsumerStats()},
		"aimdb_reader_stats":   {w.reader, newConsumerStats()},
	}
	args, ok := all[name]
	if !ok {
		w.t.Fatal("no arguments for " + name)
	}
	return args
}

// each runs f for every function that answers a status, inside the callback if
// it takes an emitter. The world must live on.
func (w *world) each(f func(fn *function, args []any)) {
	for _, fn := range api.functions {
		if !fn.answers {
			continue
		}
		args := w.arguments(fn.name)
		if len(fn.params) > 0 && fn.params[0].emitter() {
			w.server.run(w.t, func() { f(fn, args) })
		} else {
			f(fn, args)
		}
		w.lives()
	}
}
