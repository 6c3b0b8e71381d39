// SPDX-License-Identifier: Apache-2.0

//go:build !race

package memory

import "syscall"

// NORESERVE: a region counts against the system's memory only as it fills.
func reserve(size uintptr) (uintptr, error) {
	base, _, errno := syscall.Syscall6(mmap, 0, size, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE, ^uintptr(0), 0)
	if errno != 0 {
		return 0, errno
	}
	return base, nil
}

func release(base, size uintptr) {
	syscall.Syscall(syscall.SYS_MUNMAP, base, size, 0)
}
