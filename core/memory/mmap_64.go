// SPDX-License-Identifier: Apache-2.0

//go:build !race && !386 && !arm && !mips && !mipsle

package memory

import "syscall"

const mmap = syscall.SYS_MMAP
