// SPDX-License-Identifier: Apache-2.0

//go:build !fault_nofence

package buffers

const faultNoFence = false
