// SPDX-License-Identifier: Apache-2.0

package harness

import (
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
	"aimdb_close":          {ErrState, Blocked, Blocked, OK, ErrHandle},
	"aimdb_destroy":        {OK, ErrState, OK, OK, ErrHandle},
	"aimdb_register":       {OK, ErrState, ErrState, ErrState, ErrHandle},
	"aimdb_open":           {OK, OK, OK, OK, ErrHandle},
	"aimdb_record_info":    {OK, OK, OK, OK, ErrHandle},
	"aimdb_set_producer":   {OK, ErrState, ErrState, ErrState, ErrHandle},
	"aimdb_produce":        {ErrState, OK, Closed, Closed, ErrHandle},
	"aimdb_emit":           {ErrEmitter, OK, Closed, ErrEmitter, ErrEmitter},
	"aimdb_subscribe":      {OK, OK, Closed, Closed, ErrHandle},
	"aimdb_unsubscribe":    {OK, OK, OK, OK, ErrHandle},
	"aimdb_reader_open":    {OK, OK, Closed, Closed, ErrHandle},
	"aimdb_reader_close":   {OK, OK, OK, OK, ErrHandle},
	"aimdb_try_recv":       {Empty, OK, OK, OK, ErrHandle},
	"aimdb_recv":           {Timeout, OK, OK, OK, ErrHandle},
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
