// SPDX-License-Identifier: Apache-2.0

//go:build race

package park

// The race detector does not see the kernel hand a lock over.
const detectorSeesHandOver = false
