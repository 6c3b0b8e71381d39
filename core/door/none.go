// SPDX-License-Identifier: Apache-2.0

//go:build !((amd64 || arm64) && !race && !asan && !msan && !aimdb_cgo)

package door

// Find says that there is no direct door: the steps are entered through cgo.
func Find() Entries { return Entries{} }
