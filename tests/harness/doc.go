// SPDX-License-Identifier: Apache-2.0

// Package harness loads the built library with purego, without cgo, and
// drives the C ABI as a program would that knows only capi/aimdb.h.
//
// The tests read the header: a function, status, constant, or struct field
// that they do not know or do not reach makes them fail.
//
// It runs with cgo and without (CGO_ENABLED=0), and under -race. Two Go
// runtimes are then in one process, and callbacks of one run on threads of the
// other. Tests of memory and of descriptors change limits of the process, so
// no test runs in parallel with another.
//
// AIMDB_LIBRARY names the library, build/libaimdb.so.0 if it is not set.
package harness
