// SPDX-License-Identifier: Apache-2.0

// Package models checks small models of the hot path's protocols exhaustively:
// every execution that the memory model of a processor allows, or every
// interleaving of threads. Each protocol is also checked with one of its
// orderings taken away, which the models must find.
//
//   - armv8.go: the axiomatic memory model of Armv8, with armv8_test.go: the
//     accesses of package core/buffers and core/park as Go compiles them for arm64.
//   - tso.go: x86's store buffers, with tso_test.go: the same for amd64.
//   - explore.go: interleavings, with parking_test.go: sleeping and waking;
//     lock_test.go: how a lock changes hands; pool_test.go: who looks after
//     shared consumers; reuse_test.go: blocks of subscriptions that end and begin in
//     databases that share nothing else; closing_test.go: how a database that closes
//     drains.
package models
