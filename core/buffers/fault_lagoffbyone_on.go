// SPDX-License-Identifier: Apache-2.0

//go:build fault_lagoffbyone

package buffers

// A planted fault, for tests that must find it: a loss is reported one too small.
const faultLagOffByOne = true
