// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A struct of another header is a block of bytes: what a program with that
// header would have in memory.

const room = 8192 // of a block; what the library must not touch is 0xAA

func block(of any, size uintptr) []byte {
	b := slices.Repeat([]byte{0xAA}, room)
	copy(b, bytesOf(of))
	setSize(b, size)
	return b
}

func setSize(b []byte, size uintptr) { binary.NativeEndian.PutUint64(b, uint64(size)) }

// boundaries are the sizes of a struct's prefixes, from the first field after
// struct_size on, as a compiler gives them.
func boundaries(of any) []uintptr {
	typ := reflect.TypeOf(of).Elem()
	var sizes []uintptr
	for i := 2; i < typ.NumField(); i++ {
		sizes = append(sizes, typ.Field(i).Offset)
	}
	return append(sizes, typ.Size())
}

// insideOfAField are sizes that no struct of any header has.
func insideOfAField(of any) []uintptr {
	typ := reflect.TypeOf(of).Elem()
	sizes := []uintptr{0, 1, 2, 3, 4, 5, 6, 7, 8}
	for i := 1; i < typ.NumField(); i++ {
		f := typ.Field(i)
		for n := f.Offset + 1; n < f.Offset+f.Type.Size(); n++ {
			sizes = append(sizes, n)
		}
	}
	return sizes
}

var absurd = []uintptr{1 << 20, 1 << 32, 1 << 46, math.MaxInt64, AnySize - 7, AnySize}

// A use of a configuration struct: a call that takes it, on things of its own.
type use struct {
	function string
	good     any
	call     func(config []byte) []any
}

func (w *world) configurations() []use {
	n := 0
	key := func() string { n++; return fmt.Sprint("k", n) }
	fresh := func() Handle { return register(w.t, w.idle, key(), nil) }
	producer, consumer := newProducerConfig(), newConsumerConfig()
	producer.Fn, consumer.Fn = producerFn, consumerFn
	return []use{
		{"aimdb_create", newConfig(), func(c []byte) []any { return []any{c, new(Handle)} }},
		{"aimdb_register", newRecordConfig(), func(c []byte) []any { return []any{w.idle, key(), c, new(Handle)} }},
		{"aimdb_set_producer", producer, func(c []byte) []any { return []any{fresh(), c} }},
		{"aimdb_subscribe", consumer, func(c []byte) []any { return []any{fresh(), c, new(Handle)} }},
	}
}

// works makes the call and ends a database that it made.
func (u use) works(t *testing.T, config []byte) {
	t.Helper()
	args := u.call(config)
	ok(t, u.function, args...)
	if u.function == "aimdb_create" {
		ok(t, "aimdb_destroy", *args[1].(*Handle))
	}
}

func TestConfigurationOfAnOlderHeaderIsServed(t *testing.T) {
	w := newWorld(t)
	for _, u := range w.configurations() {
		for _, size := range boundaries(u.good) {
			b := block(u.good, size)
			for i := size; i < room; i++ {
				b[i] = 0xAA // not part of the struct
			}
			before := slices.Clone(b)
			u.works(t, b)
			require.Equal(t, before, b, "a configuration was written")
		}
	}
	w.lives()
}

func TestFieldsAnOlderHeaderDoesNotHaveGetTheirDefaults(t *testing.T) {
	w := newWorld(t)
	typ := reflect.TypeFor[RecordConfig]()
	for i, size := range boundaries(newRecordConfig()) {
		config := &RecordConfig{Buffer: Ring, Capacity: 5, PayloadMax: 6, ExactSize: 3, TypeName: &[]byte("T\x00")[0]}
		record, info := new(Handle), newRecordInfo()
		ok(t, "aimdb_register", w.idle, fmt.Sprint("k", i), block(config, size), record)
		ok(t, "aimdb_record_info", *record, info)
		want := newRecordConfig()
		for n := range i + 2 { // the fields that are there
			reflect.ValueOf(want).Elem().Field(n).Set(reflect.ValueOf(config).Elem().Field(n))
		}
		require.Equal(t, []uintptr{want.Capacity, want.PayloadMax, want.ExactSize},
			[]uintptr{info.Capacity, info.PayloadMax, info.ExactSize}, "up to "+typ.Field(i+1).Name)
		require.Equal(t, want.TypeName != nil, info.TypeName[0] == 'T')
	}
}

func TestConfigurationOfANewerHeaderIsServedWhileItsTailIsZero(t *testing.T) {
	w := newWorld(t)
	for _, u := range w.configurations() {
		size := uintptr(len(bytesOf(u.good)))
		for _, tail := range []uintptr{8, 16, 64, 1024} {
			b := block(u.good, size+tail)
			clear(b[size : size+tail])
			u.works(t, b)
		}
		b := block(u.good, size+64)
		clear(b[size : size+64])
		for i := size; i < size+64; i++ {
			b[i] = 1
			refused(t, ErrVersion, "config", u.function, u.call(b)...)
			b[i] = 0
		}
	}
	w.lives()
}

func TestConfigurationOfANonsenseSizeIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, u := range w.configurations() {
		for _, size := range append(insideOfAField(u.good), absurd...) {
			got, text := callText(t, u.function, u.call(block(u.good, size))...)
			if got != ErrVersion || !names(text, "config") {
				t.Errorf("%s: struct_size %d: %v %q", u.function, size, got, text)
			}
		}
	}
	w.lives()
}

// outputs are calls that fill a struct, each good once.
func (w *world) outputs() []use {
	buffer := make([]byte, 256)
	filled := func() Handle { // of a latest, a fresh reader sees the value
		produce(w.t, w.latest, number(7))
		return open(w.t, w.latest)
	}
	return []use{
		{"aimdb_record_info", newRecordInfo(), func(o []byte) []any { return []any{w.exact, o} }},
		{"aimdb_database_stats", newDatabaseStats(), func(o []byte) []any { return []any{w.db, o} }},
		{"aimdb_record_stats", newRecordStats(), func(o []byte) []any { return []any{w.latest, o} }},
		{"aimdb_consumer_stats", newConsumerStats(), func(o []byte) []any { return []any{w.consumer, o} }},
		{"aimdb_reader_stats", newConsumerStats(), func(o []byte) []any { return []any{w.reader, o} }},
		{"aimdb_unsubscribe", newConsumerStats(), func(o []byte) []any {
			return []any{subscribe(w.t, w.exact, new(hook)), o}
		}},
		{"aimdb_reader_close", newConsumerStats(), func(o []byte) []any { return []any{open(w.t, w.exact), o} }},
		{"aimdb_try_recv", newMessage(), func(o []byte) []any { return []any{filled(), buffer, 256, o} }},
		{"aimdb_recv", newMessage(), func(o []byte) []any { return []any{filled(), buffer, 256, o, Forever} }},
		{"aimdb_recv_batch", newMessage(), func(o []byte) []any {
			return []any{filled(), buffer, 256, o, 1, new(uintptr), Forever}
		}},
		{"aimdb_peek", newMessage(), func(o []byte) []any {
			produce(w.t, w.latest, number(7))
			return []any{w.latest, buffer, 256, o}
		}},
	}
}

func TestEveryFunctionWithAStructIsInTheTestsOfStructs(t *testing.T) {
	w := newWorld(t)
	var tested, declared []string
	for _, u := range append(w.configurations(), w.outputs()...) {
		tested = append(tested, u.function)
	}
	for _, f := range api.functions {
		if slices.ContainsFunc(f.params, func(p param) bool { return p.structure() != "" }) {
			declared = append(declared, f.name)
		}
	}
	require.ElementsMatch(t, declared, tested)
}

func TestOutputStructIsWrittenUpToItsSizeAndAnUnknownTailIsZero(t *testing.T) {
	w := newWorld(t)
	for _, u := range w.outputs() {
		size := uintptr(len(bytesOf(u.good)))
		for _, tail := range []uintptr{0, 8, 64, 1024} {
			b := block(u.good, size+tail)
			for i := uintptr(8); i < size; i++ {
				b[i] = 0xAA
			}
			ok(t, u.function, u.call(b)...)
			require.Equal(t, uint64(size+tail), binary.NativeEndian.Uint64(b), u.function)
			require.Equal(t, make([]byte, tail), b[size:size+tail], u.function)
			require.Equal(t, slices.Repeat([]byte{0xAA}, room-int(size+tail)), b[size+tail:], u.function)
			require.NotEqual(t, slices.Repeat([]byte{0xAA}, 8), b[8:16], u.function)
		}
	}
}

// 0.1.0 is the first version: there is no smaller output struct to serve.
func TestOutputStructOfANonsenseSizeIsRefusedAndNotWritten(t *testing.T) {
	w := newWorld(t)
	for _, u := range w.outputs() {
		fn := api.byName[u.function]
		at := slices.IndexFunc(fn.params, func(p param) bool { return p.structure() != "" })
		sizes := append(insideOfAField(u.good), absurd...)
		for _, size := range append(sizes, boundaries(u.good)[:len(boundaries(u.good))-1]...) {
			b := block(u.good, size)
			before := slices.Clone(b)
			refused(t, ErrVersion, fn.params[at].name, u.function, w.bad(u, b)...)
			require.Equal(t, before, b, u.function)
		}
		w.lives()
	}
	for _, call := range []string{"aimdb_consumer_stats", "aimdb_reader_stats"} {
		ok(t, call, w.arguments(call)...) // refused calls ended neither
	}
}

// bad are arguments for a call that is refused, so that what it would end can
// be the world's own.
func (w *world) bad(u use, out []byte) []any {
	args := w.arguments(u.function)
	for i, p := range api.byName[u.function].params {
		if p.structure() != "" {
			args[i] = out
		}
	}
	return args
}

func TestMessagesOfABatchAreAsFarApartAsTheirHeaderSays(t *testing.T) {
	w := newWorld(t)
	record := register(t, w.idle, "r", nil)
	reader := open(t, record)
	ok(t, "aimdb_start", w.idle)
	size := uintptr(len(bytesOf(newMessage())))
	for _, distance := range []uintptr{size, size + 8, size + 64} {
		for n := range uint64(3) {
			produce(t, record, number(n))
		}
		b, buffer, count := block(newMessage(), distance), make([]byte, 64), new(uintptr)
		ok(t, "aimdb_recv_batch", reader, buffer, len(buffer), b, 5, count, Forever)
		require.Equal(t, uintptr(3), *count)
		for n := range uintptr(3) {
			m := b[n*distance : (n+1)*distance]
			field := func(i int) uintptr { return uintptr(binary.NativeEndian.Uint64(m[8*i:])) }
			require.Equal(t, []uintptr{distance, wordOf(buffer) + 8*n, 8, uintptr(record)},
				[]uintptr{field(0), field(1), field(2), field(3)})
			require.Equal(t, make([]byte, distance-size), m[size:])
			require.Equal(t, number(uint64(n)), buffer[8*n:8*n+8])
		}
		require.Equal(t, slices.Repeat([]byte{0xAA}, 100), b[3*distance:][:100])
	}
}
