// SPDX-License-Identifier: Apache-2.0

//go:build !race

package memory

import (
	"syscall"

	"github.com/aimdb-dev/aimdb-go/core/inject"
)

// reserve takes address space, and commit makes its first size bytes memory.
// NORESERVE: it counts against the system's memory only as it fills.
func reserve(size uintptr) (uintptr, error) { return mapped(size, syscall.PROT_NONE) }

func commit(base, size uintptr) error {
	if errno, fails := inject.Fails(inject.Map); fails {
		return errno
	}
	_, _, errno := syscall.Syscall(syscall.SYS_MPROTECT, base, size, syscall.PROT_READ|syscall.PROT_WRITE)
	if errno != 0 {
		return errno
	}
	return nil
}

func take(size uintptr) (uintptr, error) {
	return mapped(size, syscall.PROT_READ|syscall.PROT_WRITE)
}

func mapped(size, protection uintptr) (uintptr, error) {
	if errno, fails := inject.Fails(inject.Map); fails {
		return 0, errno
	}
	base, _, errno := syscall.Syscall6(mmap, 0, size, protection,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE, ^uintptr(0), 0)
	if errno != 0 {
		return 0, errno
	}
	inject.Took(inject.Map, 1)
	return base, nil
}

func release(base, size uintptr) {
	syscall.Syscall(syscall.SYS_MUNMAP, base, size, 0)
	inject.Took(inject.Map, -1)
}
