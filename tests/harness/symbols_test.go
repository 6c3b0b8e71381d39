// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"debug/elf"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLibraryExportsTheFunctionsOfTheHeaderAndNothingElse(t *testing.T) {
	output, err := exec.Command("nm", "-D", "--defined-only", libraryPath()).Output()
	require.NoError(t, err)
	var exported, declared []string
	for _, line := range strings.Split(strings.TrimSpace(string(output)), "\n") {
		exported = append(exported, strings.Join(strings.Fields(line)[1:], " "))
	}
	for _, f := range api.functions {
		declared = append(declared, "T "+f.name)
	}
	require.ElementsMatch(t, declared, exported)
}

func TestSonameCarriesTheABIVersion(t *testing.T) {
	file, err := elf.Open(libraryPath())
	require.NoError(t, err)
	defer file.Close()
	soname, err := file.DynString(elf.DT_SONAME)
	require.NoError(t, err)
	require.Equal(t, []string{fmt.Sprintf("libaimdb.so.%d", constants["AIMDB_ABI_VERSION"])}, soname)
}

func TestVersionAtRunTimeIsTheHeaders(t *testing.T) {
	c := constants
	version := fmt.Sprintf("%d.%d.%d", c["AIMDB_VERSION_MAJOR"], c["AIMDB_VERSION_MINOR"], c["AIMDB_VERSION_PATCH"])
	require.Equal(t, version, goString(invoke("aimdb_version")))
	require.Equal(t, uint32(c["AIMDB_ABI_VERSION"]), uint32(invoke("aimdb_abi_version")))
	reached.note("aimdb_version", OK)
	reached.note("aimdb_abi_version", OK)
}

func TestHeaderIsReadWhole(t *testing.T) {
	// The tests stand on what they read from the header, so: is it all there?
	require.Len(t, api.functions, strings.Count(headerText(), "\nAIMDB_API "))
	require.Len(t, api.structs, strings.Count(headerText(), "\ntypedef struct ")-5) // 5 are opaque
	require.Len(t, api.inits, strings.Count(headerText(), "_INIT ")-1)              // 1 is in a comment
	require.True(t, api.byName["aimdb_recv"].documented[Timeout])
	require.True(t, api.byName["aimdb_recv"].documented[Empty])
	require.False(t, api.byName["aimdb_try_recv"].documented[Timeout])
	require.True(t, api.byName["aimdb_emit"].documented[ErrDepth])
}
