// SPDX-License-Identifier: Apache-2.0

//go:build !fault_panic

package core

const faultPanic = false
