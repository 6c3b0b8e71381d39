// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRegion_IsZeroedRoundedUpAndWritable(t *testing.T) {
	for _, size := range []uint64{0, 1, 4096, 4097, 1 << 20} {
		region, err := Take(size)
		require.NoError(t, err)
		require.GreaterOrEqual(t, uint64(region.Size()), size)
		require.Zero(t, region.Size()%PageSize)
		if size > 0 {
			last := (*byte)(Pointer(region.Base() + uintptr(size) - 1))
			require.Zero(t, *last)
			*last = 1
		}
		region.Give()
		require.Zero(t, region.Size())
	}
}

func TestRegion_WhatNoAddressSpaceHoldsIsRefused(t *testing.T) {
	for _, size := range []uint64{1 << 62, 1 << 63, ^uint64(0)} {
		_, err := Take(size)
		require.ErrorIs(t, err, ErrNoMemory)
	}
}

func TestArena_IndicesAreUniqueReusedAndBounded(t *testing.T) {
	arena := Arena{Shift: 6, Blocks: 3}
	require.Zero(t, arena.At(0), "nothing is taken yet")
	for want := range uint32(3) {
		index, err := arena.Alloc()
		require.NoError(t, err)
		require.Equal(t, want, index)
		require.Equal(t, want, arena.IndexOf(arena.At(index)))
	}
	_, err := arena.Alloc()
	require.ErrorIs(t, err, ErrFull)
	arena.Free(1)
	index, err := arena.Alloc()
	require.NoError(t, err)
	require.EqualValues(t, 1, index)
	require.Zero(t, arena.At(3), "beyond the table")
}

func TestArena_ABlockRestsWhileOthersAreToBeHad(t *testing.T) {
	arena := Arena{Shift: 6, Blocks: 5, Rest: 2}
	take := func() uint32 {
		index, err := arena.Alloc()
		require.NoError(t, err)
		return index
	}
	var taken []uint32
	for range 9 {
		index := take()
		arena.Free(index)
		taken = append(taken, index)
	}
	require.Equal(t, []uint32{0, 1, 2, 0, 1, 2, 0, 1, 2}, taken)
	for range arena.Blocks {
		take() // in the end all of them
	}
	_, err := arena.Alloc()
	require.ErrorIs(t, err, ErrFull)
}

func TestArena_BecomesMemoryInPieces(t *testing.T) {
	arena := Arena{Shift: 12, Blocks: 100}
	for want := range arena.Blocks {
		index, err := arena.Alloc()
		require.NoError(t, err)
		require.Equal(t, want, index)
		block := (*[512]uint64)(Pointer(arena.At(index)))
		require.Zero(t, block[511])
		block[511] = uint64(index)
		if index == 0 {
			require.Zero(t, arena.At(16), "64 KiB are memory: an index made up leads nowhere")
			require.NotZero(t, arena.At(15))
		}
	}
	for index := range arena.Blocks {
		require.EqualValues(t, index, (*[512]uint64)(Pointer(arena.At(index)))[511], "blocks stay where they are")
	}
}
