// SPDX-License-Identifier: Apache-2.0

package models

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// How locks change hands: park.Lock, the steps that take two of them (a reader's
// inner, then the record's), and the driver that waits and releases (capi/door.c).
// Both kinds: plain futexes, and the kernel's, which inherit priority and hand the
// lock to a waiter.

const (
	inner = iota // a reader's
	outer        // the record's
	locks
)

const lockThreads = 3

type locking struct {
	inherit bool
	needs   [lockThreads][]int // the locks a thread's step takes, in order
	rounds  [lockThreads]int8
	drops   bool // the second thread, handed the outer lock, comes not to take it

	// Faults.
	quietUnlock bool // unlocks without looking for waiters
	quietWait   bool // sleeps without setting the waiters bit
	wakeOne     bool // a release wakes one
	keeps       bool // what a step was handed and did not take is not given back
}

// A word is 0, or the owner (1 to 3), with waiting if someone sleeps.
const waiting = 8

type lockState struct {
	word   [locks]int8
	thread [lockThreads]lockThread
}

type lockThread struct {
	at     lockAt
	taken  int8 // how many of its locks the step holds
	busy   int8 // the lock it waits for
	seen   int8 // of its word
	held   int8 // the lock it was handed, from 1; 0: none
	again  bool // the step was busy
	leaves bool // the step ended without taking what it was handed
	freed  int8 // the lock whose sleepers it is to wake
	rounds int8
	give   [locks]bool // to be released by the driver
}

type lockAt int8

const (
	lockTry   lockAt = iota // the step takes its next lock, or is busy
	lockWork                // it has all
	lockFree                // it frees one, the last taken first
	lockGive                // the driver gives back what was handed in vain, and releases
	lockLoad                // it waits: plain, it loads the word
	lockMark                // and sets the waiters bit
	lockSleep               // and sleeps, if the word is still so
	lockAsleep
	lockWake // between freeing a word and waking
	lockDone
)

func (l locking) system() System[lockState] {
	var start lockState
	for i := range start.thread {
		start.thread[i].rounds = l.rounds[i]
		if l.rounds[i] == 0 {
			start.thread[i].at = lockDone
		}
	}
	return System[lockState]{start, func(s lockState) (next []lockState) {
		for i := range s.thread {
			if n, can := l.step(s, i); can {
				next = append(next, n)
			}
		}
		return next
	}, l.wrong}
}

func (l locking) wrong(s lockState, last bool) string {
	for k := range locks {
		holders := 0
		for i := range s.thread {
			if t := s.thread[i]; t.at == lockWork && l.takes(i, k) {
				holders++
			}
		}
		if holders > 1 {
			return "two hold a lock"
		}
		if last && s.word[k] != 0 {
			return "a lock is never freed"
		}
	}
	for i := range s.thread {
		if last && s.thread[i].at != lockDone {
			return "a thread sleeps for ever"
		}
	}
	return ""
}

func (l locking) takes(thread, lock int) bool {
	for _, k := range l.needs[thread] {
		if k == lock {
			return true
		}
	}
	return false
}

func (l locking) step(s lockState, i int) (lockState, bool) {
	t, owner := &s.thread[i], int8(i+1)
	switch t.at {
	case lockTry:
		l.try(&s, i)
	case lockWork:
		t.at = lockFree
	case lockFree: // TryUnlock
		t.taken--
		k := l.needs[i][t.taken]
		switch {
		case s.word[k] == owner || l.quietUnlock:
			s.word[k] = 0
		default:
			t.give[k] = true
		}
		if t.taken == 0 {
			t.at = lockGive
		}
	case lockGive:
		l.give(&s, i)
	case lockLoad:
		if l.inherit {
			l.queue(&s, i)
			break
		}
		t.seen = s.word[t.busy]
		t.at = lockMark
		if t.seen == 0 {
			t.at = lockTry
		}
	case lockMark:
		t.at = lockSleep
		switch {
		case l.quietWait || t.seen&waiting != 0:
		case s.word[t.busy] == t.seen:
			t.seen |= waiting
			s.word[t.busy] = t.seen
		default:
			t.at = lockTry
		}
	case lockSleep:
		t.at = lockTry
		if s.word[t.busy] == t.seen {
			t.at = lockAsleep
		}
		t.seen = 0
	case lockAsleep, lockDone:
		return s, false
	case lockWake:
		l.wake(&s, i)
	}
	return s, true
}

// try is core's Step.lock.
func (l locking) try(s *lockState, i int) {
	t, owner := &s.thread[i], int8(i+1)
	if l.drops && i == 1 && t.held == outer+1 { // its handle has ended meanwhile
		t.leaves, t.at = true, lockGive
		return
	}
	k := l.needs[i][t.taken]
	switch {
	case t.held == int8(k)+1:
		t.held = 0
	case s.word[k] == 0:
		s.word[k] = owner
	default:
		t.again, t.busy, t.at = true, int8(k), lockFree
		if t.taken == 0 {
			t.at = lockGive
		}
		return
	}
	t.taken++
	if int(t.taken) == len(l.needs[i]) {
		t.at = lockWork
	}
}

// give is the driver after a step: what it was handed and not took, then what was
// contended, one at a time; then it waits, steps again, or is done.
func (l locking) give(s *lockState, i int) {
	t := &s.thread[i]
	if t.held != 0 && !l.keeps {
		k := t.held - 1
		t.held = 0
		l.release(s, i, k)
		return
	}
	for k := range locks {
		if t.give[k] {
			t.give[k] = false
			l.release(s, i, int8(k))
			return
		}
	}
	switch {
	case t.again:
		t.again, t.at = false, lockLoad
	case t.leaves:
		t.at = lockDone
	default:
		t.rounds--
		t.at = lockTry
		if t.rounds == 0 {
			t.at = lockDone
		}
	}
}

// release is FUTEX_UNLOCK_PI, or a store of 0 and then a wake.
func (l locking) release(s *lockState, i int, k int8) {
	if !l.inherit {
		s.word[k] = 0
		s.thread[i].at, s.thread[i].freed = lockWake, k
		return
	}
	for j := range s.thread {
		if s.thread[j].at == lockAsleep && s.thread[j].busy == k { // the first: the highest priority
			s.word[k] = int8(j+1) | waiting
			s.thread[j].at, s.thread[j].held = lockTry, k+1
			return
		}
	}
	s.word[k] = 0
}

func (l locking) wake(s *lockState, i int) {
	t := &s.thread[i]
	k := t.freed
	t.at, t.freed = lockGive, 0
	for j := range s.thread {
		if s.thread[j].at == lockAsleep && s.thread[j].busy == k {
			s.thread[j].at = lockTry
			if l.wakeOne {
				return
			}
		}
	}
}

// queue is FUTEX_LOCK_PI, in one step as the kernel's is.
func (l locking) queue(s *lockState, i int) {
	t := &s.thread[i]
	if s.word[t.busy] == 0 {
		s.word[t.busy] = int8(i + 1)
		t.held, t.at = t.busy+1, lockTry
		return
	}
	s.word[t.busy] |= waiting
	t.at = lockAsleep
}

var lockings = map[string]locking{
	"one lock, three threads":      {needs: [3][]int{{outer}, {outer}, {outer}}, rounds: [3]int8{2, 2, 2}},
	"a reader's and the record's":  {needs: [3][]int{{inner, outer}, {inner, outer}, {outer}}, rounds: [3]int8{2, 2, 2}},
	"one is handed a lock in vain": {needs: [3][]int{{outer}, {outer}, {outer}}, rounds: [3]int8{2, 1, 2}, drops: true},
}

func TestLock_IsNeverHeldByTwoNorLost(t *testing.T) {
	for name, l := range lockings {
		for _, inherit := range []bool{false, true} {
			l.inherit = inherit
			kind := map[bool]string{false: "plain", true: "inheriting"}[inherit]
			t.Run(name+"/"+kind, func(t *testing.T) {
				states, fault := l.system().explore()
				require.Empty(t, fault)
				t.Logf("%d states", states)
			})
		}
	}
}

func TestLock_NeedsEachPart(t *testing.T) {
	faults := []struct {
		name, found string
		inherit     bool
		plant       func(*locking)
	}{
		{"unlocks without looking for waiters", "one lock, three threads", false, func(l *locking) { l.quietUnlock = true }},
		{"sleeps without saying so", "one lock, three threads", false, func(l *locking) { l.quietWait = true }},
		{"a release wakes one", "one lock, three threads", false, func(l *locking) { l.wakeOne = true }},
		{"unlocks without looking for waiters", "one lock, three threads", true, func(l *locking) { l.quietUnlock = true }},
		{"what was handed is kept while waiting", "a reader's and the record's", true, func(l *locking) { l.keeps = true }},
		{"what was handed in vain is kept", "one is handed a lock in vain", true, func(l *locking) { l.keeps = true }},
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			l, known := lockings[f.found]
			require.True(t, known)
			l.inherit = f.inherit
			f.plant(&l)
			_, fault := l.system().explore()
			require.NotEmpty(t, fault, "nothing is lost without it")
		})
	}
}
