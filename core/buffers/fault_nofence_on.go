// SPDX-License-Identifier: Apache-2.0

//go:build fault_nofence

package buffers

// A planted fault, for tests that must find it: a value is published before it is written, as a missing release would.
const faultNoFence = true
