// SPDX-License-Identifier: Apache-2.0

//go:build !fault_freetwice

package core

const faultFreeTwice = false
