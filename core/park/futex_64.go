// SPDX-License-Identifier: Apache-2.0

//go:build !386 && !arm

package park

import (
	"syscall"
	"unsafe"
)

func futexCall(word *uint32, op uintptr, value uint32, timeout *timespec) syscall.Errno {
	_, _, errno := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), op,
		uintptr(value), uintptr(unsafe.Pointer(timeout)), 0, 0)
	return errno
}
