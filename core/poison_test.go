// SPDX-License-Identifier: Apache-2.0

//go:build aimdb_poison

package core

import (
	"testing"

	"github.com/stretchr/testify/require"
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
