// SPDX-License-Identifier: Apache-2.0

//go:build 386 || arm

package park

import (
	"syscall"
	"unsafe"
)

// futexTime64 takes times beyond 2038. Kernels before 5.1 don't have it, and
// later ones need not have the older call.
const futexTime64 = 422

func futexCall(word *uint32, op uintptr, value uint32, timeout *timespec) syscall.Errno {
	_, _, errno := syscall.Syscall6(futexTime64, uintptr(unsafe.Pointer(word)), op,
		uintptr(value), uintptr(unsafe.Pointer(timeout)), 0, 0)
	if errno != syscall.ENOSYS {
		return errno
	}
	var narrow *syscall.Timespec
	if timeout != nil { // at most longestSleep
		narrow = &syscall.Timespec{Sec: int32(timeout.sec), Nsec: int32(timeout.nsec)}
	}
	_, _, errno = syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), op,
		uintptr(value), uintptr(unsafe.Pointer(narrow)), 0, 0)
	return errno
}
