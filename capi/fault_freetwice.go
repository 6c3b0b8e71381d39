// SPDX-License-Identifier: Apache-2.0

//go:build fault_freetwice

package main

// A planted fault, for tests that must find it: the user pointer of a
// subscription is freed twice.

// #cgo CFLAGS: -DFAULT_FREE_TWICE
import "C"
