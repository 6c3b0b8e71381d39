// SPDX-License-Identifier: Apache-2.0

package door

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aimdb-dev/aimdb-go/core"
	"github.com/stretchr/testify/require"
)

const top = "../.."

// copying are the steps that copy values, so that the guard has something to see.
var copying = []string{"produce", "commit", "next", "receive", "peek"}

var architectures = []string{"amd64", "arm64"}

// deepest is how many bytes of stack a step may take, of C's.
const deepest = 800

// guard applies all rules to an image, and gives the depth of the stack.
func guard(t *testing.T, path, goarch string) (depth int64, found []finding) {
	t.Helper()
	m, err := open(path)
	require.NoError(t, err)
	s, err := readSource(top, goarch)
	require.NoError(t, err)
	require.NotEmpty(t, s.publish64)
	require.NotEmpty(t, s.publish32)
	require.NotEmpty(t, s.fence)
	require.NotEmpty(t, s.tailLoads)
	entries := m.named(func(name string) bool {
		return strings.HasPrefix(name, module+"core/door.") && strings.HasSuffix(name, "Stub")
	})
	require.Len(t, entries, core.Ops, "a stub for each step")
	for _, stub := range entries {
		d, wrong := m.check(stub)
		depth = max(depth, d)
		copied, misplaced := m.stamps(stub, s)
		step := strings.TrimSuffix(strings.TrimPrefix(stub.name, module+"core/door."), "Stub")
		if slices.Contains(copying, step) {
			require.NotZero(t, copied, "%s copies", step)
		}
		found = append(append(found, wrong...), misplaced...)
		t.Logf("%s: %d bytes of stack", strings.TrimPrefix(stub.name, module), d)
	}
	return depth, found
}

func sound(t *testing.T, path, goarch string) {
	depth, found := guard(t, path, goarch)
	require.Empty(t, found)
	require.LessOrEqual(t, depth, int64(deepest))
}

func TestSteps_AreFitToRunWithoutG(t *testing.T) {
	for _, goarch := range architectures {
		t.Run(goarch, func(t *testing.T) {
			out := t.TempDir()
			require.NoError(t, buildProbe(absolute(t), out, goarch, nil))
			sound(t, filepath.Join(out, "probe"), goarch)
		})
	}
}

func TestLibrary_IsFitToRunWithoutG(t *testing.T) {
	cross := map[string]string{"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}
	cross[runtime.GOARCH] = "gcc"
	for _, goarch := range architectures {
		t.Run(goarch, func(t *testing.T) {
			if _, err := exec.LookPath(cross[goarch]); err != nil {
				t.Skip("no compiler for this architecture: make test-door installs it")
			}
			out := t.TempDir()
			require.NoError(t, buildLibrary(absolute(t), out, goarch, cross[goarch]))
			sound(t, filepath.Join(out, "libaimdb.so"), goarch)
		})
	}
}

func absolute(t *testing.T) string {
	path, err := filepath.Abs(top)
	require.NoError(t, err)
	return path
}
