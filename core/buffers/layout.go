// SPDX-License-Identifier: Apache-2.0

package buffers

import "unsafe"

// Sizes that others rely on, checked when this is compiled.
const (
	BufferSize = 2*64 + 8
	CursorSize = 80
)

var (
	_ = [1]struct{}{}[unsafe.Sizeof(Buffer{})-BufferSize]
	_ = [1]struct{}{}[unsafe.Offsetof(Buffer{}.Lock)-64]
	_ = [1]struct{}{}[unsafe.Offsetof(Buffer{}.Event)-128]
	_ = [1]struct{}{}[unsafe.Sizeof(Cursor{})-CursorSize]
)
