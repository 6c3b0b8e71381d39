// SPDX-License-Identifier: Apache-2.0

package park

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aimdb-dev/aimdb-go/core/inject"
	"github.com/aimdb-dev/aimdb-go/core/memory"
)

const (
	futexWait     = 0 | 128 // FUTEX_WAIT_PRIVATE
	futexWake     = 1 | 128 // FUTEX_WAKE_PRIVATE
	futexLockPI   = 6 | 128 // FUTEX_LOCK_PI_PRIVATE
	futexUnlockPI = 7 | 128 // FUTEX_UNLOCK_PI_PRIVATE
	everyone      = 1<<31 - 1
	longestSleep  = time.Duration(1<<31-1) * time.Second / 2
	noTimeout     = time.Duration(1<<63 - 1)
)

// Forever is a timeout without limit.
const Forever = noTimeout

// inherit: locks are owned by threads and pass their priority on. Set once,
// before the first lock is taken.
var inherit bool

// InheritPriority makes locks owned by threads, with priority inheritance,
// where the kernel has it. For a process whose threads drive the hot path
// themselves; must be called before any lock is used. It reports whether the
// kernel has it.
func InheritPriority() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	word := uint32(syscall.Gettid())
	inherit = futex(&word, futexUnlockPI, 0, nil) == 0
	return inherit
}

// A timespec is the kernel's with 64 bits for the seconds, on every machine.
type timespec struct{ sec, nsec int64 }

// futex makes the system call.
func futex(word *uint32, op uintptr, value uint32, timeout *timespec) syscall.Errno {
	if kind, may := fallible(op); may {
		if errno, fails := inject.Fails(kind); fails {
			return errno
		}
	}
	return futexCall(word, op, value, timeout)
}

func fallible(op uintptr) (kind inject.Kind, may bool) {
	switch op {
	case futexWait:
		return inject.Sleep, true
	case futexLockPI:
		return inject.Lock, true
	}
	return 0, false
}

func word(address uintptr) *uint32 { return (*uint32)(memory.Pointer(address)) }

// Sleep sleeps while the word at address holds expected, at most for timeout.
// It reports false if the timeout passed.
func Sleep(address uintptr, expected uint32, timeout time.Duration) bool {
	if timeout <= 0 {
		return false
	}
	var limit *timespec
	if timeout != Forever {
		t := min(timeout, longestSleep)
		limit = &timespec{int64(t / time.Second), int64(t % time.Second)}
	}
	errno := futex(word(address), futexWait, expected, limit)
	if errno == 0 || usual(errno) {
		return errno != syscall.ETIMEDOUT
	}
	nap(min(timeout, sleepNap))
	return timeout > sleepNap
}

// usual says whether the kernel answers a wait so that is as it should be: the
// word was another, a signal came, the time is over. Any other answer, as of a
// system-call filter that is set up while the program runs, may come again at
// once, however often it is asked.
func usual(errno syscall.Errno) bool {
	return errno == syscall.EAGAIN || errno == syscall.EINTR || errno == syscall.ETIMEDOUT
}

const sleepNap, lockNap = time.Millisecond, 50 * time.Microsecond

// nap is in the place of a wait that the kernel refuses: the caller looks again
// soon. A timer would open the runtime's poller.
func nap(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	syscall.Nanosleep(&t, nil)
}

// Wake wakes at most n sleepers on the word at address.
func Wake(address uintptr, n uint32) { futex(word(address), futexWake, min(n, everyone), nil) }

// Everyone as the number of sleepers to wake.
const Everyone = everyone

// Lock takes the lock, sleeping as long as it takes, and gives the owner to
// pass to Unlock. The goroutine keeps its thread in between.
func (l *Lock) Lock() (owner uint32) {
	owner = Owner()
	for !l.TryLock(owner) {
		if l.Wait(owner) {
			break
		}
	}
	return owner
}

// Unlock frees the lock.
func (l *Lock) Unlock(owner uint32) {
	if !l.TryUnlock(owner) {
		Release(l.Address())
	}
	Disown()
}

// Owner is the calling goroutine as an owner of locks. It stays on its thread
// until Disown.
func Owner() uint32 {
	if !inherit {
		return plainOwner
	}
	runtime.LockOSThread()
	return uint32(syscall.Gettid())
}

// Disown ends what Owner began.
func Disown() {
	if inherit {
		runtime.UnlockOSThread()
	}
}

// Wait sleeps until the lock may be free. If it reports true, the lock was
// handed to owner.
func (l *Lock) Wait(owner uint32) bool {
	if inherit {
		if futex(&l.word, futexLockPI, 0, nil) == 0 {
			l.Acquired()
			return true
		}
		nap(lockNap)
		return false
	}
	if w := atomic.LoadUint32(&l.word); w != 0 {
		if w&waiters != 0 || atomic.CompareAndSwapUint32(&l.word, w, w|waiters) {
			if errno := futex(&l.word, futexWait, w|waiters, nil); errno != 0 && !usual(errno) {
				nap(lockNap)
			}
		}
	}
	return false
}

// Release frees the lock at address that TryUnlock could not.
func Release(address uintptr) {
	w := word(address)
	if inherit && futex(w, futexUnlockPI, 0, nil) == 0 {
		return
	}
	atomic.StoreUint32(w, 0)
	futex(w, futexWake, everyone, nil)
}
