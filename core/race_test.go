// SPDX-License-Identifier: Apache-2.0

//go:build race

package core

import (
	"os"
	"os/exec"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/aimdb-dev/aimdb-go/core/memory"
)

// The race detector sees regions: a race planted on one must be found. It is
// run in a process of its own, which the detector ends.
func TestRace_APlantedRaceOnARegionIsFound(t *testing.T) {
	const plant = "AIMDB_PLANT_RACE"
	if os.Getenv(plant) != "" {
		raceOnRegion(t)
		return
	}
	command := exec.Command(os.Args[0], "-test.run=^TestRace_APlantedRaceOnARegionIsFound$")
	command.Env = append(os.Environ(), plant+"=1")
	output, err := command.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(output), "DATA RACE")
}

func raceOnRegion(t *testing.T) {
	region, err := memory.Take(64)
	require.NoError(t, err)
	defer region.Give()
	word := (*uint64)(memory.Pointer(region.Base()))
	require.Zero(t, uintptr(unsafe.Pointer(word))%8)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for range 1000 {
				*word++
			}
		})
	}
	both.Wait()
}
