// SPDX-License-Identifier: Apache-2.0

//go:build !amd64 || race

package buffers

import "sync/atomic"

// publish64 stores a control word after everything before it (a release), and,
// being sequentially consistent, before later atomic loads.
//
//go:nosplit
func publish64(word *uint64, value uint64) { atomic.StoreUint64(word, value) }

// publish32 is the same for half a word.
//
//go:nosplit
func publish32(word *uint32, value uint32) { atomic.StoreUint32(word, value) }

// loadsBeforeLoads orders plain loads of a payload before the atomic load that
// follows. Plain loads are not ordered before a later acquiring load, so a
// word of the reader's own is stored in between: loads before STLR (po;[L]),
// STLR before LDAR ([L];po;[A]).
//
//go:nosplit
func loadsBeforeLoads(own *uint32) { atomic.StoreUint32(own, 0) }
