// SPDX-License-Identifier: Apache-2.0

//go:build !fault_lagoffbyone

package buffers

const faultLagOffByOne = false
