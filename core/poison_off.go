// SPDX-License-Identifier: Apache-2.0

//go:build !aimdb_poison

package core

const poisoned = false
