// SPDX-License-Identifier: Apache-2.0

package main

// #include "side.h"
import "C"

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"unsafe" // and linkname
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

// Collections are started here, not by the runtime (GOGC is off): after one of its
// own a goroutine of it gives memory back, and sleeps on a timer in between. The
// first timer opens the runtime's poller, whose descriptors a host that closes all
// it does not know would take away, which ends the process. So nothing in the C
// library sets a timer; freeOSMemory collects and gives all memory back at once,
// and leaves that goroutine nothing to do.
//
//go:linkname freeOSMemory runtime/debug.freeOSMemory
func freeOSMemory()

var (
	calls  atomic.Uint32
	wanted = make(chan struct{}, 1)
)

// collectInTime is called by whatever C calls that allocates.
func collectInTime() {
	if calls.Add(1)%64 != 0 {
		return
	}
	select {
	case wanted <- struct{}{}:
	default: // under way
	}
}

// beginCollecting runs a first collection, which makes what the runtime needs for
// all others, and the goroutine for these. It collects when as much has been
// allocated as is live, and at least after bytes; 0: 2 MiB.
func beginCollecting(after uint64) {
	if after == 0 {
		after = 2 << 20
	}
	freeOSMemory()
	go func() {
		heap := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
		next := uint64(0)
		for range wanted {
			metrics.Read(heap)
			if heap[0].Value.Uint64() < next {
				continue
			}
			collect()
			metrics.Read(heap)
			next = heap[0].Value.Uint64() + max(heap[1].Value.Uint64(), after)
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

func collect() {
	collecting := (*uint32)(unsafe.Pointer(&C.side_collecting))
	collection.Lock()
	atomic.StoreUint32(collecting, 1)
	C.side_await_leavers()
	freeOSMemory()
	atomic.StoreUint32(collecting, 0)
	collection.Unlock()
}

//export goAwaitCollection
func goAwaitCollection() {
	collection.RLock()
	//lint:ignore SA2001 the lock is only waited for
	collection.RUnlock()
}
