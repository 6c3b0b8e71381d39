// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests, then looks whether they reached every function and
// status of the header, and whether a goroutine was left.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := load(libraryPath()); err != nil {
		fmt.Fprintln(os.Stderr, "the library is built by \"make lib\":", err)
		os.Exit(1)
	}
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	code := m.Run()
	if wholeRun() {
		for _, line := range reached.missing() {
			fmt.Fprintln(os.Stderr, "the header is not reached:", line)
			code = 1
		}
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func wholeRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.bench"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return true
}
