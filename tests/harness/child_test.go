// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// childVariable makes the test binary run child in the place of the tests.
const childVariable = "AIMDB_HARNESS_CHILD"

const panicLibrary = "../../build/faults/fault_panic/libaimdb.so.0"

// child runs in a process with the library in which registering the key panic
// panics. It prints what happened.
func child() int {
	var db, record Handle
	tell := func(function string, args ...any) {
		status := Status(int32(invoke(function, args...)))
		fmt.Println(function, int32(status), goString(invoke("aimdb_last_error")))
	}
	tell("aimdb_create", nil, &db)
	tell("aimdb_register", db, "panic", nil, &record)
	tell("aimdb_register", db, "calm", nil, &record)
	tell("aimdb_start", db)
	tell("aimdb_produce", record, number(1), 8)
	tell("aimdb_close", db, Second)
	tell("aimdb_destroy", db)
	return 0
}

func TestFaultInsideTheLibraryIsCaughtAndTheDatabaseWorksOn(t *testing.T) {
	_, err := os.Stat(panicLibrary)
	require.NoError(t, err, "the library with the planted fault is built by \"make faults\"")
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childVariable+"=panic", "AIMDB_LIBRARY="+panicLibrary)
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	require.Len(t, lines, 7, string(output))
	require.Contains(t, lines[1], "planted")
	for i, line := range lines {
		var function string
		var status Status
		_, err := fmt.Sscan(line, &function, &status)
		require.NoError(t, err, line)
		want := OK
		if i == 1 {
			want = ErrInternal
		}
		require.Equal(t, want, status, line)
		reached.note(function, status)
	}
}

//go:embed testdata/fork.c
var forkSource string

func TestForkedChildGetsErrForkedFromEveryFunction(t *testing.T) {
	library, err := filepath.Abs(libraryPath())
	require.NoError(t, err)
	command := exec.Command(compile(t, forkSource), library)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	require.NoError(t, err, string(output)+stderr.String())
	answered := make(map[string]bool)
	for _, line := range strings.Split(strings.TrimSpace(string(output)), "\n") {
		var function string
		var status Status
		_, err := fmt.Sscan(line, &function, &status)
		require.NoError(t, err, line)
		require.Equal(t, ErrForked, status, line)
		answered[function] = true
		reached.note(function, status)
	}
	for _, f := range api.functions {
		require.Equal(t, f.answers, answered[f.name], f.name)
	}
}

//go:embed testdata/nothreads.c
var noThreadsSource string

func TestTheFirstCallSaysThatThereAreNoThreads(t *testing.T) {
	library, err := filepath.Abs(libraryPath())
	require.NoError(t, err)
	output, err := exec.Command(compile(t, noThreadsSource), library).CombinedOutput()
	require.NoError(t, err, string(output))
	require.Equal(t, fmt.Sprintln(int32(ErrNoThreads)), string(output))
	reached.note("aimdb_create", ErrNoThreads)
}
