// SPDX-License-Identifier: Apache-2.0

//go:build fault_panic

package core

// A planted fault, for tests that must find it: registering the key panic panics.
const faultPanic = true
