// SPDX-License-Identifier: Apache-2.0

//go:build fault_norecheck

package core

// A planted fault, for tests that must find it: a waiter sleeps without looking again after announcing itself.
const faultNoRecheck = true
