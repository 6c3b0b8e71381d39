// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// In all of these, callText sees to it that the text of every refusal names an
// argument, and the world to it that nothing is lost and the database works.

func TestNullForEachPointerInTurnIsRefusedByName(t *testing.T) {
	w := newWorld(t)
	w.each(func(fn *function, args []any) {
		for i, p := range fn.params {
			if !p.pointer() || p.nullable {
				continue
			}
			want := ErrArgument
			if p.emitter() {
				want = ErrEmitter
			} else if p.handle() {
				want = ErrHandle
			}
			bad := slices.Clone(args)
			bad[i] = nil
			refused(t, want, p.name, fn.name, bad...)
		}
	})
}

func TestNullIsGoodWhereTheHeaderAllowsIt(t *testing.T) {
	w := newWorld(t)
	var db, record, consumer, reader Handle
	ok(t, "aimdb_create", nil, &db)
	ok(t, "aimdb_register", db, "a", nil, &record)
	ok(t, "aimdb_open", db, "a", nil, AnySize, &record)
	h := new(hook)
	ok(t, "aimdb_subscribe", record, h.consumer(), nil)
	ok(t, "aimdb_subscribe", record, new(hook).consumer(), &consumer)
	ok(t, "aimdb_unsubscribe", consumer, nil)
	ok(t, "aimdb_reader_open", record, &reader)
	ok(t, "aimdb_start", db)
	empty := open(t, record)
	ok(t, "aimdb_close", db, int64(patience))
	gives(t, Closed, "aimdb_try_recv", empty, nil, 0, newMessage())
	ok(t, "aimdb_reader_close", reader, nil)
	ok(t, "aimdb_destroy", db)
	within(t, h.freed, "the free function")
	ok(t, "aimdb_produce", w.latest, nil, 0)
	ok(t, "aimdb_peek", w.latest, nil, 0, newMessage())
	w.server.run(t, func() { ok(t, "aimdb_emit", w.server.emitter, w.latest, nil, 0) })
}

// forgeries are numbers that are no handles: small, random, real addresses,
// and valid handles with flipped bits.
func forgeries(valid []Handle, count int) []Handle {
	random := rand.New(rand.NewPCG(1, 2))
	local := 0
	list := []Handle{math.MaxInt, math.MaxUint64, 1 << 63,
		Handle(unsafe.Pointer(&local)), Handle(unsafe.Pointer(new([64]byte))), Handle(symbols["aimdb_create"])}
	for n := range Handle(256) {
		list = append(list, n)
	}
	for _, h := range valid {
		for bit := range 64 {
			list = append(list, h^1<<bit)
		}
	}
	for range count {
		h := valid[random.IntN(len(valid))]
		list = append(list, Handle(random.Uint64()), Handle(random.Uint32()),
			h^Handle(random.Uint64()&random.Uint64()&random.Uint64()), h+Handle(random.IntN(1000)-500))
	}
	return slices.DeleteFunc(list, func(h Handle) bool { return slices.Contains(valid, h) })
}

func TestForgedHandlesAreRefused(t *testing.T) {
	w := newWorld(t)
	valid := []Handle{w.db, w.idle, w.ring, w.latest, w.mail, w.exact, w.calls,
		w.reader, w.consumer, w.server.emitter}
	forged := forgeries(valid, 500)
	calls := 0
	w.each(func(fn *function, args []any) {
		for i, p := range fn.params {
			if !p.handle() {
				continue
			}
			want := ErrHandle
			if p.emitter() {
				want = ErrEmitter
			}
			bad := slices.Clone(args)
			for _, h := range forged {
				bad[i] = h
				refused(t, want, p.name, fn.name, bad...)
				calls++
			}
		}
	})
	t.Log(calls, "calls with forged handles")
}

func TestHandlesOfAnotherTypeAreRefused(t *testing.T) {
	w := newWorld(t)
	byType := map[string]Handle{"aimdb_t *": w.db, "aimdb_record_t *": w.latest,
		"aimdb_consumer_t *": w.consumer, "aimdb_reader_t *": w.reader, "aimdb_emitter_t *": w.server.emitter}
	w.each(func(fn *function, args []any) {
		for i, p := range fn.params {
			for typ, h := range byType {
				if !p.handle() || p.typ == typ {
					continue
				}
				bad := slices.Clone(args)
				bad[i] = h
				want := ErrHandle
				if p.emitter() {
					want = ErrEmitter
				}
				refused(t, want, p.name, fn.name, bad...)
			}
		}
	})
}

func TestEndedHandlesAreRefused(t *testing.T) {
	w := newWorld(t)
	db := create(t)
	record := register(t, db, "a", nil)
	consumer, reader := subscribe(t, record, new(hook)), open(t, record)
	s := newServer()
	consumers := register(t, w.idle, "calls", nil)
	subscribe(t, consumers, &s.hook)
	ok(t, "aimdb_start", w.idle)
	produce(t, consumers, nil)
	within(t, s.entered, "a callback")
	s.release()
	ok(t, "aimdb_close", w.idle, int64(patience)) // its callback has returned: the emitter is expired
	ok(t, "aimdb_unsubscribe", consumer, nil)
	ok(t, "aimdb_reader_close", reader, nil)
	refused(t, ErrHandle, "consumer", "aimdb_unsubscribe", consumer, nil)
	refused(t, ErrHandle, "reader", "aimdb_reader_close", reader, nil)
	ok(t, "aimdb_destroy", db)
	ended := map[string]Handle{"aimdb_t *": db, "aimdb_record_t *": record, "aimdb_consumer_t *": consumer,
		"aimdb_reader_t *": reader, "aimdb_emitter_t *": s.emitter}
	w.each(func(fn *function, args []any) {
		for i, p := range fn.params {
			if !p.handle() {
				continue
			}
			bad := slices.Clone(args)
			bad[i] = ended[p.typ]
			want := ErrHandle
			if p.emitter() {
				want = ErrEmitter
			}
			refused(t, want, p.name, fn.name, bad...)
		}
	})
}

func TestEndedHandlesStayRefusedWhenTheirPlacesAreTakenAgain(t *testing.T) {
	w := newWorld(t)
	record := register(t, w.idle, "a", nil)
	seen := make(map[Handle]bool)
	for range 1000 {
		reader := open(t, record)
		require.False(t, seen[reader], "a reader has the number of an ended one")
		ok(t, "aimdb_reader_close", reader, nil)
		seen[reader] = true
	}
	for reader := range seen {
		refused(t, ErrHandle, "reader", "aimdb_reader_stats", reader, newConsumerStats())
	}
}

func TestRecordOfAnotherDatabaseIsRefusedToAnEmitter(t *testing.T) {
	w := newWorld(t)
	db := create(t)
	foreign := register(t, db, "a", nil)
	early := register(t, w.idle, "a", nil)
	ok(t, "aimdb_start", db)
	w.server.run(t, func() {
		refused(t, ErrHandle, "record", "aimdb_emit", w.server.emitter, foreign, number(1), 8)
		refused(t, ErrHandle, "record", "aimdb_emit", w.server.emitter, early, number(1), 8)
	})
	stats := newRecordStats()
	ok(t, "aimdb_record_stats", foreign, stats)
	require.Zero(t, stats.Produced)
}

func TestExpiredEmitterIsRefused(t *testing.T) {
	w := newWorld(t)
	record := register(t, create(t), "a", nil) // any database: the emitter is looked at first
	refused(t, ErrEmitter, "emitter", "aimdb_emit", Handle(0), record, nil, 0)
	emitters := make(chan Handle, 3)
	subscribe(t, w.latest, &hook{consume: func(e Handle, _ *Message) int32 { emitters <- e; return 0 }})
	for range 3 {
		produce(t, w.latest, number(1))
		// The next value's callback begins after this one's has returned, so an
		// emitter is surely expired when the one after it is here.
		first := <-emitters
		produce(t, w.latest, number(2))
		<-emitters
		refused(t, ErrEmitter, "emitter", "aimdb_emit", first, w.latest, number(3), 8)
	}
}

func TestKeyOfEveryByteIsTakenOrRefusedByTheRule(t *testing.T) {
	w := newWorld(t)
	const good = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-"
	for b := range 256 {
		key, out := string([]byte{'k', byte(b), 'k'}), new(Handle)
		switch {
		case b == 0: // ends the string: the key is k
			ok(t, "aimdb_register", w.idle, key, nil, out)
			ok(t, "aimdb_open", w.idle, "k", nil, AnySize, out)
		case strings.IndexByte(good, byte(b)) >= 0:
			ok(t, "aimdb_register", w.idle, key, nil, out)
			info := newRecordInfo()
			ok(t, "aimdb_record_info", *out, info)
			require.Equal(t, key, string(info.Key[:3]))
		default:
			refused(t, ErrKey, "key", "aimdb_register", w.idle, key, nil, out)
			refused(t, ErrKey, "key", "aimdb_open", w.idle, key, nil, AnySize, out)
			require.Zero(t, *out, "an output argument was written")
		}
	}
	w.lives()
}

func TestKeyEmptyTooLongOrRegisteredTwiceIsRefused(t *testing.T) {
	w := newWorld(t)
	var longest, out Handle
	key := strings.Repeat("k", KeyMax)
	ok(t, "aimdb_register", w.idle, key, nil, &longest)
	ok(t, "aimdb_open", w.idle, key, nil, AnySize, &out)
	require.Equal(t, longest, out)
	out = 0
	for _, bad := range []string{"", key + "k", strings.Repeat("k", 10_000)} {
		refused(t, ErrKey, "key", "aimdb_register", w.idle, bad, nil, &out)
		refused(t, ErrKey, "key", "aimdb_open", w.idle, bad, nil, AnySize, &out)
	}
	refused(t, ErrExists, "key", "aimdb_register", w.idle, key, nil, &out)
	refused(t, ErrNotFound, "key", "aimdb_open", w.idle, "nobody", nil, AnySize, &out)
	require.Zero(t, out)
}

func TestOpenWithAnotherTypeNameOrSizeIsRefused(t *testing.T) {
	w := newWorld(t)
	var out Handle
	for _, name := range []string{"", "U", "t", "TT", strings.Repeat("T", 300)} {
		refused(t, ErrType, "type_name", "aimdb_open", w.db, "exact", name, 16, &out)
		refused(t, ErrType, "type_name", "aimdb_open", w.db, "ring", name+"T", AnySize, &out)
	}
	for _, size := range []uintptr{0, 15, 17, AnySize - 1} {
		refused(t, ErrType, "exact_size", "aimdb_open", w.db, "exact", "T", size, &out)
		refused(t, ErrType, "exact_size", "aimdb_open", w.db, "ring", nil, size, &out)
	}
	require.Zero(t, out)
	ok(t, "aimdb_open", w.db, "exact", nil, AnySize, &out)
	require.Equal(t, w.exact, out)
}

func TestPayloadOfABadSizeIsRefused(t *testing.T) {
	w := newWorld(t)
	data := make([]byte, 100)
	give := func(want Status, argument string, record Handle, data any, size any) {
		refused(t, want, argument, "aimdb_produce", record, data, size)
		if n, wide := size.(uintptr); wide {
			element := strings.Replace(argument, "size", "sizes[0]", 1)
			refused(t, want, element, "aimdb_produce_batch", record, data, []uintptr{n}, 1, nil)
		}
		w.server.run(t, func() {
			refused(t, want, argument, "aimdb_emit", w.server.emitter, record, data, size)
		})
	}
	give(ErrSize, "size", w.ring, data, 65)
	for _, size := range []uintptr{257, 1 << 32, 1<<32 + 1, 1 << 63, AnySize} {
		give(ErrSize, "size", w.latest, data, size)
	}
	for _, size := range []int{0, 8, 15, 17, 32} {
		give(ErrSize, "size", w.exact, data, size)
	}
	for _, size := range []uintptr{1, 16, AnySize} {
		give(ErrArgument, "data", w.exact, nil, size)
	}
	stats := newRecordStats()
	ok(t, "aimdb_record_stats", w.exact, stats)
	require.Zero(t, stats.Produced+stats.Rejected+stats.Bytes)
}

func TestReplacementOfABadSizeIsRefusedAndCountedAsRejected(t *testing.T) {
	w := newWorld(t)
	record := register(t, w.idle, "r", func(c *RecordConfig) { c.PayloadMax = 32; c.ExactSize = 16 })
	sizes := []uintptr{0, 15, 17, 33, AnySize}
	next := 0
	h := &hook{produce: func(_ Handle, _ *Message, d *Draft) int32 { d.Size = sizes[next]; next++; return Replace }}
	ok(t, "aimdb_set_producer", record, h.producer())
	ok(t, "aimdb_start", w.idle)
	for range sizes {
		refused(t, ErrSize, "size", "aimdb_produce", record, make([]byte, 16), 16)
	}
	stats := newRecordStats()
	ok(t, "aimdb_record_stats", record, stats)
	require.Equal(t, []uint64{0, uint64(len(sizes))}, []uint64{stats.Produced, stats.Rejected})
}

func TestRecordConfigOutOfItsRangeIsRefused(t *testing.T) {
	w := newWorld(t)
	long := append([]byte(strings.Repeat("T", TypeNameMax+1)), 0)
	for name, bad := range map[string]struct {
		want   Status
		change func(*RecordConfig)
	}{
		"capacity":   {ErrArgument, func(c *RecordConfig) { c.Capacity = 0 }},
		"exact_size": {ErrArgument, func(c *RecordConfig) { c.ExactSize = 257 }},
		"type_name":  {ErrArgument, func(c *RecordConfig) { c.TypeName = &long[0] }},
		"buffer":     {ErrArgument, func(c *RecordConfig) { c.Buffer = 3 }},
		"buffer ":    {ErrArgument, func(c *RecordConfig) { c.Buffer = -1 }},
	} {
		config, out := newRecordConfig(), new(Handle)
		bad.change(config)
		refused(t, bad.want, "config", "aimdb_register", w.idle, "bad", config, out)
		_, text := callText(t, "aimdb_register", w.idle, "bad", config, out)
		require.Contains(t, text, strings.TrimSpace(name))
		require.Zero(t, *out)
	}
	refused(t, ErrNotFound, "key", "aimdb_open", w.idle, "bad", nil, AnySize, new(Handle))
	ok(t, "aimdb_register", w.idle, "bad", nil, new(Handle)) // the key was not used up
	long[TypeNameMax] = 0
	register(t, w.idle, "longest.type.name", nil)
}

func TestMemoryThatIsNotToBeHadIsRefused(t *testing.T) {
	w := newWorld(t)
	huge := []uintptr{1 << 46, 1 << 47, 1 << 62, 1 << 63, math.MaxUint64 / 257, math.MaxUint64 / 264,
		math.MaxUint64/264 + 1, math.MaxUint64 / 9 * 8, AnySize - 1, AnySize}
	for _, n := range huge {
		for _, change := range []func(*RecordConfig){
			func(c *RecordConfig) { c.Capacity = n },
			func(c *RecordConfig) { c.PayloadMax = n },
			func(c *RecordConfig) { c.Capacity, c.PayloadMax = n, n },
			func(c *RecordConfig) { c.Capacity, c.PayloadMax = n, 0 },
			func(c *RecordConfig) { c.Capacity, c.PayloadMax = 1<<32, 1<<32 },
		} {
			config, out := newRecordConfig(), new(Handle)
			change(config)
			refused(t, ErrNoMemory, "config", "aimdb_register", w.idle, "huge", config, out)
			require.Zero(t, *out)
		}
	}
	stats := newDatabaseStats()
	ok(t, "aimdb_database_stats", w.idle, stats)
	require.Zero(t, stats.Records+stats.Memory)
	w.lives()
}

func TestNegativeTimeoutsAreRefused(t *testing.T) {
	w := newWorld(t)
	w.each(func(fn *function, args []any) {
		i := fn.index("timeout_ns")
		if i < 0 {
			return
		}
		for _, timeout := range []int64{-1, -Second, math.MinInt64} {
			args[i] = timeout
			refused(t, ErrArgument, "timeout_ns", fn.name, args...)
		}
	})
}

func TestOtherValuesOutOfTheirRangeAreRefused(t *testing.T) {
	w := newWorld(t)
	buffer := make([]byte, 64)
	refused(t, ErrArgument, "max", "aimdb_recv_batch", w.reader, buffer, 64, newMessage(), 0, new(uintptr), int64(0))
	for _, level := range []int32{-1, 5, math.MaxInt32, math.MinInt32} {
		config := newConfig()
		config.LogLevel = level
		refused(t, ErrArgument, "config", "aimdb_create", config, new(Handle))
	}
	for _, stack := range []uintptr{1, 65535} {
		config := new(hook).consumer()
		config.StackSize = stack
		refused(t, ErrArgument, "config", "aimdb_subscribe", w.latest, config, new(Handle))
	}
	refused(t, ErrArgument, "config", "aimdb_subscribe", w.latest, newConsumerConfig(), new(Handle))
	refused(t, ErrArgument, "config", "aimdb_set_producer", w.latest, newProducerConfig())
}

func TestUserPointerStaysTheCallersWhenACallIsRefused(t *testing.T) {
	w := newWorld(t)
	kept := new(hook)
	logger := kept.logger()
	logger.LogLevel = 9
	refused(t, ErrArgument, "config", "aimdb_create", logger, new(Handle))
	producer := new(hook)
	refused(t, ErrState, "record", "aimdb_set_producer", w.latest, producer.producer())
	consumer := new(hook)
	config := consumer.consumer()
	config.StackSize = 1 << 60
	refused(t, ErrNoThreads, "record", "aimdb_subscribe", w.latest, config, new(Handle))
	w.lives()
	for _, h := range []*hook{kept, producer, consumer} {
		select {
		case <-h.freed:
			t.Error("the free function was called for a refused call")
		default:
		}
	}
}

func TestStrerrorHasATextForEveryNumber(t *testing.T) {
	seen := make(map[string]string)
	for name, s := range statuses {
		text := goString(invoke("aimdb_strerror", int32(s)))
		require.NotEmpty(t, text, name)
		require.Empty(t, seen[text], name)
		seen[text] = name
	}
	unknown := goString(invoke("aimdb_strerror", 1000))
	require.NotEmpty(t, unknown)
	require.NotContains(t, seen, unknown)
	for _, n := range []int32{8, -19, math.MaxInt32, math.MinInt32} {
		require.Equal(t, unknown, goString(invoke("aimdb_strerror", n)), fmt.Sprint(n))
	}
	reached.note("aimdb_strerror", OK)
}
