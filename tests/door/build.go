// SPDX-License-Identifier: Apache-2.0

package door

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An edit plants a fault: in a file of the library, one text for another. An
// edit of a file that does not exist makes it.
type edit struct{ file, old, new string }

// buildProbe builds the probe for an architecture, as position-independent code
// like the library. The edits are an overlay that only this build sees.
func buildProbe(top, out, goarch string, edits []edit, flags ...string) error {
	replace := map[string]string{}
	for _, e := range edits {
		path := filepath.Join(top, e.file)
		if replace[path] == "" {
			replace[path] = path
		}
		text, err := os.ReadFile(replace[path])
		if err != nil && e.old != "" {
			return err
		}
		if e.old != "" && strings.Count(string(text), e.old) != 1 {
			return fmt.Errorf("%s: the text to edit is not there once: %q", e.file, e.old)
		}
		replace[path] = filepath.Join(out, strings.ReplaceAll(e.file, "/", "_"))
		if e.old != "" {
			e.new = strings.Replace(string(text), e.old, e.new, 1)
		}
		if err := os.WriteFile(replace[path], []byte(e.new), 0o600); err != nil {
			return err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	list := filepath.Join(out, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return err
	}
	arguments := append([]string{"build", "-buildmode=pie", "-trimpath", "-overlay", list,
		"-o", filepath.Join(out, "probe")}, flags...)
	return run(top, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + goarch},
		"go", append(arguments, "./tests/door/probe")...)
}

// buildLibrary builds the library itself, unstripped.
func buildLibrary(top, out, goarch, compiler string) error {
	return run(top, []string{"AIMDB_GO_LDFLAGS=", "GOARCH=" + goarch, "CC=" + compiler},
		filepath.Join(top, "tools", "build-lib.sh"), out)
}

func run(dir string, environment []string, name string, arguments ...string) error {
	command := exec.Command(name, arguments...)
	command.Dir = dir
	command.Env = append(os.Environ(), environment...)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, output)
	}
	return nil
}
