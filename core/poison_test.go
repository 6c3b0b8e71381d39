// SPDX-License-Identifier: Apache-2.0

//go:build aimdb_poison

package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/aimdb-dev/aimdb-go/core/park"
)

func TestPoison_WhatIsGivenBackIsInNoListAndHoldsNothing(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	reader, err := r.NewReader()
	require.NoError(t, err)
	b := reader.block
	require.True(t, b.free() && r.block.free())
	require.False(t, (&cursorBlock{armed: true}).free())
	require.False(t, (&cursorBlock{shared: resting}).free())
	require.False(t, (&recordBlock{sharers: 1}).free())
	require.False(t, (&recordBlock{listeners: 1}).free())
	require.False(t, (&poolBlock{idle: 1}).free())
	require.False(t, (&poolBlock{first: 1}).free())
	_, err = reader.Close()
	require.NoError(t, err)
	require.EqualValues(t, poison, b.next)
	require.EqualValues(t, poison, b.behind)
	require.Nil(t, cursorAt(b.next-1), "who follows it faults")
	require.False(t, reader.handle.names(b.generation))
}

func TestPoison_AnArmedReaderLeavesItsRecordBeforeItsBlockIsAnothers(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	require.NoError(t, db.Start())
	for range 3 {
		reader, err := r.NewReader()
		require.NoError(t, err)
		_, err = reader.Descriptor()
		require.NoError(t, err)
		_, err = reader.TryRecv(nil)
		require.Equal(t, Empty, err)
		_, err = reader.Close()
		require.NoError(t, err)
		require.Zero(t, r.block.listeners)
	}
}

// A producer may be so late with looking after shared consumers that the pool has
// been given back, or is another database's.
func TestPoison_WhoIsLateLeavesThePoolOfOthersAlone(t *testing.T) {
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
	require.EqualValues(t, poison, p.first)
	p.work.Announce()
	p.stall.Announce()
	late.Run(OpReady)
	require.Equal(t, OK, late.Result)
	require.Zero(t, late.Todo, "nobody is woken")
}
