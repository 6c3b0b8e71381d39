// SPDX-License-Identifier: Apache-2.0

package core

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPeek_GivesTheCurrentValueAndLeavesIt(t *testing.T) {
	for name, kind := range allKinds {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			r := register(t, db, "peeked", kind)
			reader, err := r.NewReader()
			require.NoError(t, err)
			require.Same(t, r, reader.Record())
			require.NoError(t, db.Start())
			buffer := make([]byte, 8)
			if kind == Ring {
				_, err := r.Peek(buffer)
				requireStatus(t, ErrUnsupported, err)
				return
			}
			_, err = r.Peek(buffer)
			requireStatus(t, Empty, err)
			require.NoError(t, r.Produce(number(1)))
			for range 2 {
				got, err := r.Peek(buffer)
				require.NoError(t, err)
				require.Equal(t, number(1), got.Data)
				require.EqualValues(t, 1, got.Sequence)
			}
			for _, receive := range []func([]byte) (Received, error){r.Peek, reader.TryRecv} {
				got, err := receive(buffer[:7])
				requireStatus(t, ErrTooSmall, err)
				require.EqualValues(t, 8, got.Lost, "bytes needed")
			}
			got, err := reader.TryRecv(buffer)
			require.NoError(t, err)
			require.Equal(t, number(1), got.Data)
		})
	}
}

func TestRefused_WhatIsEndedSaysSo(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "ended", Ring)
	c, err := r.Subscribe(ConsumerConfig{Func: func(Emitter, *Incoming) error { return nil }})
	require.NoError(t, err)
	require.Same(t, r, c.Record())
	reader, err := r.NewReader()
	require.NoError(t, err)
	_, _, err = c.Unsubscribe(false)
	require.NoError(t, err)
	_, err = reader.Close()
	require.NoError(t, err)
	_, err = c.Stats()
	requireStatus(t, ErrHandle, err)
	_, err = reader.Stats()
	requireStatus(t, ErrHandle, err)
	_, err = reader.Descriptor()
	requireStatus(t, ErrHandle, err)
	require.NoError(t, db.Destroy())
	_, err = r.NewReader()
	requireStatus(t, ErrHandle, err)
	_, err = db.Open("ended", AnyType, AnySize)
	requireStatus(t, ErrHandle, err)
	_, err = db.Stats()
	requireStatus(t, ErrHandle, err)
}

func TestRefused_ArgumentsOutOfTheirRange(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "refused", Ring)
	_, err := r.Subscribe(ConsumerConfig{})
	requireStatus(t, ErrArgument, err)
	requireStatus(t, ErrArgument, r.SetProducer(Producer{}))
	_, err = db.Close(-time.Nanosecond, false)
	requireStatus(t, ErrArgument, err)
	config := DefaultRecord()
	config.TypeName = "a\x00b"
	_, err = db.Register("zero.byte", config)
	requireStatus(t, ErrArgument, err)
}

func TestStatus_OfOtherErrorsAndOtherNumbers(t *testing.T) {
	require.Equal(t, ErrInternal, StatusOf(errors.New("another's")))
	require.Equal(t, "unknown status", Status(99).Error())
}

func TestLog_WhatIsLostInASecondIsToldAtItsEnd(t *testing.T) {
	lines := make(chan string, 8)
	db, err := New(Config{Level: Warning, Log: func(_ Level, text string) { lines <- text }})
	require.NoError(t, err)
	t.Cleanup(func() {
		db.Close(Forever, false)
		db.Destroy()
	})
	r := register(t, db, "r", Ring)
	_, err = r.Subscribe(ConsumerConfig{Func: func(Emitter, *Incoming) error { return errors.New("no") }})
	require.NoError(t, err)
	require.NoError(t, db.Start())
	require.NoError(t, r.Produce(nil))
	require.Contains(t, <-lines, "failed 1 times")
	for range 5 {
		require.NoError(t, r.Produce(nil))
	}
	require.Contains(t, <-lines, "failed 5 times") // and no other value follows
}
