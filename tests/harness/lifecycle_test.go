// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// The states of a database. In closing, a callback runs that does not return,
// and another thread waits in aimdb_close.
const (
	created = iota
	started
	closing
	closed
	destroyed
	states
)

var stateNames = [states]string{"created", "started", "closing", "closed", "destroyed"}

// lifecycle is what each function answers in each state. The reader has one
// value waiting from started on; the emitter is of a callback that runs in
// started and closing. Timeouts are 0.
var lifecycle = map[string][states]Status{
	"aimdb_create":         {OK, OK, OK, OK, OK},
	"aimdb_start":          {OK, ErrState, ErrState, ErrState, ErrHandle},
	"aimdb_close":          {ErrState, Blocked, InProgress, OK, ErrHandle},
	"aimdb_close_with":     {ErrState, Blocked, InProgress, OK, ErrHandle},
	"aimdb_destroy":        {OK, ErrState, OK, OK, ErrHandle},
	"aimdb_register":       {OK, ErrState, ErrState, ErrState, ErrHandle},
	"aimdb_open":           {OK, OK, OK, OK, ErrHandle},
	"aimdb_record_info":    {OK, OK, OK, OK, ErrHandle},
	"aimdb_set_producer":   {OK, ErrState, ErrState, ErrState, ErrHandle},
	"aimdb_produce":        {ErrState, OK, Closed, Closed, ErrHandle},
	"aimdb_produce_batch":  {ErrState, OK, Closed, Closed, ErrHandle},
	"aimdb_emit":           {ErrEmitter, OK, OK, ErrEmitter, ErrEmitter},
	"aimdb_subscribe":      {OK, OK, Closed, Closed, ErrHandle},
	"aimdb_unsubscribe":    {OK, OK, OK, OK, ErrHandle},
	"aimdb_reader_open":    {OK, OK, Closed, Closed, ErrHandle},
	"aimdb_reader_close":   {OK, OK, OK, OK, ErrHandle},
	"aimdb_try_recv":       {Empty, OK, OK, OK, ErrHandle},
	"aimdb_recv":           {Empty, OK, OK, OK, ErrHandle},
	"aimdb_recv_batch":     {Empty, OK, OK, OK, ErrHandle},
	"aimdb_reader_fd":      {OK, OK, OK, OK, ErrHandle},
	"aimdb_peek":           {Empty, OK, OK, OK, ErrHandle},
	"aimdb_database_stats": {OK, OK, OK, OK, ErrHandle},
	"aimdb_record_stats":   {OK, OK, OK, OK, ErrHandle},
	"aimdb_consumer_stats": {OK, OK, OK, OK, ErrHandle},
	"aimdb_reader_stats":   {OK, OK, OK, OK, ErrHandle},
}

// inState brings a database of its own into a state.
func inState(t *testing.T, state int) *world {
	w := &world{t: t, db: create(t), server: newServer()}
	t.Cleanup(w.server.release)
	w.latest = register(t, w.db, "latest", latest)
	w.exact = register(t, w.db, "exact", func(c *RecordConfig) {
		c.ExactSize, c.TypeName = 16, &[]byte("T\x00")[0]
	})
	w.idle = w.db
	calls := register(t, w.db, "calls", nil)
	w.consumer = subscribe(t, w.exact, new(hook)) // never called
	w.reader = open(t, w.latest)
	if state >= started {
		subscribe(t, calls, &w.server.hook)
		ok(t, "aimdb_start", w.db)
		produce(t, w.latest, number(1))
		produce(t, calls, nil)
		within(t, w.server.entered, "a callback")
	}
	if state >= closing {
		ended := make(chan struct{})
		go func() { defer close(ended); gives(t, OK, "aimdb_close", w.db, Forever) }()
		t.Cleanup(func() { within(t, ended, "the close that waits") })
		t.Cleanup(w.server.release)
		await(t, "closing", func() bool { return call(t, "aimdb_produce", w.latest, nil, 0) == Closed })
		if state >= closed {
			w.server.release()
			within(t, ended, "close")
		}
	}
	if state == destroyed {
		ok(t, "aimdb_destroy", w.db)
	}
	return w
}

func TestEveryFunctionAnswersInEveryStateWhatTheLifecycleSays(t *testing.T) {
	for _, fn := range api.functions {
		if !fn.answers {
			continue
		}
		want, listed := lifecycle[fn.name]
		require.True(t, listed, fn.name)
		for state := range states {
			t.Run(fn.name+"/"+stateNames[state], func(t *testing.T) {
				w := inState(t, state)
				args := w.arguments(fn.name)
				if i := fn.index("timeout_ns"); i >= 0 {
					args[i] = int64(0)
				}
				check := func() { gives(t, want[state], fn.name, args...) }
				if fn.params[0].emitter() && (state == started || state == closing) {
					w.server.run(t, check)
				} else {
					check()
				}
				if fn.name == "aimdb_create" {
					ok(t, "aimdb_destroy", *args[1].(*Handle))
				}
			})
		}
	}
}

func TestClosedDatabaseGivesReadersWhatIsLeftThenClosed(t *testing.T) {
	w := inState(t, closed)
	buffer := make([]byte, 256)
	ok(t, "aimdb_try_recv", w.reader, buffer, 256, newMessage())
	gives(t, Closed, "aimdb_try_recv", w.reader, buffer, 256, newMessage())
	gives(t, Closed, "aimdb_recv", w.reader, buffer, 256, newMessage(), Forever)
	count := uintptr(9)
	gives(t, Closed, "aimdb_recv_batch", w.reader, buffer, 256, newMessage(), 1, &count, Forever)
	require.Zero(t, count)
}

// The end of a database and the beginning of the next, over and over. What the
// first one still does must not reach the second, which may lie in its place.
func TestCloseThatOverlapsDestroyDoesNotReachTheNextDatabase(t *testing.T) {
	for range 300 {
		var db Handle
		ok(t, "aimdb_create", nil, &db)
		s := newServer()
		calls := register(t, db, "calls", nil)
		for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			open(t, register(t, db, key, mailbox))
		}
		subscribe(t, calls, &s.hook)
		ok(t, "aimdb_start", db)
		produce(t, calls, nil)
		within(t, s.entered, "a callback")
		s.run(t, func() { gives(t, InProgress, "aimdb_close", db, Forever) })
		closing := make(chan struct{})
		go func() { // beside it, one that waits
			defer close(closing)
			got := call(t, "aimdb_close", db, Forever)
			if got != OK && got != ErrHandle {
				t.Errorf("close: %v", got)
			}
		}()
		s.release()
		within(t, s.freed, "the free function")
		ok(t, "aimdb_destroy", db)

		bystander(t)
		within(t, closing, "the close beside destroy")
	}
}

// bystander is the life of a database that nobody else knows.
func bystander(t *testing.T) {
	t.Helper()
	var db Handle
	ok(t, "aimdb_create", nil, &db)
	record := register(t, db, "r", nil)
	got := make(chan uint64, 1)
	consumer := subscribe(t, record, &hook{consume: func(_ Handle, m *Message) int32 { got <- m.Sequence; return 0 }})
	ok(t, "aimdb_start", db)
	for n := range uint64(20) {
		if status := call(t, "aimdb_produce", record, nil, 0); status != OK {
			t.Fatalf("a database nobody else knows answers %v", status)
		}
		require.Equal(t, n+1, <-got)
	}
	ok(t, "aimdb_close", db, Forever)
	stats := newConsumerStats()
	ok(t, "aimdb_consumer_stats", consumer, stats)
	require.Equal(t, []uint64{20, 20}, []uint64{stats.Offered, stats.Delivered})
	ok(t, "aimdb_destroy", db)
}

// Threads call everything with the handles of databases that end under them.
func TestCallsThatOverlapDestroyAreSafeAndReachNoOtherDatabase(t *testing.T) {
	w := newWorld(t)
	var current atomic.Pointer[world]
	var stop atomic.Bool
	var callers sync.WaitGroup
	for _, calls := range [][]string{
		{"aimdb_produce", "aimdb_produce_batch", "aimdb_peek", "aimdb_open", "aimdb_record_info", "aimdb_record_stats"},
		{"aimdb_reader_open", "aimdb_try_recv", "aimdb_recv", "aimdb_recv_batch", "aimdb_reader_fd",
			"aimdb_reader_stats", "aimdb_reader_close"},
		{"aimdb_subscribe", "aimdb_unsubscribe", "aimdb_consumer_stats", "aimdb_database_stats",
			"aimdb_register", "aimdb_set_producer", "aimdb_close"},
	} {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for !stop.Load() {
				for _, name := range calls {
					if victim := current.Load(); victim != nil {
						call(t, name, victim.arguments(name)...)
					}
				}
			}
		}()
	}
	t.Cleanup(func() { stop.Store(true); callers.Wait() })
	for range 30 {
		v := &world{t: t, server: newServer()}
		ok(t, "aimdb_create", nil, &v.db)
		v.idle = v.db
		v.latest = register(t, v.db, "latest", latest)
		v.exact = register(t, v.db, "exact", nil)
		v.reader = open(t, v.latest)
		v.consumer = subscribe(t, v.exact, new(hook))
		ok(t, "aimdb_start", v.db)
		current.Store(v)
		bystander(t)
		for call(t, "aimdb_destroy", v.db) != OK { // started: others may have closed it or not
			call(t, "aimdb_close", v.db, Forever)
		}
		bystander(t)
	}
	w.lives()
}
