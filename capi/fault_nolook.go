// SPDX-License-Identifier: Apache-2.0

//go:build fault_nolook

package main

// A planted fault, for tests that must find it: threads that come out of Go don't
// look for a collection.

// #cgo CFLAGS: -DFAULT_NO_LOOK
import "C"
