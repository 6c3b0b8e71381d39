// SPDX-License-Identifier: Apache-2.0

// Command probe holds the steps and the stubs, so that a test can look at their
// machine code.
package main

import "github.com/aimdb-dev/aimdb-go/core/door"

func main() { println(door.Find().Direct()) }
