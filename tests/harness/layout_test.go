// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestMirrorHasEveryStructAndConstantOfTheHeader(t *testing.T) {
	require.ElementsMatch(t, slices.Collect(maps.Keys(mirrors)), slices.Collect(maps.Keys(api.structs)))
	known := append(slices.Collect(maps.Keys(statuses)), slices.Collect(maps.Keys(constants))...)
	require.ElementsMatch(t, append(known, "AIMDB_VERSION"), slices.Concat(api.enums, api.defines))
	for name, fields := range api.structs {
		var mirrored []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(mirrors[name]).Elem()) {
			mirrored = append(mirrored, strings.ToLower(f.Name))
		}
		require.Equal(t, strings.ReplaceAll(strings.Join(fields, " "), "_", ""), strings.Join(mirrored, " "), name)
	}
}

func TestMirrorIsLaidOutAsTheCompilerLaysOutTheHeader(t *testing.T) {
	var want []string
	for name, s := range mirrors {
		typ := reflect.TypeOf(s).Elem()
		want = append(want, fmt.Sprintf("%s %d", name, typ.Size()))
		for i, field := range api.structs[name] {
			f := typ.Field(i)
			want = append(want, fmt.Sprintf("%s.%s %d %d", name, field, f.Offset, f.Type.Size()))
		}
		if init, ok := api.inits[name]; ok {
			want = append(want, init+" "+hex.EncodeToString(bytesOf(s)))
		}
	}
	for name, value := range constants {
		want = append(want, fmt.Sprintf("%s %d", name, value))
	}
	for name, value := range statuses {
		want = append(want, fmt.Sprintf("%s %d", name, value))
	}
	output, err := exec.Command(compile(t, layoutProgram())).Output()
	require.NoError(t, err)
	require.ElementsMatch(t, want, strings.Split(strings.TrimSpace(string(output)), "\n"))
}

// layoutProgram prints sizes, offsets, initialisers, and constants in C.
func layoutProgram() string {
	var c strings.Builder
	c.WriteString("#include \"aimdb.h\"\n#include <stdio.h>\n" +
		"static void hex(const char *name, const void *p, size_t n)\n" +
		"{ printf(\"%s \", name);\nfor (size_t i = 0; i < n; i++) printf(\"%02x\", ((const unsigned char *)p)[i]);\n" +
		"printf(\"\\n\"); }\nint main(void) {\n")
	for name, fields := range api.structs {
		fmt.Fprintf(&c, "printf(\"%s %%zu\\n\", sizeof(%s));\n", name, name)
		for _, f := range fields {
			fmt.Fprintf(&c, "printf(\"%s.%s %%zu %%zu\\n\", offsetof(%s, %s), sizeof(((%s *)0)->%s));\n",
				name, f, name, f, name, f)
		}
	}
	for name, init := range api.inits { // static: its padding is zero
		fmt.Fprintf(&c, "{ static %s v = %s; hex(\"%s\", &v, sizeof v); }\n", name, init, init)
	}
	for _, name := range slices.Concat(api.enums, api.defines) {
		if name != "AIMDB_VERSION" {
			fmt.Fprintf(&c, "printf(\"%s %%lld\\n\", (long long)%s);\n", name, name)
		}
	}
	c.WriteString("return 0; }\n")
	return c.String()
}

// compile makes a program of C text, with the header and libdl at hand.
func compile(t *testing.T, source string) string {
	dir := t.TempDir()
	file := filepath.Join(dir, "program.c")
	require.NoError(t, os.WriteFile(file, []byte(source), 0o600))
	program := filepath.Join(dir, "program")
	output, err := exec.Command("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
		"-I", filepath.Dir(headerPath), "-o", program, file, "-ldl").CombinedOutput()
	require.NoError(t, err, string(output))
	return program
}

// bytesOf is the memory of the struct that p points to.
func bytesOf(p any) []byte {
	v := reflect.ValueOf(p)
	return unsafe.Slice((*byte)(v.UnsafePointer()), v.Elem().Type().Size())
}
