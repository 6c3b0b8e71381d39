// SPDX-License-Identifier: Apache-2.0

package main

import "C"

import "runtime/coverage"

//export goWriteCoverage
func goWriteCoverage(directory *C.char) {
	coverage.WriteMetaDir(C.GoString(directory))
	coverage.WriteCountersDir(C.GoString(directory))
}
