// SPDX-License-Identifier: Apache-2.0

//go:build !race && (386 || arm || mips || mipsle)

package memory

import "syscall"

// The offset argument of mmap2 counts pages; ours is always 0.
const mmap = syscall.SYS_MMAP2
