// SPDX-License-Identifier: Apache-2.0

//go:build !race

package buffers

// publish64 stores a control word after everything before it and before
// everything after it but loads; the unlocking that follows orders those. On
// amd64 every store is so, and sync/atomic would pay for a full fence (XCHG).
// The compiler keeps a plain store in its place here: a call (memmove) comes
// before it and an atomic operation (unlock) behind. The guard in tests/door
// finds it in the machine code, between those two.
//
//go:nosplit
func publish64(word *uint64, value uint64) { *word = value }

// publish32 is the same for half a word.
//
//go:nosplit
func publish32(word *uint32, value uint32) { *word = value }

// loadsBeforeLoads orders plain loads of a payload before the atomic load that
// follows: on amd64 loads are never reordered, and the compiler moves none
// across the call of memmove and an atomic load.
//
//go:nosplit
func loadsBeforeLoads(*uint32) {}
