// SPDX-License-Identifier: Apache-2.0

//go:build aimdb_poison

package core

// For tests: blocks that are given back hold nothing that anyone could go on with.
const poisoned = true
