// SPDX-License-Identifier: Apache-2.0

//go:build !fault_nobaton

package core

const faultNoBaton = false
