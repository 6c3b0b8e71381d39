// SPDX-License-Identifier: Apache-2.0

package main

// #include "side.h"
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	_ "unsafe" // linkname
)

// makeThreads makes the runtime start the threads that it will later do with, one
// for each processor and some to spare, while it is known that they can be had: so
// many goroutines hold one each at the same time.
func makeThreads(spare int) {
	n := runtime.GOMAXPROCS(0) + spare
	var held, ended sync.WaitGroup
	held.Add(n)
	ended.Add(n)
	for range n {
		go func() {
			defer ended.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			held.Done()
			held.Wait()
		}()
	}
	ended.Wait()
}

// Collections are started here, not by the runtime (GOGC is off): nothing in the C
// library sets a timer. The first one opens the runtime's poller, whose descriptors a
// host that closes all it does not know would take away, which ends the process. After
// a collection of the runtime's own its scavenger gives memory back, and sleeps on a
// timer in between; freeOSMemory collects and gives all memory back at once, and the
// scavenger, which could come before that, is kept asleep (keep_scavenger_asleep).
//
//go:linkname freeOSMemory runtime/debug.freeOSMemory
func freeOSMemory()

var (
	calls  atomic.Uint64 // that allocated, ever
	due    atomic.Uint64 // how many they are when the next collection is due
	wanted = make(chan struct{}, 1)
)

// collectInTime is called by whatever C calls that allocates.
func collectInTime() {
	if calls.Add(1) < due.Load() {
		return
	}
	select {
	case wanted <- struct{}{}:
	default: // under way
	}
}

// beginCollecting starts the goroutine that collects when as much has been allocated
// as is live, and at least after bytes; 0: 2 MiB. How much that is is measured at
// collections only, since to measure it stops the world (runtime/metrics would not,
// for 100 KiB of memory): in between a call is taken to allocate what those before
// did on average, and the first ones 2 KiB; but at least 256 bytes, so that calls that
// come to allocate more than before are not many.
func beginCollecting(after uint64) {
	if after == 0 {
		after = 2 << 20
	}
	const fewest, least = 64, 256 // calls, bytes of one
	due.Store(max(after/(2<<10), fewest))
	go func() {
		seen, allocated := uint64(0), uint64(0)
		for range wanted {
			if calls.Load() < due.Load() {
				continue // wanted during the last one
			}
			collect()
			each := max((heap.TotalAlloc-allocated)/(calls.Load()-seen), least)
			seen, allocated = calls.Load(), heap.TotalAlloc
			due.Store(seen + max(max(heap.HeapAlloc, after)/each, fewest))
		}
	}()
}

// While a collection is under way threads that come out of Go wait for its end.
//
// A thread that returns to C keeps its processor for its next call, and a collection
// takes that away. In Go 1.26 (runtime/proc.go) it can miss it: reentersyscall looks
// for a collection that stops the world and then says that the thread is in C. If
// stopTheWorldWithSema goes by in between, it takes the thread to be in Go, and waits
// until sysmon takes the processor away; but sysmon sleeps while the world is being
// stopped, for a minute. So does all of Go if that thread now sleeps in C.
//
// Here the thread looks again, after it has said that it is in C: it finds collecting
// set if its processor can have been missed, enters Go and waits there, which gives the
// processor up. The end of a thread is such a change of state too, but the thread
// can't look again after it: no thread ends during a collection (capi/gothread.c).
// tests/c/collection.sh shows what comes of not looking; of a thread that ends it
// has never shown it: that follows from setBlockOnExitSyscall and dropm.
var collection sync.RWMutex

var heap runtime.MemStats // after the last collection

func collect() {
	collection.Lock()
	C.side_set_collecting(1)
	freeOSMemory()
	runtime.ReadMemStats(&heap)
	C.side_set_collecting(0)
	collection.Unlock()
}

//export goAwaitCollection
func goAwaitCollection() {
	collection.RLock()
	//lint:ignore SA2001 the lock is only waited for
	collection.RUnlock()
}
