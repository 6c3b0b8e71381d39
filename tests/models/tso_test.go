// SPDX-License-Identifier: Apache-2.0

package models

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Locations: the words of a slot, the tail, the lock, the event, armed.
const (
	wordA, wordB, tailWord, lockWord, eventWord, armedWord = 'a', 'b', 'c', 'd', 'e', 'f'
)

type seenAll = [tsoThreads][tsoLength]int8

func TestTSO_KnowsTheKnownShapes(t *testing.T) {
	bothZero := func(s seenAll) bool { return s[0][1] == 0 && s[1][1] == 0 }
	buffers := [][]op{{mov('a', 1), see('b')}, {mov('b', 1), see('a')}}
	require.True(t, reachesTSO(nil, buffers, bothZero), "a store is overtaken by a later load")
	fenced := [][]op{{cmpxchg('a', 0, 1), see('b')}, {cmpxchg('b', 0, 1), see('a')}}
	require.False(t, reachesTSO(nil, fenced, bothZero))
	passed := [][]op{{mov('a', 1), mov('b', 1)}, {see('b'), see('a')}}
	require.False(t, reachesTSO(nil, passed, func(s seenAll) bool { return s[1][0] == 1 && s[1][1] == 0 }))
}

// The producer's plain store of tail, the locked instruction that frees the lock,
// and the load of the event; the reader's locked announcement and second look.
func TestTSO_ProducerOrSleeperSeesTheOther(t *testing.T) {
	missed := func(free op) bool {
		producer := []op{mov(tailWord, 1), free, see(eventWord), see(armedWord)}
		reader := []op{cmpxchg(eventWord, 0, 1), see(tailWord)}
		return reachesTSO(map[byte]int8{lockWord: 1}, [][]op{producer, reader}, func(s seenAll) bool {
			return s[0][2] == 0 && s[1][1] == 0
		})
	}
	require.False(t, missed(cmpxchg(lockWord, 1, 0)))
	require.True(t, missed(mov(lockWord, 0)), "the lock is freed by a plain store")
}

func TestTSO_ProducerOrArmedDescriptorSeesTheOther(t *testing.T) {
	missed := func(free, arm op) bool {
		producer := []op{mov(tailWord, 1), free, see(eventWord), see(armedWord)}
		return reachesTSO(map[byte]int8{lockWord: 1}, [][]op{producer, {arm, see(tailWord)}}, func(s seenAll) bool {
			return s[0][3] == 0 && s[1][1] == 0
		})
	}
	free := cmpxchg(lockWord, 1, 0)
	require.False(t, missed(free, cmpxchg(armedWord, 0, 1))) // atomic.Store is an exchange
	require.True(t, missed(free, mov(armedWord, 1)), "armed is stored plainly")
	require.True(t, missed(mov(lockWord, 0), cmpxchg(armedWord, 0, 1)), "the lock is freed by a plain store")
}

// The ring of two slots, as in armv8_test.go.
func TestTSO_RingValueIsNeverTorn(t *testing.T) {
	torn := func(second []op, reader ...op) bool {
		first := []op{mov(tailWord, 2), cmpxchg(lockWord, 1, 0)}
		second = append([]op{cmpxchg(lockWord, 0, 2)}, second...)
		second = append(second, cmpxchg(lockWord, 2, 0))
		return reachesTSO(map[byte]int8{tailWord: 1, lockWord: 1}, [][]op{first, second, reader}, func(s seenAll) bool {
			before, a, b, after := s[2][0], s[2][1], s[2][2], s[2][3]
			return before == after && (before == 1 && (a == 1 || b == 1) || before == 3 && (a == 0 || b == 0))
		})
	}
	copying := []op{mov(wordA, 1), mov(wordB, 1), mov(tailWord, 3)}
	looking := []op{see(tailWord), see(wordA), see(wordB), see(tailWord)}
	require.False(t, torn(copying, looking...))
	require.True(t, torn([]op{mov(tailWord, 3), mov(wordA, 1), mov(wordB, 1)}, looking...), "tail before the copy")
	require.True(t, torn([]op{mov(wordA, 1), mov(tailWord, 3), mov(wordB, 1)}, looking...), "tail within the copy")
}
