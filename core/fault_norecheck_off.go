// SPDX-License-Identifier: Apache-2.0

//go:build !fault_norecheck

package core

const faultNoRecheck = false
