// SPDX-License-Identifier: Apache-2.0

package models

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What sync/atomic compiles to on arm64: with the atomics of Armv8.1, or as a
// loop of an exclusive pair.
var atomics = map[string]rmw{
	"armv8.1": modify(single, true, true),
	"armv8.0": modify(exclusive, true, true),
}

// Atomics that the protocols must not do with.
var (
	unordered   = modify(exclusive, false, false)
	onlyAcquire = modify(exclusive, true, false)
)

func eachAtomic(t *testing.T, f func(t *testing.T, atomic rmw)) {
	for name, atomic := range atomics {
		t.Run(name, func(t *testing.T) { f(t, atomic) })
	}
}

// The model itself: the outcomes of well-known shapes are those of the manual.

func TestArmv8_KnowsTheKnownShapes(t *testing.T) {
	passed := func(producer, consumer []Access) bool { // message passing
		return program{threads: [][]Access{producer, consumer}}.allows(func(o Outcome) bool {
			return o[1][0] == 1 && o[1][1] == 0
		})
	}
	plain, released := thread(store("x", 1), store("y", 1)), thread(store("x", 1), stlr("y", 1))
	require.True(t, passed(plain, thread(load("y"), load("x"))))
	require.True(t, passed(released, thread(load("y"), load("x"))))
	require.True(t, passed(plain, thread(ldar("y"), load("x"))))
	require.False(t, passed(released, thread(ldar("y"), load("x"))))
	require.False(t, passed(thread(store("x", 1), dmb(), store("y", 1)), thread(load("y"), dmb(), load("x"))))

	buffered := func(a, b []Access) bool { // store buffering
		return program{threads: [][]Access{a, b}}.allows(func(o Outcome) bool {
			return o[0][len(o[0])-1] == 0 && o[1][len(o[1])-1] == 0
		})
	}
	require.True(t, buffered(thread(store("x", 1), load("y")), thread(store("y", 1), load("x"))))
	require.True(t, buffered(thread(stlr("x", 1), load("y")), thread(stlr("y", 1), ldar("x"))))
	require.False(t, buffered(thread(stlr("x", 1), ldar("y")), thread(stlr("y", 1), ldar("x"))))
	lse, pair := atomics["armv8.1"], atomics["armv8.0"]
	require.False(t, buffered(thread(lse("x", 0, 1), load("y")), thread(lse("y", 0, 1), load("x"))))
	require.True(t, buffered(thread(pair("x", 0, 1), load("y")), thread(pair("y", 0, 1), load("x"))),
		"an exclusive pair is no fence")

	coherent := program{threads: [][]Access{thread(store("x", 1)), thread(load("x"), load("x"))}}
	require.False(t, coherent.allows(func(o Outcome) bool { return o[1][0] == 1 && o[1][1] == 0 }))

	both := program{threads: [][]Access{lse("x", 0, 1), pair("x", 0, 1)}}
	require.False(t, both.allows(func(Outcome) bool { return true }), "two atomics read the same value")
}

// The ring of capacity 1, two slots. Position 0 lies in slot 0, tail is 1. The
// first producer holds the lock, stores position 1 (in slot 1, which nobody looks
// at) and frees the lock; the second takes it and stores position 2, in slot 0.
// A reader at position 0 uses what it copied if tail was 1 before and after; one
// at position 2 if tail was 3. The words of the slot are a and b, 1 where new.
type pushing struct {
	publish            func(loc string, value int) Access
	unlock, lock       rmw
	reader             func() []Access
	handed, sameThread bool
}

// torn: a reader uses a value that is not whole.
func (p pushing) torn() bool {
	return p.reaches(func(before, a, b, after int) bool {
		return before == after && (before == 1 && (a == 1 || b == 1) || before == 3 && (a == 0 || b == 0))
	})
}

// used: readers do use both values.
func (p pushing) used() bool {
	use := func(tail, word int) bool {
		return p.reaches(func(before, a, b, after int) bool {
			return before == tail && after == tail && a == word && b == word
		})
	}
	return use(1, 0) && use(3, 1)
}

func (p pushing) reaches(outcome func(before, a, b, after int) bool) bool {
	first := thread(p.publish("tail", 2))
	second := thread(load("tail"), store("a", 1), store("b", 1), p.publish("tail", 3), p.unlock("lock", 2, 0))
	switch {
	case p.handed: // by an owner that could not free it: the kernel, or a store of 0, which the next finds
		first = thread(first, stlr("lock", 2))
		second = thread(ldarOf("lock", 2), second)
	default:
		first = thread(first, p.unlock("lock", 1, 0))
		second = thread(p.lock("lock", 0, 2), second)
	}
	threads := [][]Access{p.reader(), first, second}
	if p.sameThread {
		threads = [][]Access{p.reader(), thread(first, second)}
	}
	return program{start: map[string]int{"tail": 1, "lock": 1}, threads: threads}.allows(func(o Outcome) bool {
		return outcome(o[0][0], o[0][1], o[0][2], o[0][3])
	})
}

func reading(fence ...Access) func() []Access {
	return func() []Access { return thread(ldar("tail"), load("a"), load("b"), fence, ldar("tail")) }
}

func TestArmv8_RingValueIsNeverTorn(t *testing.T) {
	eachAtomic(t, func(t *testing.T, atomic rmw) {
		p := pushing{stlr, atomic, atomic, reading(stlr("own", 0)), false, false}
		require.False(t, p.torn(), "as it is")
		require.True(t, p.used())
		p.sameThread = true
		require.False(t, p.torn(), "one producer twice")
		p.handed, p.sameThread = true, false
		require.False(t, p.torn(), "the lock is handed over")
		require.True(t, p.used())
	})
}

func TestArmv8_RingNeedsEachOrdering(t *testing.T) {
	eachAtomic(t, func(t *testing.T, atomic rmw) {
		sound := pushing{stlr, atomic, atomic, reading(stlr("own", 0)), false, false}
		p := sound
		p.reader = reading()
		require.True(t, p.torn(), "reader: nothing between the copy and the second look")
		p.reader = reading(store("own", 0))
		require.True(t, p.torn(), "reader: a plain store of its own")
		p.reader = func() []Access {
			return thread(load("tail"), load("a"), load("b"), stlr("own", 0), ldar("tail"))
		}
		require.True(t, p.torn(), "reader: a plain first look")
		p.reader = func() []Access {
			return thread(ldar("tail"), load("a"), load("b"), stlr("own", 0), load("tail"))
		}
		require.True(t, p.torn(), "reader: a plain second look")
		p = sound
		p.publish = store
		require.True(t, p.torn(), "producer: tail is stored plainly")
		p = sound
		p.unlock, p.lock = unordered, unordered
		require.True(t, p.torn(), "a lock that orders nothing")
	})
}

// The latest has four slots. The value of position 0 lies in slot 0, which
// position 4 overwrites after tail = 4.
func latestTorn(atomic rmw, reader []Access) bool {
	first := thread(stlr("tail", 2), atomic("lock", 1, 0), atomic("lock", 0, 1),
		stlr("tail", 3), stlr("tail", 4), atomic("lock", 1, 0))
	second := thread(atomic("lock", 0, 2), store("a", 1), stlr("tail", 5))
	return program{start: map[string]int{"tail": 1, "lock": 1}, threads: [][]Access{reader, first, second}}.allows(
		func(o Outcome) bool {
			before, a, after := o[0][0], o[0][1], o[0][2]
			newest := before - 1
			return after-newest < 4 && (newest == 0 && a == 1 || newest == 4 && a == 0)
		})
}

func TestArmv8_LatestValueIsNeverTorn(t *testing.T) {
	eachAtomic(t, func(t *testing.T, atomic rmw) {
		require.False(t, latestTorn(atomic, thread(ldar("tail"), load("a"), stlr("own", 0), ldar("tail"))))
		require.True(t, latestTorn(atomic, thread(ldar("tail"), load("a"), ldar("tail"))), "without the fence")
	})
}

// A mailbox is read and written under the lock: who takes the lock sees all that
// was done under it.
func stale(unlock, lock rmw, handed bool) bool {
	first := thread(store("a", 1), stlr("tail", 1), stlr("full", 1))
	second := thread(load("full"), load("tail"), load("a"))
	if handed {
		first, second = thread(first, stlr("lock", 2)), thread(ldarOf("lock", 2), second)
	} else {
		first, second = thread(first, unlock("lock", 1, 0)), thread(lock("lock", 0, 2), second)
	}
	return program{start: map[string]int{"lock": 1}, threads: [][]Access{first, second}}.allows(func(o Outcome) bool {
		return o[1][1] == 0 || o[1][2] == 0 || o[1][3] == 0
	})
}

func TestArmv8_MailboxIsWholeUnderTheLock(t *testing.T) {
	eachAtomic(t, func(t *testing.T, atomic rmw) {
		require.False(t, stale(atomic, atomic, false))
		require.False(t, stale(atomic, atomic, true), "the lock is handed over")
		require.True(t, stale(unordered, atomic, false), "unlock does not release")
		require.True(t, stale(atomic, unordered, false), "lock does not acquire")
	})
}

// park.Event: the producer stores tail (or full), frees the lock and looks for an
// announcement; the reader announces itself and looks again. Not both miss.
func bothMiss(producer, reader []Access) bool {
	return program{start: map[string]int{"lock": 1}, threads: [][]Access{producer, reader}}.allows(func(o Outcome) bool {
		return o[0][len(o[0])-1] == 0 && o[1][len(o[1])-1] == 0
	})
}

func TestArmv8_ProducerOrSleeperSeesTheOther(t *testing.T) {
	eachAtomic(t, func(t *testing.T, atomic rmw) {
		producer := thread(stlr("tail", 1), atomic("lock", 1, 0), ldar("event"))
		reader := thread(atomic("event", 0, 1), ldar("tail"))
		require.False(t, bothMiss(producer, reader), "as it is")
		require.False(t, bothMiss(thread(stlr("tail", 1), ldar("event")), reader),
			"also while the lock is left to the driver, which frees it later")

		require.True(t, bothMiss(thread(store("tail", 1), onlyAcquire("lock", 1, 0), ldar("event")), reader),
			"tail is stored plainly, and unlocking does not release")
		require.True(t, bothMiss(thread(stlr("tail", 1), load("event")), reader), "a plain look for sleepers")
		require.True(t, bothMiss(producer, thread(store("event", 1), ldar("tail"))), "a plain announcement")
		require.True(t, bothMiss(producer, thread(unordered("event", 0, 1), load("tail"))), "a plain second look")
	})
}

func TestArmv8_ProducerOrArmedDescriptorSeesTheOther(t *testing.T) {
	eachAtomic(t, func(t *testing.T, atomic rmw) {
		producer := thread(stlr("tail", 1), atomic("lock", 1, 0), ldar("event"), ldar("armed"))
		require.False(t, bothMiss(producer, thread(stlr("armed", 1), atomic("cursor", 0, 1), ldar("tail"))))
		require.True(t, bothMiss(producer, thread(store("armed", 1), ldar("tail"))), "armed is stored plainly")
		require.True(t, bothMiss(producer, thread(stlr("armed", 1), load("tail"))), "a plain look after arming")
	})
}

// The end: state is stored, then the event is added to. A sleeper whose
// announcement comes after the addition sees the end; any other's sleep ends by
// the addition.
func TestArmv8_SleeperSeesTheEndOrItsWordChanges(t *testing.T) {
	missed := func(end, add, reader []Access) bool {
		return program{threads: [][]Access{thread(end, add), reader}}.allows(func(o Outcome) bool {
			return o[1][0] == 2 && o[1][1] == 0
		})
	}
	eachAtomic(t, func(t *testing.T, atomic rmw) {
		reader := thread(atomic("event", 2, 3), ldar("state"))
		require.False(t, missed(thread(stlr("state", 1)), atomic("event", 0, 2), reader))
		require.True(t, missed(thread(store("state", 1)), unordered("event", 0, 2), reader), "nothing releases")
		require.True(t, missed(thread(stlr("state", 1)), atomic("event", 0, 2),
			thread(unordered("event", 2, 3), load("state"))), "nothing acquires")
	})
}
