// SPDX-License-Identifier: Apache-2.0

package park

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachKind runs a test with plain locks and with those that inherit priority.
func eachKind(t *testing.T, f func(t *testing.T)) {
	t.Run("plain", f)
	defer func() { inherit = false }()
	if detectorSeesHandOver && InheritPriority() {
		t.Run("inheriting", f)
	}
}

func TestLock_ExcludesAndLosesNoWaiter(t *testing.T) {
	eachKind(t, func(t *testing.T) {
		const each = 20_000
		var lock Lock
		var all sync.WaitGroup
		count := 0
		for range 4 {
			all.Go(func() {
				for range each {
					owner := lock.Lock()
					count++
					lock.Unlock(owner)
				}
			})
		}
		all.Wait()
		require.Equal(t, 4*each, count)
		require.Zero(t, lock.word)
	})
}

func TestLock_TryIsBoundedWhileAnotherHolds(t *testing.T) {
	var lock Lock
	require.True(t, lock.TryLock(7))
	require.False(t, lock.TryLock(8))
	require.True(t, lock.TryUnlock(7))
	require.True(t, lock.TryLock(8))
}

func TestLock_UnlockWithAWaiterIsLeftToRelease(t *testing.T) {
	lock := Lock{word: plainOwner | waiters}
	require.False(t, lock.TryUnlock(plainOwner))
	Release(lock.Address())
	require.True(t, lock.TryLock(plainOwner))
}

func TestEvent_ASignalAfterAnnounceEndsTheSleepBeforeItBegins(t *testing.T) {
	var event Event
	require.False(t, event.Signal(), "nobody is announced")
	expected := event.Announce()
	require.True(t, event.Signal())
	require.False(t, event.Signal(), "one signal is for all who announced")
	require.True(t, Sleep(event.Address(), expected, Forever))
	require.Same(t, &event, EventAt(event.Address()))

	expected = event.Announce()
	event.Broadcast()
	require.True(t, Sleep(event.Address(), expected, Forever))
	require.True(t, event.Signal(), "a broadcast leaves the announcement")
	event.Broadcast()
	require.False(t, event.Signal(), "and makes none")
}

func TestSleep_TimeoutsAreSaid(t *testing.T) {
	var event Event
	require.False(t, Sleep(event.Address(), 0, 0))
	require.False(t, Sleep(event.Address(), 0, time.Millisecond))
}

// A futex has to be aligned: the kernel refuses this one at once, each time.
func TestSleep_ThatTheKernelRefusesIsANap(t *testing.T) {
	var event Event
	odd := event.Address() + 1
	begun := time.Now()
	for range 20 {
		require.True(t, Sleep(odd, 0, Forever))
	}
	require.GreaterOrEqual(t, time.Since(begun), 20*sleepNap)
	require.False(t, Sleep(odd, 0, sleepNap/10), "its time is over")
}

// The kernel refuses to wait for a lock for the thread that holds it.
func TestLock_AWaitThatTheKernelRefusesIsANap(t *testing.T) {
	if !detectorSeesHandOver || !InheritPriority() {
		t.Skip("no locks that inherit priority, or a race detector that does not see them handed over")
	}
	defer func() { inherit = false }()
	var lock Lock
	owner := lock.Lock()
	begun := time.Now()
	for range 20 {
		require.False(t, lock.Wait(owner))
	}
	require.GreaterOrEqual(t, time.Since(begun), 20*lockNap)
	lock.Unlock(owner)
}
