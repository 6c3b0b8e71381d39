// SPDX-License-Identifier: Apache-2.0

package main

import "C"

import (
	"os"
	"runtime/coverage"
)

//export goWriteCoverage
func goWriteCoverage() { coverage.WriteCountersDir(os.Getenv("GOCOVERDIR")) }
